import type { ValType } from './types.ts';

/** Memory accesses: width and extension. `i64.32u` reads four bytes and zero-extends to i64. */
export type LoadKind =
  | 'i32'
  | 'i64'
  | 'f32'
  | 'f64'
  | 'v128'
  | 'i32.8s'
  | 'i32.8u'
  | 'i32.16s'
  | 'i32.16u'
  | 'i64.8s'
  | 'i64.8u'
  | 'i64.16s'
  | 'i64.16u'
  | 'i64.32s'
  | 'i64.32u';
/** Stores: `i64.8` writes the low byte of an i64. */
export type StoreKind = 'i32' | 'i64' | 'f32' | 'f64' | 'v128' | 'i32.8' | 'i32.16' | 'i64.8' | 'i64.16' | 'i64.32';

/** Value type of an access kind. */
export type TypeOfKind<K extends string> = K extends `i32${string}`
  ? 'i32'
  : K extends `i64${string}`
    ? 'i64'
    : K extends 'f32'
      ? 'f32'
      : K extends 'f64'
        ? 'f64'
        : 'v128';

/** Type and opcode of every load; v128 is prefixed by 0xfd. */
export const LOADS: Readonly<Record<LoadKind, readonly [ValType, number]>> = {
  i32: ['i32', 0x28],
  i64: ['i64', 0x29],
  f32: ['f32', 0x2a],
  f64: ['f64', 0x2b],
  v128: ['v128', 0],
  'i32.8s': ['i32', 0x2c],
  'i32.8u': ['i32', 0x2d],
  'i32.16s': ['i32', 0x2e],
  'i32.16u': ['i32', 0x2f],
  'i64.8s': ['i64', 0x30],
  'i64.8u': ['i64', 0x31],
  'i64.16s': ['i64', 0x32],
  'i64.16u': ['i64', 0x33],
  'i64.32s': ['i64', 0x34],
  'i64.32u': ['i64', 0x35],
};

/** Opcode of every store; v128 is prefixed by 0xfd. */
export const STORES: Readonly<Record<StoreKind, number>> = {
  i32: 0x36,
  i64: 0x37,
  f32: 0x38,
  f64: 0x39,
  v128: 11,
  'i32.8': 0x3a,
  'i32.16': 0x3b,
  'i64.8': 0x3c,
  'i64.16': 0x3d,
  'i64.32': 0x3e,
};

/** SIMD loads with a shape other than plain: opcode and natural size; the `lane` forms take a vector and a lane. */
export const SIMD_LOADS = {
  '8x8_s': 1,
  '8x8_u': 2,
  '16x4_s': 3,
  '16x4_u': 4,
  '32x2_s': 5,
  '32x2_u': 6,
  '8_splat': 7,
  '16_splat': 8,
  '32_splat': 9,
  '64_splat': 10,
  '32_zero': 92,
  '64_zero': 93,
} as const;
/** Name of a shaped SIMD load. */
export type SimdLoadKind = keyof typeof SIMD_LOADS;
