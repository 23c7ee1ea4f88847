/** Many seeds in several threads of Node. */
import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { Failure } from '../../simulation/batch.ts';
import type { SimulationThreadData } from './worker.ts';

/** Seeds a thread gets at once. */
const RANGE = 2000;

/** How seeds are run in threads. */
export interface ThreadOptions {
  /** Failures after which it stops. Default: 10. */
  readonly most?: number;
  /** Told of the seeds done so far. */
  readonly progress?: (done: number) => void;
  /** Schedules with several channels. */
  readonly multifd?: boolean;
  /** Address of a module whose default export is a `DeviceFactory`. */
  readonly devices?: URL;
}

/** What a run over many seeds has found. */
export interface SimulationResult {
  readonly seeds: number;
  readonly failures: readonly Failure[];
  readonly perSecond: number;
}

/**
 * Runs the seeds from `first` on, and stops early after some failures.
 *
 * @param threads how many run at the same time
 */
export async function runInThreads(
  first: number,
  count: number,
  threads: number,
  { most = 10, progress = () => {}, devices, multifd = false }: ThreadOptions = {},
): Promise<SimulationResult> {
  const began = performance.now();
  const failures: Failure[] = [];
  const end = first + count;
  let next = first;
  let done = 0;
  const run = async (): Promise<void> => {
    const extension = extname(import.meta.filename);
    const worker = new Worker(new URL(`./worker${extension}`, import.meta.url), {
      execArgv: extension === '.ts' ? ['-C', '@sterna/source'] : [],
      workerData: { devices: devices?.href, multifd } satisfies SimulationThreadData,
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

/** What to tell of failures: their seeds, and how to see one alone. @param alone the command for a seed */
export function describeFailures(failures: readonly Failure[], alone: (seed: number) => string): string {
  const lines = failures.map(({ seed, violations }) => `seed ${seed}: ${violations[0]}`);
  const [first] = failures;
  if (first !== undefined) lines.push(`alone, made smaller: ${alone(first.seed)}`);
  return lines.join('\n');
}
