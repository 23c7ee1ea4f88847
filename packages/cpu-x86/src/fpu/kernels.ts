import type { Val } from '@sterna/wasm';
import { type Micro, micro } from '../semantics/micro.ts';
import { Calc, factorial, LN2, LOG2E, PI_HALF } from './calc.ts';
import { BIAS } from './ext-class.ts';
import { multi, multi80 } from './util.ts';
import { mul128 } from './wide.ts';

// Elementary functions on finite arguments inside their domains, good to about 60 bits. They are called with the control
// word at round-to-nearest, full precision, everything masked; flags they raise are meaningless.

type I = Val<'i32'>;
type L = Val<'i64'>;

/**
 * The processors reduce angles with pi rounded to 66 bits, as the 8087 did, so that sin(fldpi) is the same everywhere:
 * half of it is PI66_HALF / 2^67, and these are the bits of its inverse times 2^192, high word first.
 */
const PI66_HALF = 0xc_90fd_aa22_168c_234cn;
const INVERSE = [0xa2f9_836e_4e44_152an, 0x0006_2bc4_0da2_76ben, 0xd4c1_fdf9_055c_d5ban] as const;

/**
 * `(mant, se) -> (mant, se, quadrant)` for a magnitude below 2^63: the remainder modulo pi/2 in [-pi/4, pi/4], and how many
 * quarter turns were taken off (mod 4). The product with 2/pi is good to 2^-127 (Payne and Hanek's method).
 */
export const reduceAngle: Micro = micro('fp_reduce_angle', ['i64', 'i32'], ['i64', 'i32', 'i32'], (m) => {
  const [mant, se] = [m.param('i64', 0), m.param('i32', 1)];
  const e = m.let(m.sub(m.and(se, 0x7fff), BIAS));
  const k = new Calc(m);
  m.if(m.ltS(e, -1), () => m.return(mant, se, m.i32(0)));
  // 256-bit product p3..p0 of the mantissa with the inverse
  const [h2, l2] = multi(m, mul128, mant, m.i64(INVERSE[0])) as [L, L];
  const [h1, l1] = multi(m, mul128, mant, m.i64(INVERSE[1])) as [L, L];
  const [h0] = multi(m, mul128, mant, m.i64(INVERSE[2])) as [L, L];
  const p1 = m.let(m.add(l1, h0));
  const c1 = m.let(m.extU(m.ltU(p1, l1)));
  const t = m.let(m.add(l2, h1));
  const p2 = m.let(m.add(t, c1));
  const c2 = m.let(m.add(m.extU(m.ltU(t, l2)), m.extU(m.ltU(p2, t))));
  const p3 = m.let(m.add(h2, c2));
  // the integer part is what a shift by e + 1 moves out at the top
  const s = m.let(m.extU(m.add(e, 1)));
  const shl = (hi: L, lo: L): L => m.or(m.shl(hi, s), m.shrU(m.shrU(lo, 1), m.sub(m.i64(63), s)));
  const whole = m.let(m.shrU(m.shrU(p3, 1), m.sub(m.i64(63), s)));
  const hi = m.let(shl(p3, p2));
  const lo = m.let(shl(p2, p1));
  // to nearest: a fraction of a half or more becomes negative
  const up = m.let(m.ltS(hi, 0));
  const n = m.let(m.add(m.wrap(whole), up));
  m.if(up, () => {
    m.set(lo, m.neg(lo));
    m.set(hi, m.sub(m.not(hi), m.neg(m.extU(m.eqz(lo)))));
  });
  const sign = m.let(m.xor(m.shrU(se, 15), up));
  const quadrant = m.let(m.and(m.select(m.shrU(se, 15), m.neg(n), n), 3));
  m.if(m.eqz(m.or(hi, lo)), () => m.return(m.i64(0), m.i32(0), quadrant));
  const exp = m.local('i32');
  m.set(exp, m.i32(BIAS - 1));
  m.if(m.eqz(hi), () => {
    m.set(hi, lo);
    m.set(lo, m.i64(0));
    m.set(exp, m.i32(BIAS - 65));
  });
  const z = m.let(m.clz(hi));
  const sig = m.or(m.shl(hi, z), m.shrU(m.shrU(lo, 1), m.sub(m.i64(63), z)));
  const fraction = { mant: m.let(sig), se: m.let(m.or(m.shl(sign, 15), m.sub(exp, m.wrap(z)))) };
  const r = k.mul(fraction, k.constant(PI66_HALF, 1n << 67n));
  m.return(r.mant, r.se, quadrant);
});

/** `(mant, se) -> (mant, se)`: sine of an argument within pi/4. */
export const sinKernel: Micro = micro('fp_sin', ['i64', 'i32'], ['i64', 'i32'], (m) => {
  const k = new Calc(m);
  const x = { mant: m.param('i64', 0), se: m.param('i32', 1) };
  const coefficients = Array.from({ length: 12 }, (_, i) => [i & 1 ? -1n : 1n, factorial(2 * i + 1)] as const);
  const r = k.mul(x, k.polynomial(k.mul(x, x), coefficients));
  m.return(r.mant, r.se);
});

