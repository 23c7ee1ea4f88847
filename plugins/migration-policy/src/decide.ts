/** The policy itself: a function of what is known and what was set, with no state and no clock. */
import type { MigrationDecision, MigrationEstimate } from '@sterna/core';

/** How patient the policy is. */
export interface PatientSettings {
  /** Pause of the guest that is allowed at first, in ms. */
  readonly firstPauseMs: number;
  /** Longest pause, in ms. */
  readonly maxPauseMs: number;
  /** Time after which the allowed pause doubles, in ms. */
  readonly stepMs: number;
  /** Largest share of time that the guest may be kept from running, 0 to 99 %. */
  readonly maxThrottle: number;
}

/** Share that is added with each step in which the longest pause has not helped. */
const THROTTLE_STEP = 20;

/**
 * First the allowed pause doubles with every step. When it is as long as it may be, the guest is slowed down step by step, so
 * that it writes less. When that does not help either, it stays.
 *
 * A guest that would fit the pause by now moves by itself, so nothing has to be decided then.
 */
export function decide(estimate: MigrationEstimate, settings: PatientSettings): MigrationDecision {
  const { firstPauseMs, maxPauseMs, stepMs, maxThrottle } = settings;
  const step = Math.floor(estimate.elapsedMs / stepMs);
  const pause = firstPauseMs * 2 ** step;
  if (pause < maxPauseMs) return { action: 'switchover', downtimeLimitMs: pause };
  const stepsAtMax = step - Math.ceil(Math.log2(maxPauseMs / firstPauseMs));
  const percentage = stepsAtMax * THROTTLE_STEP;
  if (percentage > maxThrottle)
    return {
      action: 'cancel',
      reason: `a pause of ${maxPauseMs} ms and a guest slowed down by ${maxThrottle} % were not enough; it expects ${Math.round(estimate.expectedDowntimeMs)} ms`,
    };
  // The limit is set for good by the first decision that names it; from then on only the throttle changes.
  if (estimate.downtimeLimitMs !== maxPauseMs || percentage === 0)
    return { action: 'switchover', downtimeLimitMs: maxPauseMs };
  return { action: 'throttle', percentage };
}
