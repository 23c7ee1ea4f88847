/** A small deterministic generator (sfc32, public domain, by Chris Doty-Humphrey). The same seed gives the same numbers on every host. */
export class Dice {
  #a: number;
  #b: number;
  #c = 1;
  #d = 1;

  /** @param seed any integer; all 53 bits count */
  constructor(seed: number) {
    this.#a = seed >>> 0;
    this.#b = Math.floor(seed / 2 ** 32) >>> 0;
    for (let i = 0; i < 12; i++) this.next();
  }

  /** The next 32 bits. */
  next(): number {
    const sum = (this.#a + this.#b + this.#d) | 0;
    this.#d = (this.#d + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + sum;
    return sum >>> 0;
  }
  /** An integer from 0 to `limit` - 1. */
  below(limit: number): number {
    return this.next() % limit;
  }
  /** An integer from `least` to `most`, both included. */
  between(least: number, most: number): number {
    return least + this.below(most - least + 1);
  }
  /** An integer from 1 to `most`, small ones as likely as large ones on a logarithmic scale. */
  spread(most: number): number {
    return Math.max(1, Math.floor(2 ** ((this.next() / 2 ** 32) * Math.log2(most + 1))));
  }
  /** True in so many percent of the cases. */
  percent(share: number): boolean {
    return this.below(100) < share;
  }
  /** One of the list. */
  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }
}
