import type { Val } from '@sterna/wasm';
import { type Micro, micro } from '../semantics/micro.ts';
import { BIAS, Class, class80, INDEFINITE, QUIET_BIT, signOf, unpacked } from './ext-class.ts';
import { F32, F64, FpFlag, raise, round32, round64, type SmallFormat } from './round.ts';
import { multi, multi80 } from './util.ts';
import { increments, shrJam128, TOP_BIT } from './wide.ts';

type I = Val<'i32'>;
type L = Val<'i64'>;

/** `(i64) -> (mant, se)`: a signed integer, exactly. */
export const int64to80: Micro = micro('fp_int64to80', ['i64'], ['i64', 'i32'], (c) => {
  const x = c.param('i64', 0);
  c.if(c.eqz(x), () => c.return(c.i64(0), c.i32(0)));
  const negative = c.let(c.ltS(x, 0));
  c.if(negative, () => c.set(x, c.neg(x)));
  const n = c.let(c.clz(x));
  c.return(c.shl(x, n), c.or(c.shl(negative, 15), c.sub(c.i32(BIAS + 63), c.wrap(n))));
});

const widen = (fmt: SmallFormat): Micro =>
  micro(`fp_${fmt.name}to80`, ['i64'], ['i64', 'i32'], (c) => {
    const x = c.param('i64', 0);
    const sign = c.let(c.shl(c.wrap(c.shrU(x, fmt.bits - 1)), 15));
    const field = c.let(c.and(c.wrap(c.shrU(x, fmt.precision - 1)), fmt.maxExponent | 1));
    const frac = c.let(c.shl(x, 65 - fmt.precision));
    const body = c.let(c.shrU(frac, 1));
    c.if(c.eqz(field), () => {
      c.if(c.eqz(body), () => c.return(c.i64(0), sign));
      raise(c, FpFlag.DE);
      const n = c.let(c.clz(body));
      c.return(c.shl(body, n), c.or(sign, c.sub(c.i32(fmt.rebias + 1), c.wrap(n))));
    });
    const exp = c.select(c.eq(field, fmt.maxExponent + 1), c.i32(0x7fff), c.add(field, fmt.rebias));
    c.return(c.or(body, TOP_BIT), c.or(sign, exp));
  });
/** `(bits) -> (mant, se)`: single to extended. Raises DE; a signaling NaN stays one and raises nothing. */
export const f32to80: Micro = widen(F32);
/** `(bits) -> (mant, se)`: double to extended. Raises DE; a signaling NaN stays one and raises nothing. */
export const f64to80: Micro = widen(F64);

const narrow = (fmt: SmallFormat, round: Micro): Micro =>
  micro(`fp_80to${fmt.name}`, ['i64', 'i32', 'i32'], ['i64'], (c) => {
    const x = { mant: c.param('i64', 0), se: c.param('i32', 1) };
    const cls = c.let(c.invoke<'i32'>(class80, x.mant, x.se));
    const sign = c.let(c.shl(c.extU(signOf(c, x.se)), fmt.bits - 1));
    const infinity = BigInt(fmt.maxExponent + 1) << BigInt(fmt.precision - 1);
    const quiet = 1n << BigInt(fmt.precision - 2);
    c.if(c.eqz(cls), () => c.return(sign));
    c.if(c.geU(cls, Class.INFINITY), () => {
      c.if(c.eq(cls, Class.INFINITY), () => c.return(c.or(sign, infinity)));
      c.if(c.geU(cls, Class.SNAN), () => raise(c, FpFlag.IE));
      c.if(c.eq(cls, Class.UNSUPPORTED), () => c.return(c.i64((1n << BigInt(fmt.bits - 1)) | infinity | quiet)));
      const payload = c.shrU(c.shl(x.mant, 1), 65 - fmt.precision);
      c.return(c.or(c.or(sign, infinity | quiet), payload));
    });
    const u = unpacked(c, x);
    c.return(c.invoke<'i64'>(round, signOf(c, x.se), u.exp, u.sig, c.i64(0), c.param('i32', 2)));
  });
