/** Many seeds one after the other, several at a time so that they share the turns of the real event loop. */
import { realTurn } from './loop.ts';
import { type Schedule, scheduleOf } from './schedule.ts';
import { Simulation, type SimulationOptions, Stage } from './simulation.ts';

/** A seed that broke a rule. */
export interface Failure {
  readonly seed: number;
  readonly violations: readonly string[];
}

/** How seeds are run. */
export interface BatchOptions {
  /** Failures after which it stops. Default: 10. */
  readonly most?: number;
  /** Told of every thousand seeds. */
  readonly progress?: (done: number) => void;
  /** Makes a seed's schedule; by default {@link scheduleOf}. */
  readonly schedule?: (seed: number) => Schedule;
}

/** Simulations under way at the same time. */
const WIDTH = 8;

/**
 * Runs the seeds from `first` on.
 */
export async function runSeeds(
  first: number,
  count: number,
  { most = 10, progress = () => {}, schedule = scheduleOf, ...options }: SimulationOptions & BatchOptions = {},
): Promise<Failure[]> {
  const failures: Failure[] = [];
  let next = first;
  let done = 0;
  const end = first + count;
  const slots = Array.from({ length: Math.min(WIDTH, count) }, () => new Stage());
  const running: (Simulation | undefined)[] = slots.map((stage) => new Simulation(schedule(next++), stage, options));
  for (let active = running.length; active > 0; ) {
    for (const [i, simulation] of running.entries()) {
      if (simulation === undefined || simulation.step()) continue;
      const { violations } = simulation;
      if (violations.length > 0) failures.push({ seed: simulation.schedule.seed, violations });
      if (++done % 1000 === 0) progress(done);
      const more = next < end && failures.length < most;
      running[i] = more ? new Simulation(schedule(next++), slots[i]!, options) : undefined;
      if (!more) active--;
    }
    await realTurn();
  }
  return failures;
}
