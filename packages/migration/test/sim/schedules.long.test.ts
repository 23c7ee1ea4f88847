import { describeFailures, runInThreads } from '@sterna/testkit/node';
import { expect, test } from 'vitest';
import { alone } from './alone.ts';

/** Behind the seeds of CI. */
const FIRST = 1_000_000;
const SEEDS = 5_000_000;

test(`nobody ever owns the guest twice, in ${SEEDS} schedules`, { timeout: 6 * 3_600_000 }, async () => {
  const began = performance.now();
  const { failures, perSecond, seeds } = await runInThreads(FIRST, SEEDS, 2, {
    progress: (done) => {
      if (done % 100_000 === 0) console.log(`${done} schedules in ${Math.round((performance.now() - began) / 1000)} s`);
    },
  });
  console.log(`seeds ${FIRST} to ${FIRST + seeds - 1}: ${failures.length} failures, ${perSecond} schedules/s`);
  expect(
    failures,
    describeFailures(failures, (seed) => alone(seed)),
  ).toEqual([]);
  expect(seeds).toBe(SEEDS);
});

test(`nor over several channels, in ${SEEDS / 10} schedules`, { timeout: 3_600_000 }, async () => {
  const { failures, seeds } = await runInThreads(FIRST, SEEDS / 10, 2, { multifd: true });
  expect(
    failures,
    describeFailures(failures, (seed) => alone(seed, '--multifd ')),
  ).toEqual([]);
  expect(seeds).toBe(SEEDS / 10);
});
