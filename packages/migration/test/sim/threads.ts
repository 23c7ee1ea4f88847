/** Many seeds in several threads of Node. */
import { Worker } from 'node:worker_threads';
import type { Failure } from './batch.ts';

/** Seeds a thread gets at once. */
const RANGE = 2000;

/** What a run over many seeds has found. */
export interface Result {
  readonly seeds: number;
  readonly failures: readonly Failure[];
  readonly perSecond: number;
}

/**
 * Runs the seeds from `first` on, and stops early after `most` failures.
 *
 * @param most failures after which it stops
 * @param progress told of the seeds done so far
 */
export async function runInThreads(
  first: number,
  count: number,
  threads: number,
  { most = 10, progress = () => {} }: { most?: number; progress?: (done: number) => void } = {},
): Promise<Result> {
  const began = performance.now();
  const failures: Failure[] = [];
  const end = first + count;
  let next = first;
  let done = 0;
  const run = async (): Promise<void> => {
    const worker = new Worker(new URL('./worker.ts', import.meta.url), {
      execArgv: ['-C', '@sterna/source'],
      // A schedule leaves nothing behind, but a lot of it lives for a few turns.
      resourceLimits: { maxYoungGenerationSizeMb: 96 },
    });
    try {
      while (next < end && failures.length < most) {
        const range = Math.min(RANGE, end - next);
        const found = answer(worker);
        worker.postMessage([next, range, most]);
        next += range;
        failures.push(...(await found));
        done += range;
        progress(done);
      }
    } finally {
      await worker.terminate();
    }
  };
  await Promise.all(Array.from({ length: threads }, run));
  return { seeds: done, failures, perSecond: Math.round((done * 1000) / (performance.now() - began)) };
}

function answer(worker: Worker): Promise<Failure[]> {
  return new Promise((resolve, reject) => {
    worker.once('message', (failures: Failure[]) => {
      worker.off('error', reject);
      resolve(failures);
    });
    worker.once('error', reject);
  });
}

/** What to tell of failures: their seeds, and how to see one alone. */
export function describeFailures(failures: readonly Failure[]): string {
  const lines = failures.map(({ seed, violations }) => `seed ${seed}: ${violations[0]}`);
  const [first] = failures;
  if (first !== undefined)
    lines.push(
      `alone, made smaller: node -C @sterna/source packages/migration/test/sim/replay.ts --shrink ${first.seed}`,
    );
  return lines.join('\n');
}
