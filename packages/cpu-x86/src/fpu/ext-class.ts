import type { Val } from '@sterna/wasm';
import type { Machine } from '../semantics/machine.ts';
import { type Micro, micro } from '../semantics/micro.ts';
import { FpFlag, raise } from './round.ts';
import { type F80, multi, multi80 } from './util.ts';
import { TOP_BIT } from './wide.ts';

/** Kinds of extended numbers, in the order in which they take precedence. Pseudo-denormals count as denormals. */
export const Class = { ZERO: 0, NORMAL: 1, DENORMAL: 2, INFINITY: 3, QNAN: 4, SNAN: 5, UNSUPPORTED: 6 } as const;

/** Exponent of 1.0. */
export const BIAS = 0x3fff;
/** The bit that makes a NaN quiet. */
export const QUIET_BIT: bigint = 1n << 62n;
/** Mantissa and sign|exponent of the real indefinite, the default NaN. */
export const INDEFINITE = { mant: 0xc000_0000_0000_0000n, se: 0xffff } as const;

/** `(mant, se) -> Class`. */
export const class80: Micro = micro('fp_class80', ['i64', 'i32'], ['i32'], (c) => {
  const [mant, se] = [c.param('i64', 0), c.param('i32', 1)];
  const e = c.let(c.and(se, 0x7fff));
  c.if(c.ltU(c.sub(e, 1), 0x7ffe), () => c.return(c.select(c.ltS(mant, 0), c.i32(Class.NORMAL), Class.UNSUPPORTED)));
  c.if(c.eqz(e), () => c.return(c.select(c.eqz(mant), c.i32(Class.ZERO), Class.DENORMAL)));
  c.if(c.geS(mant, 0), () => c.return(c.i32(Class.UNSUPPORTED)));
  c.if(c.eqz(c.shl(mant, 1)), () => c.return(c.i32(Class.INFINITY)));
  c.return(c.select(c.eqz(c.and(mant, QUIET_BIT)), c.i32(Class.SNAN), Class.QNAN));
});

/** `(mant, se) -> (exponent, sig)` of a finite, non-zero number: normalised, exponent unbounded below. */
export const unpack80: Micro = micro('fp_unpack80', ['i64', 'i32'], ['i32', 'i64'], (c) => {
  const [mant, se] = [c.param('i64', 0), c.param('i32', 1)];
  const e = c.let(c.and(se, 0x7fff));
  c.if(e, () => c.return(e, mant));
  const n = c.let(c.clz(mant));
  c.return(c.sub(c.i32(1), c.wrap(n)), c.shl(mant, n));
});

/** Statement: returns the default NaN and raises the invalid-operation exception. */
export function returnInvalid(c: Machine): void {
  raise(c, FpFlag.IE);
  c.return(c.i64(INDEFINITE.mant), c.i32(INDEFINITE.se));
}

/**
 * `(ma, sa, mb, sb) -> (mant, se)`: result of a two-operand operation of which at least one operand is a NaN or unsupported
 * (SDM volume 1, table 4-7): a quiet NaN wins over a signaling one, else the larger significand, else the positive one.
 */
export const nan80: Micro = micro('fp_nan80', ['i64', 'i32', 'i64', 'i32'], ['i64', 'i32'], (c) => {
  const [ma, sa, mb, sb] = [c.param('i64', 0), c.param('i32', 1), c.param('i64', 2), c.param('i32', 3)];
  // a NaN outranks the denormal a narrow operand has announced
  c.put('fpExc', c.and(c.get('fpExc'), ~FpFlag.DE));
  const ca = c.let(c.invoke<'i32'>(class80, ma, sa));
  const cb = c.let(c.invoke<'i32'>(class80, mb, sb));
  c.if(c.or(c.eq(ca, Class.UNSUPPORTED), c.eq(cb, Class.UNSUPPORTED)), () => returnInvalid(c));
  c.if(c.or(c.eq(ca, Class.SNAN), c.eq(cb, Class.SNAN)), () => raise(c, FpFlag.IE));
  const a = (): void => c.return(c.or(ma, QUIET_BIT), sa);
  const b = (): void => c.return(c.or(mb, QUIET_BIT), sb);
  c.if(c.ltU(ca, Class.QNAN), b);
  c.if(c.ltU(cb, Class.QNAN), a);
  c.if(c.ltU(ca, cb), a);
  c.if(c.ltU(cb, ca), b);
  c.if(c.gtU(ma, mb), a);
  c.if(c.ltU(ma, mb), b);
  c.if(c.ltU(sa, sb), a);
  b();
});

/** Sign of an exactly zero sum of opposite numbers: negative when rounding down. In place (bit 15). */
export function zeroSign(c: Machine): Val<'i32'> {
  return c.shl(c.eq(c.and(c.get('fpuCw'), 0xc00), 0x400), 15);
}

/** The finite operand `(mant, se)` unpacked. */
export function unpacked(c: Machine, x: F80): { exp: Val<'i32'>; sig: Val<'i64'> } {
  const [exp, sig] = multi(c, unpack80, x.mant, x.se) as [Val<'i32'>, Val<'i64'>];
  return { exp, sig };
}

/** Sign of an operand as 0 or 1. */
export function signOf(c: Machine, se: Val<'i32'>): Val<'i32'> {
  return c.shrU(se, 15);
}

/** Statement: returns a two-operand NaN result. */
export function returnNan(c: Machine, a: F80, b: F80): void {
  const r = multi80(c, nan80, a.mant, a.se, b.mant, b.se);
  c.return(r.mant, r.se);
}

/** Statement: returns a signed infinity; `sign` in place (bit 15). */
export function returnInfinity(c: Machine, sign: Val<'i32'>): void {
  c.return(c.i64(TOP_BIT), c.or(sign, 0x7fff));
}
