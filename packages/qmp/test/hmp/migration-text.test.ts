import { defaultParameters, type MigrationInfo } from '@sterna/migration';
import { describe, expect, it } from 'vitest';
import { dirtyLimitsText, dirtyRateText, migrationText, parametersText } from '../../src/hmp/migration-text.ts';

const MIB = 2 ** 20;
const RAM = {
  transferred: 3942425,
  remaining: 129302528,
  total: 134283264,
  duplicate: 256,
  normal: 960,
  'normal-bytes': 3932160,
  'dirty-pages-rate': 0,
  mbps: 31.52016,
  'dirty-sync-count': 1,
  'postcopy-requests': 0,
  'page-size': 4096,
  'multifd-bytes': 0,
  'pages-per-second': 960,
  'precopy-bytes': 3942236,
  'downtime-bytes': 0,
  'postcopy-bytes': 0,
  'dirty-sync-missed-zero-copy': 0,
};

/** What QEMU 11.1 printed for the same figures. */
describe('info migrate', () => {
  it('says what is under way', () => {
    const info: MigrationInfo = {
      status: 'active',
      'total-time': 1001,
      'setup-time': 0,
      'expected-downtime': 1,
      remaining: 129695744,
      ram: RAM,
    };
    expect(migrationText(info)).toBe(
      [
        'Status: \t\tactive',
        'Time (ms): \t\ttotal=1001, setup=0, exp_down=1',
        'Remaining: \t\t124 MiB',
        'RAM info:',
        '  Throughput (Mbps): \t31.52',
        '  Sizes: \t\tpagesize=4 KiB, total=128 MiB',
        '  Transfers: \t\ttransferred=3.76 MiB, remain=123 MiB',
        '    Channels: \t\tprecopy=3.76 MiB, multifd=0 B, postcopy=0 B',
        '    Page Types: \tnormal=960, zero=256',
        '  Page Rates (pps): \ttransfer=960',
        '  Others: \t\tdirty_syncs=1',
        '',
      ].join('\n'),
    );
  });

  it('says what was', () => {
    const ram = { ...RAM, remaining: 0, 'downtime-bytes': 307812, 'dirty-sync-count': 2, 'dirty-pages-rate': 7 };
    const text = migrationText({ status: 'completed', 'total-time': 730, 'setup-time': 1, downtime: 9, ram });
    expect(text).toContain('Time (ms): \t\ttotal=730, setup=1, down=9\n');
    expect(text).toContain('  Page Rates (pps): \ttransfer=960, dirty=7\n');
    expect(text).toContain('  Others: \t\tdirty_syncs=2, downtime_bytes=307812\n');
    expect(text).not.toContain('Remaining');
  });

  it('says why not, who listens, and nothing when there is nothing', () => {
    expect(migrationText({ status: 'failed', 'error-desc': 'refused' })).toBe('Status: \t\tfailed (refused)\n');
    const sockets: MigrationInfo = {
      status: 'setup',
      'socket-address': [
        { type: 'inet', host: '127.0.0.1', port: '35377', ipv4: true },
        { type: 'unix', path: '/tmp/m' },
      ],
    };
    expect(migrationText(sockets)).toBe('Status: \t\tsetup\nSockets: [\n\ttcp:127.0.0.1:35377\n\tunix:/tmp/m\n]\n');
    expect(migrationText({ 'blocked-reasons': ['a disk', 'a device'] })).toBe(
      'Outgoing migration blocked:\n  a disk\n  a device\n',
    );
    expect(migrationText({})).toBe('');
  });

  it('shows the cache and the throttle when they do something', () => {
    const cache = {
      'cache-size': 64 * MIB,
      bytes: 1024,
      pages: 5,
      'cache-miss': 2,
      'cache-miss-rate': 0.5,
      'encoding-rate': 3,
      overflow: 1,
    };
    const text = migrationText({ status: 'active', 'xbzrle-cache': cache, 'cpu-throttle-percentage': 20 });
    expect(text).toContain('size=64 MiB, misses=2, miss_rate=0.50');
    expect(text).toContain('encoded=5, overflow=1, sent=1 KiB');
    expect(text).toContain('CPU Throttle (%): \t20\n');
  });
});

describe('info migrate_parameters', () => {
  it('has the lines of QEMU 11.1, in its order', () => {
    const text = parametersText(defaultParameters());
    expect(text.startsWith('announce-initial: 50 ms\nannounce-max: 550 ms\nannounce-rounds: 5\n')).toBe(true);
    for (const line of [
      "cpu-throttle-tailslow: off\nmax-cpu-throttle: 99\ntls-creds: ''\n",
      'max-bandwidth: 134217728 bytes/second\navail-switchover-bandwidth: 0 bytes/second\n',
      'multifd-compression: none\nzero-page-detection: multifd\nxbzrle-cache-size: 67108864 bytes\n',
      'vcpu-dirty-limit: 1 MB/s\nmode: normal\ndirect-io: off\nx-rdma-chunk-size: 1048576 bytes\ncpr-exec-command:\n',
    ])
      expect(text).toContain(line);
    expect(text).not.toContain('zlib');
  });
});

describe('info dirty_rate', () => {
  it('is that of QEMU', () => {
    const info = { 'calc-time': 0, 'start-time': 0, 'sample-pages': 0, 'calc-time-unit': 'second' } as const;
    expect(dirtyRateText({ ...info, status: 'unstarted', mode: 'page-sampling' })).toBe(
      'Status: unstarted\nStart Time: 0 (ms)\nSample Pages: 0 (per GB)\nPeriod: 0 (sec)\nMode: page-sampling\nDirty rate: (not ready)\n',
    );
    expect(dirtyRateText({ ...info, status: 'measured', mode: 'dirty-bitmap', 'dirty-rate': 12 })).toBe(
      'Status: measured\nStart Time: 0 (ms)\nPeriod: 0 (sec)\nMode: dirty-bitmap\nDirty rate: 12 (MB/s)\n',
    );
  });
});

describe('info vcpu_dirty_limit', () => {
  it('is that of QEMU', () => {
    expect(dirtyLimitsText([])).toBe('Dirty page limit not enabled!\n');
    expect(dirtyLimitsText([{ 'cpu-index': 1, 'limit-rate': 20, 'current-rate': 19 }])).toBe(
      'vcpu[1], limit rate 20 (MB/s), current rate 19 (MB/s)\n',
    );
  });
});
