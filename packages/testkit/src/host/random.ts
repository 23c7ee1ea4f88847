/** A small generator of repeatable pseudo-random numbers (xorshift32). */
export class Random {
  #state: number;

  /** @param seed - Any number; equal seeds give equal sequences. */
  constructor(seed: number) {
    this.#state = Math.imul((seed | 0) ^ 0x9e37_79b9, 0x85eb_ca6b) | 1;
  }

  /** The next 32 bits. */
  u32(): number {
    let x = this.#state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#state = x;
    return x >>> 0;
  }

  /** A number from 0 to `limit - 1`. */
  below(limit: number): number {
    return this.u32() % limit;
  }

  /** One of the items. */
  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)]!;
  }
}
