import type { ValType } from './types.ts';

/** How a SIMD instruction is written: opcode after 0xfd, result type, whether it has an immediate lane. */
export interface SimdOp {
  readonly code: number;
  readonly result: ValType;
  readonly lane: boolean;
}

/**
 * Names of consecutive opcodes starting at `base`; `_` leaves a gap. A name is the specification's without its
 * `shape.` when the group gives one.
 */
const GROUPS: readonly (readonly [base: number, shape: string, names: string])[] = [
  [14, 'i8x16', 'swizzle splat'],
  [16, 'i16x8', 'splat'],
  [17, 'i32x4', 'splat'],
  [18, 'i64x2', 'splat'],
  [19, 'f32x4', 'splat'],
  [20, 'f64x2', 'splat'],
  [21, 'i8x16', 'extract_lane_s extract_lane_u replace_lane'],
  [24, 'i16x8', 'extract_lane_s extract_lane_u replace_lane'],
  [27, 'i32x4', 'extract_lane replace_lane'],
  [29, 'i64x2', 'extract_lane replace_lane'],
  [31, 'f32x4', 'extract_lane replace_lane'],
  [33, 'f64x2', 'extract_lane replace_lane'],
  [35, 'i8x16', 'eq ne lt_s lt_u gt_s gt_u le_s le_u ge_s ge_u'],
  [45, 'i16x8', 'eq ne lt_s lt_u gt_s gt_u le_s le_u ge_s ge_u'],
  [55, 'i32x4', 'eq ne lt_s lt_u gt_s gt_u le_s le_u ge_s ge_u'],
  [65, 'f32x4', 'eq ne lt gt le ge'],
  [71, 'f64x2', 'eq ne lt gt le ge'],
  [77, 'v128', 'not and andnot or xor bitselect any_true'],
  [94, 'f32x4', 'demote_f64x2_zero'],
  [95, 'f64x2', 'promote_low_f32x4'],
  [96, 'i8x16', 'abs neg popcnt all_true bitmask narrow_i16x8_s narrow_i16x8_u'],
  [103, 'f32x4', 'ceil floor trunc nearest'],
  [107, 'i8x16', 'shl shr_s shr_u add add_sat_s add_sat_u sub sub_sat_s sub_sat_u'],
  [116, 'f64x2', 'ceil floor'],
  [118, 'i8x16', 'min_s min_u max_s max_u'],
  [122, 'f64x2', 'trunc'],
  [123, 'i8x16', 'avgr_u'],
  [124, 'i16x8', 'extadd_pairwise_i8x16_s extadd_pairwise_i8x16_u'],
  [126, 'i32x4', 'extadd_pairwise_i16x8_s extadd_pairwise_i16x8_u'],
  [
    128,
    'i16x8',
    'abs neg q15mulr_sat_s all_true bitmask narrow_i32x4_s narrow_i32x4_u extend_low_i8x16_s extend_high_i8x16_s extend_low_i8x16_u extend_high_i8x16_u shl shr_s shr_u add add_sat_s add_sat_u sub sub_sat_s sub_sat_u',
  ],
  [148, 'f64x2', 'nearest'],
  [
    149,
    'i16x8',
    'mul min_s min_u max_s max_u _ avgr_u extmul_low_i8x16_s extmul_high_i8x16_s extmul_low_i8x16_u extmul_high_i8x16_u',
  ],
  [
    160,
    'i32x4',
    'abs neg _ all_true bitmask _ _ extend_low_i16x8_s extend_high_i16x8_s extend_low_i16x8_u extend_high_i16x8_u shl shr_s shr_u add _ _ sub _ _ _ mul min_s min_u max_s max_u dot_i16x8_s _ extmul_low_i16x8_s extmul_high_i16x8_s extmul_low_i16x8_u extmul_high_i16x8_u',
  ],
  [
    192,
    'i64x2',
    'abs neg _ all_true bitmask _ _ extend_low_i32x4_s extend_high_i32x4_s extend_low_i32x4_u extend_high_i32x4_u shl shr_s shr_u add _ _ sub _ _ _ mul eq ne lt_s gt_s le_s ge_s extmul_low_i32x4_s extmul_high_i32x4_s extmul_low_i32x4_u extmul_high_i32x4_u',
  ],
  [224, 'f32x4', 'abs neg _ sqrt add sub mul div min max pmin pmax'],
  [236, 'f64x2', 'abs neg _ sqrt add sub mul div min max pmin pmax'],
  [248, 'i32x4', 'trunc_sat_f32x4_s trunc_sat_f32x4_u'],
  [250, 'f32x4', 'convert_i32x4_s convert_i32x4_u'],
  [252, 'i32x4', 'trunc_sat_f64x2_s_zero trunc_sat_f64x2_u_zero'],
  [254, 'f64x2', 'convert_low_i32x4_s convert_low_i32x4_u'],
];

const LANE_TYPE: Readonly<Record<string, ValType>> = {
  i8x16: 'i32',
  i16x8: 'i32',
  i32x4: 'i32',
  i64x2: 'i64',
  f32x4: 'f32',
  f64x2: 'f64',
};

function table(): Map<string, SimdOp> {
  const ops = new Map<string, SimdOp>();
  for (const [base, shape, names] of GROUPS) {
    names.split(' ').forEach((name, i) => {
      if (name === '_') return;
      const lane = name.includes('_lane');
      const scalar = name.startsWith('extract')
        ? LANE_TYPE[shape]!
        : name === 'bitmask' || name === 'any_true' || name === 'all_true'
          ? 'i32'
          : 'v128';
      ops.set(`${shape}.${name}`, { code: base + i, result: scalar, lane });
    });
  }
  return ops;
}

/** SIMD instructions by the specification's name, without memory accesses, constants and the shuffle. */
export const SIMD: ReadonlyMap<string, SimdOp> = table();
