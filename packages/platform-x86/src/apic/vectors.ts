/** Sets of interrupt vectors: 256 bits in eight words, as IRR, ISR and TMR hold them. */

export function setBit(words: Uint32Array, vector: number): void {
  words[vector >> 5]! |= 1 << (vector & 31);
}

export function clearBit(words: Uint32Array, vector: number): void {
  words[vector >> 5]! &= ~(1 << (vector & 31));
}

export function testBit(words: Uint32Array, vector: number): boolean {
  return (words[vector >> 5]! & (1 << (vector & 31))) !== 0;
}

/** The highest vector in the set, or -1. */
export function highestBit(words: Uint32Array): number {
  for (let word = 7; word >= 0; word--) {
    const bits = words[word]!;
    if (bits !== 0) return word * 32 + 31 - Math.clz32(bits);
  }
  return -1;
}
