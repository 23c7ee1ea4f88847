/** Below this many bytes another round cannot make the downtime noticeably shorter. */
const NEGLIGIBLE = 256 * 1024;
/** Most rounds spent on making a downtime shorter that is already allowed. */
const POLISH_ROUNDS = 8;

/**
 * Decides when to stop the guest.
 *
 * QUIRK: QEMU stops it as soon as the rest fits `downtime-limit` at the measured rate.
 * That makes the limit the typical downtime. Here, as long as each further round
 * leaves at most half of what the one before left, it is cheap to go on: the
 * rounds together take no longer than the first, and the guest sees a few
 * milliseconds. When that stops helping the rule is QEMU's.
 */
export class Convergence {
  #best = Number.POSITIVE_INFINITY;
  #rounds = 0;

  /** Whether the estimate justifies a sync, which costs a pass over all flags and every write tag. */
  worthLooking(estimate: number, threshold: number): boolean {
    if (estimate === 0) return true;
    // While polishing, a round is finished before the next look.
    if (this.#best !== Number.POSITIVE_INFINITY) return estimate <= Math.min(threshold, this.#best / 8);
    return estimate < threshold;
  }

  /** Whether to switch over with this much left, in bytes. */
  decide(pending: number, threshold: number): boolean {
    if (pending === 0) return true;
    if (pending >= threshold) {
      this.#best = Number.POSITIVE_INFINITY;
      return false;
    }
    const helps = pending <= this.#best / 2 && this.#rounds < POLISH_ROUNDS;
    if (pending <= NEGLIGIBLE || !helps) return true;
    this.#best = pending;
    this.#rounds++;
    return false;
  }
}
