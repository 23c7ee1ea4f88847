import type { MigrationInfo } from '@sterna/migration';
import { expect, test } from 'vitest';
import { ProgressLine, progressText, summary } from '../../src/node/migration-progress.ts';

const info = {
  status: 'active',
  'expected-downtime': 42,
  'cpu-throttle-percentage': 20,
  ram: {
    total: 2 ** 30,
    remaining: 2 ** 28,
    transferred: 3 * 2 ** 28,
    mbps: 838.8608,
    'dirty-sync-count': 3,
    'dirty-pages-rate': 2560,
    'page-size': 4096,
  },
} as MigrationInfo;

test('the line tells share, rates, what is left and the pause to expect', () => {
  expect(progressText(info)).toBe(
    'migration: active, 75 %, pass 3, 768 MiB sent, 256 MiB left, 100 MiB/s, dirtied 10.0 MiB/s, throttled 20 %, downtime ~42 ms',
  );
  expect(progressText({ status: 'setup' })).toBe('migration: setup');
});

test('the end tells where the guest is', () => {
  const cancelled: MigrationInfo = { status: 'cancelled', 'error-desc': 'too slow' };
  expect(summary(cancelled, 'running')).toBe('migration cancelled: too slow; the guest runs on here');
  expect(summary({ status: 'failed' }, 'paused')).toBe('migration failed; the guest is here, in state paused');
  expect(summary({ ...info, status: 'completed', 'total-time': 9, downtime: 3 }, '')).toBe(
    'migration completed in 9 ms, 768 MiB in 3 passes, downtime 3 ms',
  );
});

test('a terminal has one line that is kept up to date; elsewhere nothing is written', () => {
  const written = (isTTY: boolean) => {
    const parts: string[] = [];
    const line = new ProgressLine({ isTTY, write: (part: string) => parts.push(part) > 0 } as NodeJS.WriteStream);
    line.show(info);
    line.show({ status: 'device' });
    line.end();
    return parts.join('');
  };
  expect(written(true)).toBe(`\r${progressText(info)}\x1b[K\rmigration: device\x1b[K\n`);
  expect(written(false)).toBe('');
});
