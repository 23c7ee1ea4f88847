/** A way to tell numbers of 32 bits apart: `Math.imul(x, factor) >>> shift` is another index for each. */
export interface JumpHash {
  readonly factor: number;
  readonly shift: number;
  /** The number of each index, or undefined. */
  readonly slots: readonly (number | undefined)[];
}

/** Factors tried for a size of table before a larger one is. */
const TRIES = 128;

/** Finds a perfect hash of distinct numbers, in a table of at most some times as many slots. */
export function jumpHash(numbers: readonly number[]): JumpHash {
  let factor = 0x9e37_79b1;
  for (let bits = Math.max(1, 32 - Math.clz32(numbers.length - 1)); ; bits++) {
    const shift = 32 - bits;
    for (let i = 0; i < TRIES; i++) {
      factor = (Math.imul(factor, 0x0019_660d) + 0x3c6e_f35f) | 1;
      const slots: (number | undefined)[] = new Array(1 << bits).fill(undefined);
      const fits = numbers.every((n) => {
        const at = Math.imul(n, factor) >>> shift;
        if (slots[at] !== undefined) return false;
        slots[at] = n;
        return true;
      });
      if (fits) return { factor, shift, slots };
    }
  }
}
