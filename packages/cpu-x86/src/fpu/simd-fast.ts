import type { Val } from '@sterna/wasm';
import { checkSimdExceptions } from '../semantics/fp-check.ts';
import type { Machine } from '../semantics/machine.ts';
import { type Arith, PACKED, PACKED_SQRT, SCALAR, SCALAR_SQRT, type Shape } from './simd.ts';

type I = Val<'i32'>;
type L = Val<'i64'>;
type V = Val<'v128'>;
/** A number of either format. */
export type F = Val<'f32' | 'f64'>;

/*
 * Hardware arithmetic in place, with one test of whether it is exact in value and flags, and the microcode of simd.ts where
 * it is not known to be.
 *
 * With rounding to nearest, everything masked and PE already set, it is when no operand is denormal, infinite or a NaN and the
 * result is a normal number, or an exact zero. Two exponents tell: a number is *central* when its exponent is in the middle
 * half of the range (|x| in [2^-511, 2^513), for singles [2^-63, 2^65)).
 * - add, sub: both operands central. The result is zero or normal, since bits far below the smallest normal are not there.
 * - mul: one operand central and the result central (in a window two higher), so the other operand is
 *   above 2^-509 / 2^513 = 2^-1022 (2^-61 / 2^65 = 2^-126), which is normal.
 * - div: divisor and result central likewise; the dividend is their product, above 2^-1020 (2^-124).
 *
 * Adding half the window's start to the exponent sets its top bit for exactly the central numbers, so the test of two costs
 * two additions and an AND, without looking at the signs.
 */

const formats = {
  f64x2: { exponent: 52n, start: 512n },
  f32x4: { exponent: 23n, start: 64n },
} as const;

/** What to add to a number's bits so that the top exponent bit says "central"; `shift` moves the window up. */
function offsetOf(shape: Shape, shift: bigint): bigint {
  const { exponent, start } = formats[shape];
  return (start - shift) << exponent;
}
/** How much higher the window of a result is. */
const RESULT_SHIFT = 2n;

/** The bits of a number. */
export const bitsOf = (m: Machine, x: F): Val<'i32' | 'i64'> => m.reinterpret(x as Val<'f32'>);
/** The bits of a number in an i64. */
export const wideBits = (m: Machine, x: F): L =>
  x.type === 'f64' ? m.reinterpret(x as Val<'f64'>) : m.extU(m.reinterpret(x as Val<'f32'>));
/** The number with these bits in an i64. */
export const fromBits = (m: Machine, shape: Shape, bits: L): F =>
  shape === 'f64x2' ? m.reinterpret(bits) : m.reinterpret(m.wrap(bits));

/** A constant of a shape's format. */
export const constantOf = (m: Machine, shape: Shape, x: number): F => (shape === 'f64x2' ? m.f64(x) : m.f32(x));

/** 0 when both numbers are central and MXCSR lets results stand. */
function doubtfulPair(m: Machine, shape: Shape, a: F, b: F, shiftB: bigint): I {
  if (shape === 'f64x2') {
    const moved = (x: F, shift: bigint): L => m.add(bitsOf(m, x) as L, m.i64(offsetOf(shape, shift)));
    return m.doubtUnlessTop(m.and(moved(a, 0n), moved(b, shiftB)));
  }
  const moved = (x: F, shift: bigint): I => m.add(bitsOf(m, x) as I, Number(offsetOf(shape, shift)));
  return m.doubtUnlessTop(m.and(moved(a, 0n), moved(b, shiftB)));
}

/** The same 64 bits in both halves. Cheaper than a vector constant. */
export const pair = (m: Machine, bits: bigint): V => m.simd('i64x2.splat', m.i64(BigInt.asIntN(64, bits)));
/** A lane's bits in every lane. */
export const everyLane = (m: Machine, shape: Shape, bits: bigint): V =>
  pair(m, shape === 'f32x4' ? bits | (bits << 32n) : bits);

