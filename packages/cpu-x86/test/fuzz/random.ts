/** A seeded generator of random numbers (sfc32); equal seeds give equal programs on every host. */
export class Random {
  #a: number;
  #b: number;
  #c: number;
  #n = 1;

  constructor(seed: number) {
    this.#a = seed | 0;
    this.#b = Math.floor(seed / 0x1_0000_0000) | 0;
    this.#c = 0x9e3779b9 | 0;
    for (let i = 0; i < 15; i++) this.u32();
  }

  /** 32 random bits, unsigned. */
  u32(): number {
    const t = (this.#a + this.#b + this.#n++) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + t;
    return t >>> 0;
  }

  /** A number from 0 to `n` - 1. */
  int(n: number): number {
    return this.u32() % n;
  }

  /** A number from `low` to `high`, both included. */
  between(low: number, high: number): number {
    return low + this.int(high - low + 1);
  }

  /** True with a probability. */
  chance(p: number): boolean {
    return this.u32() < p * 0x1_0000_0000;
  }

  pick<T>(list: readonly T[]): T {
    return list[this.int(list.length)]!;
  }

  /** Picks from alternatives with weights. */
  weighted<T>(list: readonly (readonly [number, T])[]): T {
    let total = 0;
    for (const [w] of list) total += w;
    let n = (this.u32() / 0x1_0000_0000) * total;
    for (const [w, x] of list) {
      n -= w;
      if (n < 0) return x;
    }
    return list.at(-1)![1];
  }

  /** 64 bits, with the values at which arithmetic changes its mind far more frequent than chance. */
  u64(): bigint {
    const wide = (BigInt(this.u32()) << 32n) | BigInt(this.u32());
    switch (this.int(8)) {
      case 0:
        return BigInt(this.int(4));
      case 1:
        return BigInt.asUintN(64, -BigInt(this.int(4)));
      case 2: {
        const edge = 1n << BigInt(this.pick([7, 8, 15, 16, 31, 32, 47, 63]));
        return BigInt.asUintN(64, edge + BigInt(this.int(3) - 1));
      }
      case 3:
        return wide & 0xffff_ffffn;
      case 4:
        return wide & 0xffn;
      case 5:
        return BigInt.asUintN(64, BigInt.asIntN(32, wide));
      default:
        return wide;
    }
  }

  /** An order of the numbers below `n`. */
  permutation(n: number): number[] {
    const list = Array.from({ length: n }, (_, i) => i);
    for (let i = n - 1; i > 0; i--) {
      const j = this.int(i + 1);
      [list[i], list[j]] = [list[j]!, list[i]!];
    }
    return list;
  }
}
