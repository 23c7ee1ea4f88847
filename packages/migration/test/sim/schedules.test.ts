import { describeFailures, runInThreads } from '@sterna/testkit/node';
import { expect, test } from 'vitest';
import { alone } from './alone.ts';

/** Seeds of a run in CI; the same ones each time, so that a failure is one of the change that made it. */
const SEEDS = Number(process.env['STERNA_SEEDS'] ?? (process.env['CI'] ? 100_000 : 10_000));

test(`nobody ever owns the guest twice, in ${SEEDS} schedules`, { timeout: 900_000 }, async () => {
  const { failures, perSecond, seeds } = await runInThreads(0, SEEDS, 2);
  console.log(`seeds 0 to ${seeds - 1}: ${failures.length} failures, ${perSecond} schedules/s`);
  expect(
    failures,
    describeFailures(failures, (seed) => alone(seed)),
  ).toEqual([]);
  expect(seeds).toBe(SEEDS);
});

test(`nor over several channels, in ${SEEDS / 10} schedules`, { timeout: 900_000 }, async () => {
  const { failures, perSecond, seeds } = await runInThreads(0, SEEDS / 10, 2, { multifd: true });
  console.log(`multifd seeds 0 to ${seeds - 1}: ${failures.length} failures, ${perSecond} schedules/s`);
  expect(
    failures,
    describeFailures(failures, (seed) => alone(seed, '--multifd ')),
  ).toEqual([]);
  expect(seeds).toBe(SEEDS / 10);
});
