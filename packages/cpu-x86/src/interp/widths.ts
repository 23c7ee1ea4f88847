import type { Bits } from '../semantics/operand.ts';

/** Widths that have one value. */
export type ValueBits = 8 | 16 | 32 | 64 | 128;

/** Wasm loads by operand width: zero-extending to i32 up to 32 bits. */
export const LOADS = { 8: 'i32.8u', 16: 'i32.16u', 32: 'i32', 64: 'i64', 128: 'v128' } as const;
/** Wasm stores by operand width. */
export const STORES = { 8: 'i32.8', 16: 'i32.16', 32: 'i32', 64: 'i64', 128: 'v128' } as const;

/** The width of an operand as one that has a value. @throws Error for descriptors and extended floats */
export function width(bits: Bits): ValueBits {
  if (bits === 48 || bits === 80) throw new Error(`operand of ${bits} bits has no single value`);
  return bits;
}