/** `(mant, se, control) -> bits`: extended to single; `control` in MXCSR's layout. */
export const f80to32: Micro = narrow(F32, round32);
/** `(mant, se, control) -> bits`: extended to double. */
export const f80to64: Micro = narrow(F64, round64);

/**
 * `(mant, se, rc) -> (magnitude, report, over)` of a finite number: rounded to an integer. `report` is PE and C1 as they apply;
 * `over` is 1 when the magnitude does not fit 64 bits.
 */
export const roundInt80: Micro = micro('fp_round_int80', ['i64', 'i32', 'i32'], ['i64', 'i32', 'i32'], (c) => {
  const [mant, se, rc] = [c.param('i64', 0), c.param('i32', 1), c.param('i32', 2)];
  const n = c.let(c.sub(c.i32(BIAS + 63), c.and(se, 0x7fff)));
  c.if(c.leS(n, 0), () => c.return(mant, c.i32(0), c.ne(n, 0)));
  const [hi, lo] = multi(c, shrJam128, mant, c.i64(0), n) as [L, L];
  const inc = c.let(c.invoke<'i32'>(increments, signOf(c, se), rc, lo, c.and(c.wrap(hi), 1)));
  c.return(c.add(hi, c.extU(inc)), c.or(c.shl(c.ne(lo, 0), 5), c.shl(inc, 9)), c.i32(0));
});

/** `(mant, se, rc, bits) -> i64`: to a signed integer of 16, 32 or 64 bits; the integer indefinite and IE when it does not fit. */
export const f80toInt: Micro = micro('fp_80to_int', ['i64', 'i32', 'i32', 'i32'], ['i64'], (c) => {
  const [mant, se, rc, bits] = [c.param('i64', 0), c.param('i32', 1), c.param('i32', 2), c.param('i32', 3)];
  const smallest = c.let(c.shl(c.i64(-1), c.extU(c.sub(bits, 1))));
  c.if(c.ltU(c.invoke<'i32'>(class80, mant, se), Class.INFINITY), () => {
    const [mag, report, over] = multi(c, roundInt80, mant, se, rc) as [L, I, I];
    const negative = c.let(signOf(c, se));
    // magnitude up to 2^(bits-1) - 1, one more when negative
    const limit = c.add(c.xor(smallest, -1), c.extU(negative));
    c.if(c.and(c.eqz(over), c.leU(mag, limit)), () => {
      c.if(report, () => raise(c, report));
      c.return(c.select(negative, c.neg(mag), mag));
    });
  });
  raise(c, FpFlag.IE);
  c.return(smallest);
});

/** `(mant, se, rc) -> (mant, se)`: rounds to an integer (FRNDINT); raises IE, DE and PE. */
export const rint80: Micro = micro('fp_rint80', ['i64', 'i32', 'i32'], ['i64', 'i32'], (c) => {
  const [mant, se, rc] = [c.param('i64', 0), c.param('i32', 1), c.param('i32', 2)];
  const cls = c.let(c.invoke<'i32'>(class80, mant, se));
  c.if(c.geU(cls, Class.INFINITY), () => {
    c.if(c.geU(cls, Class.SNAN), () => raise(c, FpFlag.IE));
    c.if(c.eq(cls, Class.UNSUPPORTED), () => c.return(c.i64(INDEFINITE.mant), c.i32(INDEFINITE.se)));
    c.if(c.geU(cls, Class.QNAN), () => c.return(c.or(mant, QUIET_BIT), se));
    c.return(mant, se);
  });
  c.if(c.eqz(cls), () => c.return(mant, se));
  c.if(c.eq(cls, Class.DENORMAL), () => raise(c, FpFlag.DE));
  c.if(c.geU(c.and(se, 0x7fff), BIAS + 63), () => c.return(mant, se));
  const [mag, report] = multi(c, roundInt80, mant, se, rc) as [L, I, I];
  c.if(report, () => raise(c, report));
  const r = multi80(c, int64to80, mag);
  // the magnitude may be 2^63, which reads as a negative number
  c.return(r.mant, c.or(c.and(r.se, 0x7fff), c.and(se, 0x8000)));
});
