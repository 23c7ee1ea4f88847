/** A thread that runs ranges of seeds for {@link runInThreads}. */
import { getEventListeners } from 'node:events';
import { parentPort, workerData } from 'node:worker_threads';
import { runSeeds } from '../../simulation/batch.ts';
import type { DeviceFactory } from '../../simulation/devices.ts';
import { multifdScheduleOf, scheduleOf } from '../../simulation/schedule.ts';

/** What a thread starts with. */
export interface SimulationThreadData {
  readonly devices: string | undefined;
  readonly multifd: boolean;
}

const { devices: module, multifd } = workerData as SimulationThreadData;
const devices = module === undefined ? {} : { devices: ((await import(module)) as { default: DeviceFactory }).default };
// Traces of expected errors are most of their cost.
Error.stackTraceLimit = 0;
parentPort!.on('message', async ([first, count, most]: [number, number, number]) => {
  const failures = await runSeeds(first, count, {
    most,
    schedule: multifd ? multifdScheduleOf : scheduleOf,
    ...devices,
    listeners: (signal) => getEventListeners(signal, 'abort').length,
  });
  parentPort!.postMessage(failures);
});
