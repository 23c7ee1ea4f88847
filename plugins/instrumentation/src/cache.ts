/** A set-associative cache that replaces the line that was used longest ago. It keeps tags only. */
export class Cache {
  readonly #lineBytes: number;
  readonly #sets: number;
  readonly #ways: number;
  /** Line numbers by set, the one used last first; -1 where there is none. */
  readonly #lines: Float64Array;
  accesses = 0;
  misses = 0;

  /**
   * @param bytes - Size, a multiple of the bytes of one way's line.
   * @throws RangeError when the sizes do not fit together
   */
  constructor(bytes: number, ways: number, lineBytes: number) {
    const sets = bytes / (ways * lineBytes);
    for (const [name, value] of Object.entries({ ways, 'line size': lineBytes, 'number of sets': sets }))
      if (!Number.isInteger(value) || value < 1)
        throw new RangeError(
          `a cache of ${bytes} bytes with ${ways} ways of ${lineBytes} bytes has a ${name} of ${value}`,
        );
    this.#lineBytes = lineBytes;
    this.#sets = sets;
    this.#ways = ways;
    this.#lines = new Float64Array(sets * ways).fill(-1);
  }

  /** Accesses bytes at an address. Answers how many lines were not there. */
  access(address: number, bytes: number): number {
    const first = Math.floor(address / this.#lineBytes);
    const last = Math.floor((address + Math.max(1, bytes) - 1) / this.#lineBytes);
    let missed = 0;
    this.accesses++;
    for (let line = first; line <= last; line++) if (!this.#touch(line)) missed++;
    if (missed > 0) this.misses++;
    return missed;
  }

  #touch(line: number): boolean {
    const base = (line % this.#sets) * this.#ways;
    const lines = this.#lines;
    let way = 0;
    while (way < this.#ways - 1 && lines[base + way] !== line) way++;
    const hit = lines[base + way] === line;
    for (; way > 0; way--) lines[base + way] = lines[base + way - 1]!;
    lines[base] = line;
    return hit;
  }
}
