import { describe, expect, test } from 'vitest';
import { Capabilities } from '../src/capabilities.ts';
import { applyParameters, defaultParameters } from '../src/parameters.ts';
import { formatMigrationAddress, parseMigrationChannels, parseMigrationUri } from '../src/transport/uri.ts';

describe('capabilities', () => {
  test('are listed in the order of QEMU, all off', () => {
    const list = new Capabilities().list();
    expect(list.slice(0, 5).map(({ capability }) => capability)).toEqual([
      'xbzrle',
      'rdma-pin-all',
      'auto-converge',
      'events',
      'postcopy-ram',
    ]);
    expect(list.every(({ state }) => !state)).toBe(true);
    expect(list).toHaveLength(21);
  });

  test('those that have not landed are refused by name, and nothing of the list is applied', () => {
    const capabilities = new Capabilities();
    const set = () =>
      capabilities.set([
        { capability: 'events', state: true },
        { capability: 'postcopy-ram', state: true },
      ]);
    expect(set).toThrow("'postcopy-ram' is not available: postcopy has not landed yet");
    expect(capabilities.has('events')).toBe(false);
    capabilities.set([{ capability: 'postcopy-ram', state: false }]);
  });

  test('one that QEMU took out is refused with what to do', () => {
    const capabilities = new Capabilities();
    expect(() => capabilities.set([{ capability: 'compress', state: true }])).toThrow('use multifd');
  });

  test('an unknown one is refused with a suggestion, a contradiction with the rule', () => {
    const capabilities = new Capabilities();
    expect(() => capabilities.set([{ capability: 'event', state: true }])).toThrow("did you mean 'events'");
    expect(() => capabilities.set([{ capability: 'switchover-ack', state: true }])).toThrow("needs 'return-path'");
  });
});

describe('parameters', () => {
  test('have the defaults of QEMU', () => {
    expect(defaultParameters()).toMatchObject({
      'max-bandwidth': 134217728,
      'downtime-limit': 300,
      'multifd-channels': 2,
      'xbzrle-cache-size': 67108864,
    });
  });

  test.for([
    [
      { 'downtime-limit': 2_000_001 },
      "'downtime-limit' expects an integer in the range of 0 to 2000000 ms, not 2000001",
    ],
    [{ 'max-bandwidth': -1 }, "'max-bandwidth' expects"],
    [{ 'max-bandwidth': '1' }, "'max-bandwidth' expects"],
    [{ 'xbzrle-cache-size': 5000 }, 'power of two'],
    [{ 'tls-creds': 7 }, 'expects a string or null'],
    [{ 'multifd-compression': 'qpl' }, 'Analytics'],
    [{ 'multifd-compression': 'gzip' }, 'one of none, zlib, zstd'],
    [{ 'x-rdma-chunk-size': 4096 }, 'RDMA'],
    [{ 'cpr-exec-command': ['x'] }, 'CPR has not landed yet'],
    [{ 'block-bitmap-mapping': [{}] }, 'bitmaps have not landed yet'],
    [{ mode: 'cpr-exec' }, 'CPR has not landed yet'],
    [{ 'max-cpu-throttle': 10 }, 'below'],
    [{ 'down-limit': 1 }, "'down-limit' is unknown"],
  ] as const)('%j is refused', ([change, text]) => {
    expect(() => applyParameters(defaultParameters(), change)).toThrow(text);
  });

  test('a set is applied as a whole', () => {
    const now = defaultParameters();
    expect(() => applyParameters(now, { 'downtime-limit': 1, mode: 'x' })).toThrow();
    expect(now['downtime-limit']).toBe(300);
    expect(applyParameters(now, { 'downtime-limit': 1, 'tls-creds': null })).toMatchObject({
      'downtime-limit': 1,
      'tls-creds': '',
    });
  });
});

describe('addresses', () => {
  test.for([
    ['tcp:localhost:4444', { transport: 'socket', type: 'inet', host: 'localhost', port: 4444 }],
    ['tcp:[::1]:4444', { transport: 'socket', type: 'inet', host: '::1', port: 4444 }],
    ['tcp::0', { transport: 'socket', type: 'inet', host: '', port: 0 }],
    ['unix:/run/a,b', { transport: 'socket', type: 'unix', path: '/run/a,b' }],
    ['fd:7', { transport: 'socket', type: 'fd', str: '7' }],
    ['exec:cat > /tmp/x', { transport: 'exec', args: ['/bin/sh', '-c', 'cat > /tmp/x'] }],
    ['file:/a', { transport: 'file', filename: '/a', offset: 0 }],
    ['file:/a,offset=0x1000', { transport: 'file', filename: '/a', offset: 4096 }],
  ] as const)('%s', ([uri, address]) => {
    expect(parseMigrationUri(uri)).toEqual(address);
    expect(formatMigrationAddress(address)).toBe(uri);
  });

  test('offsets have units', () => {
    expect(parseMigrationUri('file:/a,offset=4K')).toMatchObject({ offset: 4096 });
    expect(parseMigrationUri('file:/a,offset=1M')).toMatchObject({ offset: 1048576 });
  });

  test.for([
    'tcp:localhost',
    'tcp:localhost:99999',
    'unix:',
    'file:',
    'file:/a,offset=x',
    'file:/a,offset=0x20M',
    'file:/a,offset=-1',
    'exec:',
    'fd:',
    'http:x',
    'x',
    '',
  ])('"%s" is refused', (uri) => expect(() => parseMigrationUri(uri)).toThrow(/^migration uri/));

  test('what this host has not is refused by name', () => {
    expect(() => parseMigrationUri('rdma:host:1')).toThrow("'rdma' is not available");
  });

  test('the channels argument has one main channel', () => {
    const main = (addr: Record<string, unknown>) => [{ 'channel-type': 'main', addr }];
    expect(parseMigrationChannels(main({ transport: 'socket', type: 'inet', host: 'h', port: '12' }))).toEqual(
      parseMigrationUri('tcp:h:12'),
    );
    expect(parseMigrationChannels(main({ transport: 'socket', type: 'unix', path: '/p' }))).toEqual(
      parseMigrationUri('unix:/p'),
    );
    expect(parseMigrationChannels(main({ transport: 'exec', args: ['/bin/cat'] }))).toEqual({
      transport: 'exec',
      args: ['/bin/cat'],
    });
    expect(parseMigrationChannels(main({ transport: 'file', filename: '/f', offset: 3 }))).toEqual({
      transport: 'file',
      filename: '/f',
      offset: 3,
    });
    expect(() => parseMigrationChannels([])).toThrow('expected one main channel, not 0');
    expect(() => parseMigrationChannels([{ 'channel-type': 'cpr' }])).toThrow("'cpr'");
    expect(() => parseMigrationChannels(main({ transport: 'rdma' }))).toThrow("'rdma'");
    expect(() => parseMigrationChannels(main({ transport: 'file', filename: 3 }))).toThrow(
      "'filename' must be a string",
    );
  });
});
