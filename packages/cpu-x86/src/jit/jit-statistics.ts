/** Counts what the JIT did; times are of the clock it was given. */
export class JitStatistics {
  modules = 0;
  regions = 0;
  instructions = 0;
  codeBytes = 0;
  refused = 0;
  invalidated = 0;
  evicted = 0;
  /** Milliseconds spent translating, and the longest pause. */
  totalMs = 0;
  longestMs = 0;
  /** Milliseconds of the host, for statistics only; none by default. */
  now: () => number = () => 0;

  begin(): number {
    return this.now();
  }

  end(start: number): void {
    const ms = this.now() - start;
    this.totalMs += ms;
    if (ms > this.longestMs) this.longestMs = ms;
  }
}
