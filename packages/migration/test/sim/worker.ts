/** A thread that runs ranges of seeds for {@link runInThreads}. */
import { getEventListeners } from 'node:events';
import { parentPort } from 'node:worker_threads';
import { runSeeds } from './batch.ts';

// Traces of expected errors are most of their cost.
Error.stackTraceLimit = 0;
parentPort!.on('message', async ([first, count, most]: [number, number, number]) => {
  const failures = await runSeeds(first, count, {
    most,
    listeners: (signal) => getEventListeners(signal, 'abort').length,
  });
  parentPort!.postMessage(failures);
});
