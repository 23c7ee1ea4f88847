/** Length of a window of the rate limit, in ms; also how often rates are measured. */
export const WINDOW_MS = 100;

/**
 * Bandwidth limit and measurement over windows of 100 ms (QEMU's BUFFER_DELAY):
 * at most a tenth of `max-bandwidth` per window, 0 for no limit.
 */
export class RateLimit {
  #windowStart: number;
  #windowBytes: number;
  #rate = 0;

  constructor(now: number, transferred: number) {
    this.#windowStart = now;
    this.#windowBytes = transferred;
  }

  /** Bytes per ms in the last finished window that sent any; before its end, in the first one so far. */
  measured(now: number, transferred: number): number {
    if (this.#rate > 0) return this.#rate;
    return now > this.#windowStart ? this.sent(transferred) / (now - this.#windowStart) : 0;
  }

  /** Bytes of this window's share that are left; not positive when it is used up, Infinity without a limit. */
  bytesLeft(transferred: number, bytesPerSecond: number): number {
    if (bytesPerSecond === 0) return Number.POSITIVE_INFINITY;
    return (bytesPerSecond * WINDOW_MS) / 1000 - this.sent(transferred);
  }

  /** Bytes sent in this window. */
  sent(transferred: number): number {
    return transferred - this.#windowBytes;
  }

  /** Ms until the next window. */
  left(now: number): number {
    return Math.max(0, this.#windowStart + WINDOW_MS - now);
  }

  /** Ends the window when its time is over. @returns ms it lasted, or undefined when it goes on */
  turn(now: number, transferred: number): number | undefined {
    const lasted = now - this.#windowStart;
    if (lasted < WINDOW_MS) return undefined;
    // A window without a byte says nothing about what the channel can do.
    if (transferred > this.#windowBytes) this.#rate = (transferred - this.#windowBytes) / lasted;
    this.#windowStart = now;
    this.#windowBytes = transferred;
    return lasted;
  }
}