/** Bits of the lanes in which both vectors are central, compared with all: 0 when all are. */
function someNotCentral(m: Machine, shape: Shape, a: V, b: V, shiftB: bigint): I {
  const ints = shape === 'f64x2' ? 'i64x2' : 'i32x4';
  const moved = (x: V, shift: bigint): V => m.simd(`${ints}.add`, x, everyLane(m, shape, offsetOf(shape, shift)));
  const both = m.let(m.simd('v128.and', moved(a, 0n), moved(b, shiftB)));
  // the top exponent bit at the sign's place
  return m.xor(m.simdTest(`${ints}.bitmask`, m.simd(`${ints}.add`, both, both)), shape === 'f64x2' ? 3 : 15);
}

/** Whether the second number to test is the result. */
const testsResult = (op: Arith): boolean => op === 'mul' || op === 'div';

/** Smallest normal numbers. */
const MIN_NORMAL: Readonly<Record<Shape, number>> = { f64x2: 2 ** -1022, f32x4: 2 ** -126 };
const MIN_NORMAL_BITS: Readonly<Record<Shape, bigint>> = { f64x2: 1n << 52n, f32x4: 1n << 23n };

/** 1 when the number is a zero, normal or infinite: neither a NaN nor denormal. */
export function isPlain(m: Machine, shape: Shape, x: F): I {
  const size = m.funary('abs', x as Val<'f64'>);
  const normal = m.fge(size, constantOf(m, shape, MIN_NORMAL[shape]) as Val<'f64'>);
  return m.or(normal, m.eq(x as Val<'f64'>, constantOf(m, shape, 0) as Val<'f64'>));
}

/** 0 when every lane of both vectors is neither a NaN nor denormal. */
export function somePlainless(m: Machine, shape: Shape, a: V, b: V): I {
  const plain = (x: V): V =>
    m.simd(
      'v128.or',
      m.simd(`${shape}.ge`, m.simd(`${shape}.abs`, x), everyLane(m, shape, MIN_NORMAL_BITS[shape])),
      m.simd(`${shape}.eq`, x, pair(m, 0n)),
    );
  const ints = shape === 'f64x2' ? 'i64x2' : 'i32x4';
  const all = m.simd('v128.and', plain(a), plain(b));
  return m.xor(m.simdTest(`${ints}.bitmask`, all), shape === 'f64x2' ? 3 : 15);
}

/** Statement: runs the exact microcode and looks at exceptions when the fast result may be wrong. */
export function unlikely(m: Machine, doubtful: I, exact: () => void): void {
  m.if(
    doubtful,
    () => {
      exact();
      checkSimdExceptions(m);
    },
    undefined,
    false,
  );
}

/** Scalar arithmetic: the result, after exceptions were looked at. */
export function scalarArith(m: Machine, shape: Shape, op: Arith, a: F, b: F): F {
  const [x, y] = [a as Val<'f64'>, b as Val<'f64'>];
  const format = shape === 'f64x2' ? 'f64' : 'f32';
  const r = m.local(format) as unknown as F;
  let doubtful: I;
  if (op === 'min' || op === 'max') {
    // ties give the second
    m.set(r as never, m.select(op === 'min' ? m.flt(x, y) : m.fgt(x, y), x, y) as never);
    doubtful = m.eqz(m.and(isPlain(m, shape, a), isPlain(m, shape, b)));
  } else {
    const value = op === 'add' ? m.add(x, y) : op === 'sub' ? m.sub(x, y) : op === 'mul' ? m.mul(x, y) : m.fdiv(x, y);
    m.set(r as never, value as never);
    const first = op === 'div' ? b : a;
    const second = testsResult(op) ? r : b;
    doubtful = doubtfulPair(m, shape, first, second, testsResult(op) ? RESULT_SHIFT : 0n);
  }
  unlikely(m, doubtful, () => {
    const exact = m.invoke(SCALAR[op][shape], bitsOf(m, a), bitsOf(m, b));
    m.set(r as never, m.reinterpret(exact) as never);
  });
  return r;
}

