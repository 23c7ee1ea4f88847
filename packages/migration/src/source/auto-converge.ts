/** Slows a guest down that dirties RAM faster than it can be sent (QEMU migration/ram.c and system/cpu-throttle.c, v10.0). */
import type { MigrationParameters } from '../parameters.ts';

/** Time over which dirtying is compared with sending, at least. */
export const PERIOD_MS = 1000;
/** A throttled guest's RAM is looked at this often even when a round takes longer, so that the throttle can grow. */
export const FORCED_SYNC_MS = 5000;
/** Periods of dirtying too much before each step. They need not follow each other. */
const VIOLATIONS = 2;

/** What happened since the period before ended, in bytes. */
export interface DirtyPeriod {
  readonly dirtied: number;
  readonly sent: number;
}

/** Decides how much the guest is throttled. */
export class AutoConverge {
  /** Percentage of time in which vCPUs do not run; 0 while they are not throttled. */
  percentage = 0;
  #violations = 0;

  /** Looks at a period that has ended. @returns whether the throttle has changed */
  evaluate(period: DirtyPeriod, parameters: MigrationParameters): boolean {
    if (!this.violates(period, parameters)) return false;
    const before = this.percentage;
    this.percentage = this.#next(period.dirtied, thresholdOf(period, parameters), parameters);
    return this.percentage !== before;
  }

  /** Looks at a period that has ended. @returns whether it is time to do something about the guest */
  violates(period: DirtyPeriod, parameters: MigrationParameters): boolean {
    if (period.dirtied <= thresholdOf(period, parameters) || ++this.#violations < VIOLATIONS) return false;
    this.#violations = 0;
    return true;
  }

  #next(dirtied: number, threshold: number, parameters: MigrationParameters): number {
    const now = this.percentage;
    const most = parameters['max-cpu-throttle'];
    if (now === 0) return Math.min(parameters['cpu-throttle-initial'], most);
    const step = parameters['cpu-throttle-increment'];
    if (!parameters['cpu-throttle-tailslow']) return Math.min(now + step, most);
    // The share of time at which the guest would just dirty what fits, and not a whole step beyond it.
    const wanted = Math.floor(((100 - now) * threshold) / dirtied);
    return Math.min(now + Math.min(100 - now - wanted, step), most);
  }
}

/** Bytes that a guest may dirty in a period. */
function thresholdOf({ sent }: DirtyPeriod, parameters: MigrationParameters): number {
  return (sent * parameters['throttle-trigger-threshold']) / 100;
}