/** `(mant, se) -> (mant, se)`: cosine of an argument within pi/4. */
export const cosKernel: Micro = micro('fp_cos', ['i64', 'i32'], ['i64', 'i32'], (m) => {
  const k = new Calc(m);
  const x = { mant: m.param('i64', 0), se: m.param('i32', 1) };
  const coefficients = Array.from({ length: 12 }, (_, i) => [i & 1 ? -1n : 1n, factorial(2 * i)] as const);
  const r = k.polynomial(k.mul(x, x), coefficients);
  m.return(r.mant, r.se);
});

/** `(mant, se) -> (mant, se)`: 2^x - 1 for x within [-1, 1], divided by x. */
export const exp2m1Kernel: Micro = micro('fp_exp2m1', ['i64', 'i32'], ['i64', 'i32'], (m) => {
  const k = new Calc(m);
  const ln2 = k.constant(LN2, 1n << 128n);
  const y = k.mul({ mant: m.param('i64', 0), se: m.param('i32', 1) }, ln2);
  const coefficients = Array.from({ length: 22 }, (_, i) => [1n, factorial(i + 1)] as const);
  const r = k.mul(ln2, k.polynomial(y, coefficients));
  m.return(r.mant, r.se);
});

/** `(mant, se) -> (mant, se)`: log2((1+s)/(1-s)) divided by s, for |s| up to 0.172. */
const logSeries: Micro = micro('fp_log_series', ['i64', 'i32'], ['i64', 'i32'], (m) => {
  const k = new Calc(m);
  const s = { mant: m.param('i64', 0), se: m.param('i32', 1) };
  const coefficients = Array.from({ length: 15 }, (_, i) => [1n, BigInt(2 * i + 1)] as const);
  const sum = k.polynomial(k.mul(s, s), coefficients);
  const r = k.mul(sum, k.constant(LOG2E, 1n << 126n));
  m.return(r.mant, r.se);
});

/** `(mant, exponent) -> (mant, se)`: log2 of the positive number with a normalised significand and an unbounded exponent. */
export const log2Kernel: Micro = micro('fp_log2', ['i64', 'i32'], ['i64', 'i32'], (m) => {
  const k = new Calc(m);
  const [sig, exp] = [m.param('i64', 0), m.param('i32', 1)];
  const one = k.constant(1n);
  // significand in [sqrt(1/2), sqrt(2))
  const high = m.let(m.gtU(sig, 0xb504_f333_f9de_6484n));
  const x = { mant: sig, se: m.let(m.sub(m.i32(BIAS), high)) };
  const n = m.let(m.add(m.sub(exp, BIAS), high));
  const s = k.div(k.sub(x, one), k.add(x, one));
  const r = k.add(k.mul(s, multi80(m, logSeries, s.mant, s.se)), k.int(n));
  m.return(r.mant, r.se);
});

/** `(mant, se) -> (mant, se)`: log2(1 + x) divided by x, for x in about [-0.3, 0.41]. */
export const log2p1Kernel: Micro = micro('fp_log2p1', ['i64', 'i32'], ['i64', 'i32'], (m) => {
  const k = new Calc(m);
  const x = { mant: m.param('i64', 0), se: m.param('i32', 1) };
  const d = k.add(x, k.constant(2n));
  const s = k.div(x, d);
  const r = k.div(multi80(m, logSeries, s.mant, s.se), d);
  m.return(r.mant, r.se);
});

/** atan(1/2) = ATAN_HALF / 2^128. */
const ATAN_HALF = 0x76b1_9c15_86ed_3da2_b7f2_22f6_5e1d_4681n;

/** `(mant, se) -> (mant, se)`: arc tangent of a number in [0, 1]. */
export const atanKernel: Micro = micro('fp_atan', ['i64', 'i32'], ['i64', 'i32'], (m) => {
  const k = new Calc(m);
  const z = { mant: m.param('i64', 0), se: m.param('i32', 1) };
  const one = k.constant(1n);
  const t = k.variable();
  const base = k.variable();
  k.assign(t, z);
  k.assign(base, k.constant(0n));
  const atLeast = (e: number, mant: bigint): I => m.or(m.gtU(z.se, e), m.and(m.eq(z.se, e), m.geU(z.mant, mant)));
  m.if(
    atLeast(BIAS - 1, 0xc000_0000_0000_0000n),
    () => {
      // from 3/4: around 1
      k.assign(t, k.div(k.sub(z, one), k.add(z, one)));
      k.assign(base, k.constant(PI_HALF, 1n << 128n));
    },
    () =>
      m.if(atLeast(BIAS - 2, 1n << 63n), () => {
        // from 1/4: around 1/2
        const half = k.constant(1n, 2n);
        k.assign(t, k.div(k.sub(z, half), k.add(k.mul(z, half), one)));
        k.assign(base, k.constant(ATAN_HALF, 1n << 128n));
      }),
  );
  const coefficients = Array.from({ length: 18 }, (_, i) => [i & 1 ? -1n : 1n, BigInt(2 * i + 1)] as const);
  const r = k.add(base, k.mul(t, k.polynomial(k.mul(t, t), coefficients)));
  m.return(r.mant, r.se);
});
