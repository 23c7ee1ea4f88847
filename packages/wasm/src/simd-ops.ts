import { SIMD } from './simd.ts';
import type { ValType } from './types.ts';
import { Node, Val } from './val.ts';

/** Lane shapes of `extractLane`. */
export type LaneShape = 'i8x16_s' | 'i8x16_u' | 'i16x8_s' | 'i16x8_u' | 'i32x4' | 'i64x2' | 'f32x4' | 'f64x2';
/** Scalar type of a lane. */
export type LaneType<K extends LaneShape> = K extends 'i64x2'
  ? 'i64'
  : K extends 'f32x4'
    ? 'f32'
    : K extends 'f64x2'
      ? 'f64'
      : 'i32';

/** Constructors of vector expressions. */
export class SimdOps {
  /**
   * A SIMD operation with a vector result by its specification name, such as `simd('i8x16.add', a, b)`; shifts take an i32
   * count, splats a scalar.
   *
   * @throws Error for an unknown name
   */
  simd(name: string, a: Val, b?: Val, c?: Val): Val<'v128'> {
    return this.#simd(name, -1, 'v128', a, b, c);
  }
  /** SIMD tests with an i32 result: `any_true`, `all_true`, `bitmask`. */
  simdTest(name: string, a: Val<'v128'>): Val<'i32'> {
    return this.#simd(name, -1, 'i32', a);
  }
  /** One lane of a vector; the narrow shapes name their extension. */
  extractLane<K extends LaneShape>(shape: K, a: Val<'v128'>, lane: number): Val<LaneType<K>> {
    const [base, ext] = shape.split('_');
    const type = base === 'i64x2' ? 'i64' : base === 'f32x4' ? 'f32' : base === 'f64x2' ? 'f64' : 'i32';
    return this.#simd(`${base}.extract_lane${ext ? `_${ext}` : ''}`, lane, type as LaneType<K>, a);
  }
  /** The vector with one lane replaced. */
  replaceLane(
    shape: 'i8x16' | 'i16x8' | 'i32x4' | 'i64x2' | 'f32x4' | 'f64x2',
    a: Val<'v128'>,
    lane: number,
    value: Val,
  ): Val<'v128'> {
    return this.#simd(`${shape}.replace_lane`, lane, 'v128', a, value);
  }
  #simd<T extends ValType>(name: string, lane: number, type: T, a: Val, b?: Val, c?: Val): Val<T> {
    const entry = SIMD.get(name);
    if (entry === undefined || entry.result !== type) throw new Error(`no SIMD operation ${name} giving ${type}`);
    const v = new Val(type, Node.Simd, entry.code);
    v.lo = lane;
    v.a = a;
    v.b = b;
    v.c = c;
    return v;
  }
  /** Bytes of `a` (0-15) and `b` (16-31) chosen by 16 literal indices. */
  shuffle(a: Val<'v128'>, b: Val<'v128'>, lanes: readonly number[]): Val<'v128'> {
    const v = new Val('v128', Node.Shuffle, 13);
    v.a = a;
    v.b = b;
    v.bytes = Uint8Array.from(lanes);
    return v;
  }
}
