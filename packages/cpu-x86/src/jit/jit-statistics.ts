/** Milliseconds of a pause that is counted as a long one: about what a processor takes that is given to another thread meanwhile. */
export const LONG_PAUSE_MS = 5;

/** Counts what the JIT did; times are of the clock it was given. */
export class JitStatistics {
  modules = 0;
  regions = 0;
  /** Guest instructions in the regions made. */
  instructions = 0;
  codeBytes = 0;
  /** Hot places without a region: nothing there can be translated. */
  refused = 0;
  invalidated = 0;
  evicted = 0;
  /** Regions whose code changed before their translation was there. */
  late = 0;
  /** Modules that another thread made. */
  threaded = 0;
  /** Milliseconds spent on the guest's thread, of them choosing the regions, and the longest pause. */
  totalMs = 0;
  formMs = 0;
  longestMs = 0;
  /** Pauses of more than `LONG_PAUSE_MS`. */
  longPauses = 0;
  /** Milliseconds of the host; none by default. */
  now: () => number = () => 0;

  begin(): number {
    return this.now();
  }

  end(start: number): void {
    const ms = this.now() - start;
    this.totalMs += ms;
    if (ms > LONG_PAUSE_MS) this.longPauses++;
    if (ms > this.longestMs) this.longestMs = ms;
  }
}