/** Packed arithmetic: the result, after exceptions were looked at. */
export function packedArith(m: Machine, shape: Shape, op: Arith, a: V, b: V): V {
  const r = m.local('v128');
  let doubtful: I;
  if (op === 'min' || op === 'max') {
    // wasm's pmin and pmax choose the first operand on ties and NaNs, x86 the second
    m.set(r, m.simd(`${shape}.p${op}`, b, a));
    doubtful = somePlainless(m, shape, a, b);
  } else {
    m.set(r, m.simd(`${shape}.${op}`, a, b));
    const first = op === 'div' ? b : a;
    const second = testsResult(op) ? r : b;
    doubtful = m.or(someNotCentral(m, shape, first, second, testsResult(op) ? RESULT_SHIFT : 0n), m.mxcsrDoubt());
  }
  unlikely(m, doubtful, () => m.set(r, m.invoke<'v128'>(PACKED[op][shape], a, b)));
  return r;
}

/** Alternating sums and differences: the even lanes of `a - b`, the odd ones of `a + b`. */
export function addSub(m: Machine, shape: Shape, a: V, b: V): V {
  const r = m.local('v128');
  const even = shape === 'f32x4' ? pair(m, 0xffff_ffffn) : m.replaceLane('i64x2', pair(m, 0n), 0, m.i64(-1));
  const mask = m.let(even);
  m.set(r, m.simd('v128.bitselect', m.simd(`${shape}.sub`, a, b), m.simd(`${shape}.add`, a, b), mask));
  unlikely(m, m.or(someNotCentral(m, shape, a, b, 0n), m.mxcsrDoubt()), () => {
    // each half of the work on the lanes it is for, the others at zero
    const keep = (op: string, v: V): V => m.simd(op, v, mask);
    const less = m.let(m.invoke<'v128'>(PACKED.sub[shape], keep('v128.and', a), keep('v128.and', b)));
    const more = m.invoke<'v128'>(PACKED.add[shape], keep('v128.andnot', a), keep('v128.andnot', b));
    m.set(r, m.simd('v128.bitselect', less, more, mask));
  });
  return r;
}

const INFINITY_BITS: Readonly<Record<Shape, bigint>> = { f64x2: 0x7ff0n << 48n, f32x4: 0x7f80_0000n };

/** Scalar square root: of a positive normal number it is normal. */
export function scalarSqrt(m: Machine, shape: Shape, a: F): F {
  const x = a as Val<'f64'>;
  const r = m.local(shape === 'f64x2' ? 'f64' : 'f32') as unknown as F;
  m.set(r as never, m.funary('sqrt', x) as never);
  const normal = m.and(
    m.fge(x, constantOf(m, shape, MIN_NORMAL[shape]) as Val<'f64'>),
    m.flt(x, constantOf(m, shape, Number.POSITIVE_INFINITY) as Val<'f64'>),
  );
  unlikely(m, m.or(m.eqz(normal), m.mxcsrDoubt()), () =>
    m.set(r as never, m.reinterpret(m.invoke(SCALAR_SQRT.sqrt[shape], bitsOf(m, a))) as never),
  );
  return r;
}

/** Packed square root. */
export function packedSqrt(m: Machine, shape: Shape, a: V): V {
  const r = m.local('v128');
  m.set(r, m.simd(`${shape}.sqrt`, a));
  const above = m.simd(`${shape}.ge`, a, everyLane(m, shape, MIN_NORMAL_BITS[shape]));
  const below = m.simd(`${shape}.lt`, a, everyLane(m, shape, INFINITY_BITS[shape]));
  const lanes = m.simdTest(`${shape === 'f64x2' ? 'i64x2' : 'i32x4'}.bitmask`, m.simd('v128.and', above, below));
  unlikely(m, m.or(m.xor(lanes, shape === 'f64x2' ? 3 : 15), m.mxcsrDoubt()), () =>
    m.set(r, m.invoke<'v128'>(PACKED_SQRT.sqrt[shape], a)),
  );
  return r;
}
