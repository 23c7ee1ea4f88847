import type { Val } from '@sterna/wasm';
import type { Machine } from '../semantics/machine.ts';
import { type Micro, micro } from '../semantics/micro.ts';
import { addCore, divCore, mulCore, sqrtCore } from './core.ts';
import { Class } from './ext-class.ts';
import { f80toInt, int64to80 } from './ext-convert.ts';
import { F32, F64, FpFlag, raise, round32, round64, type SmallFormat } from './round.ts';
import { multi, multi80 } from './util.ts';
import { TOP_BIT } from './wide.ts';

type I = Val<'i32'>;
type L = Val<'i64'>;

/** Outcomes of a comparison as bits, so that a predicate is a set of them. */
export const Relation = { LESS: 1, EQUAL: 2, GREATER: 4, UNORDERED: 8 } as const;

/**
 * Exact operations of SSE on one format: operands and results are bit patterns in an i64. Flags go to fpExc, rounding,
 * DAZ and FTZ come from MXCSR.
 */
export interface SmallFunctions {
  readonly format: SmallFormat;
  /** `(a, b, flip) -> bits`: sum, or difference when `flip` is 1. */
  readonly add: Micro;
  readonly mul: Micro;
  readonly div: Micro;
  /** `(a) -> bits`. */
  readonly sqrt: Micro;
  /** `(a, b, max) -> bits`: the second operand on ties and NaNs. */
  readonly minmax: Micro;
  /** `(a, b, signaling) -> Relation`. */
  readonly relation: Micro;
  /** `(a, rc, width) -> i64`: to a signed integer of 32 or 64 bits. */
  readonly toInt: Micro;
  /** `(i64) -> bits`: from a signed integer. */
  readonly fromInt: Micro;
  /** `(a) -> bits`: to the other format. */
  readonly convert: Micro;
}

function define(fmt: SmallFormat, round: Micro, other: SmallFormat, roundOther: Micro): SmallFunctions {
  const { name, bits, precision } = fmt;
  const infinityBits = BigInt(fmt.maxExponent + 1) << BigInt(precision - 1);
  const quietBit = 1n << BigInt(precision - 2);
  const defaultNan = (1n << BigInt(bits - 1)) | infinityBits | quietBit;

  /** `(bits) -> (Class, exponent, sig)`: denormals normalised, or zero under DAZ. */
  const unpack = micro(`fp_unpack_${name}`, ['i64'], ['i32', 'i32', 'i64'], (c) => {
    const x = c.param('i64', 0);
    const field = c.let(c.and(c.wrap(c.shrU(x, precision - 1)), fmt.maxExponent | 1));
    const body = c.let(c.shrU(c.shl(x, 65 - precision), 1));
    c.if(c.eqz(field), () => {
      c.if(c.or(c.eqz(body), c.and(c.get('mxcsr'), 0x40)), () => c.return(c.i32(Class.ZERO), c.i32(0), c.i64(0)));
      const n = c.let(c.clz(body));
      c.return(c.i32(Class.DENORMAL), c.sub(c.i32(fmt.rebias + 1), c.wrap(n)), c.shl(body, n));
    });
    c.if(c.eq(field, fmt.maxExponent + 1), () => {
      const kind = c.select(c.and(c.wrap(c.shrU(body, 62)), 1), c.i32(Class.QNAN), Class.SNAN);
      c.return(c.select(c.eqz(body), c.i32(Class.INFINITY), kind), c.i32(0), c.i64(0));
    });
    c.return(c.i32(Class.NORMAL), c.add(field, fmt.rebias), c.or(body, TOP_BIT));
  });
  interface Unpacked {
    readonly bits: L;
    readonly cls: I;
    readonly exp: I;
    readonly sig: L;
    readonly sign: I;
  }
  const operand = (c: Machine, i: number): Unpacked => {
    const x = c.param('i64', i);
    const [cls, exp, sig] = multi(c, unpack, x) as [I, I, L];
    return { bits: x, cls, exp, sig, sign: c.let(c.wrap(c.shrU(x, bits - 1))) };
  };
  const signed = (c: Machine, sign: I, value: bigint): L => c.or(c.shl(c.extU(sign), bits - 1), value);
  const either = (c: Machine, a: Unpacked, b: Unpacked, k: number): I => c.or(c.eq(a.cls, k), c.eq(b.cls, k));
  const invalid = (c: Machine): void => {
    raise(c, FpFlag.IE);
    c.return(c.i64(defaultNan));
  };
  const denormals = (c: Machine, a: Unpacked, b: Unpacked): void =>
    c.if(either(c, a, b, Class.DENORMAL), () => raise(c, FpFlag.DE));
  /** The first operand if it is a NaN, else the second; made quiet. */
  const nans = (c: Machine, a: Unpacked, b: Unpacked): void =>
    c.if(c.or(c.geU(a.cls, Class.QNAN), c.geU(b.cls, Class.QNAN)), () => {
      c.if(either(c, a, b, Class.SNAN), () => raise(c, FpFlag.IE));
      c.return(c.or(c.select(c.geU(a.cls, Class.QNAN), a.bits, b.bits), quietBit));
    });
  const rounded = (c: Machine, sign: I, exp: I, sig: L, extra: L): void =>
    c.return(c.invoke<'i64'>(round, sign, exp, sig, extra, c.get('mxcsr')));
  const roundsDown = (c: Machine): I => c.eq(c.and(c.get('mxcsr'), 0x6000), 0x2000);

  const add = micro(`fp_add_${name}`, ['i64', 'i64', 'i32'], ['i64'], (c) => {
    const a = operand(c, 0);
    const b = operand(c, 1);
    const sb = c.let(c.xor(b.sign, c.param('i32', 2)));
    nans(c, a, b);
    c.if(c.eq(a.cls, Class.INFINITY), () => {
      c.if(c.and(c.eq(b.cls, Class.INFINITY), c.ne(a.sign, sb)), () => invalid(c));
      denormals(c, a, b);
      c.return(a.bits);
    });
    denormals(c, a, b);
    c.if(c.eq(b.cls, Class.INFINITY), () => c.return(signed(c, sb, infinityBits)));
    c.if(c.eqz(a.cls), () => {
      c.if(c.eqz(b.cls), () => {
        const s = c.select(c.eq(a.sign, sb), sb, roundsDown(c));
        c.return(signed(c, c.let(s), 0n));
      });
      rounded(c, sb, b.exp, b.sig, c.i64(0));
    });
    c.if(c.eqz(b.cls), () => rounded(c, a.sign, a.exp, a.sig, c.i64(0)));
    const [s, e, sig, extra] = multi(c, addCore, a.sign, a.exp, a.sig, sb, b.exp, b.sig) as [I, I, L, L];
    c.if(c.eqz(sig), () => c.return(signed(c, c.let(roundsDown(c)), 0n)));
    rounded(c, s, e, sig, extra);
  });

  const mul = micro(`fp_mul_${name}`, ['i64', 'i64'], ['i64'], (c) => {
    const a = operand(c, 0);
    const b = operand(c, 1);
    const sign = c.let(c.xor(a.sign, b.sign));
    nans(c, a, b);
    c.if(either(c, a, b, Class.INFINITY), () => {
      c.if(either(c, a, b, Class.ZERO), () => invalid(c));
      denormals(c, a, b);
      c.return(signed(c, sign, infinityBits));
    });
    denormals(c, a, b);
    c.if(either(c, a, b, Class.ZERO), () => c.return(signed(c, sign, 0n)));
    const [e, sig, extra] = multi(c, mulCore, a.exp, a.sig, b.exp, b.sig) as [I, L, L];
    rounded(c, sign, e, sig, extra);
  });

  const div = micro(`fp_div_${name}`, ['i64', 'i64'], ['i64'], (c) => {
    const a = operand(c, 0);
    const b = operand(c, 1);
    const sign = c.let(c.xor(a.sign, b.sign));
    nans(c, a, b);
    c.if(c.eq(a.cls, Class.INFINITY), () => {
      c.if(c.eq(b.cls, Class.INFINITY), () => invalid(c));
      denormals(c, a, b);
      c.return(signed(c, sign, infinityBits));
    });
    c.if(c.eqz(b.cls), () => {
      c.if(c.eqz(a.cls), () => invalid(c));
      raise(c, FpFlag.ZE);
      c.return(signed(c, sign, infinityBits));
    });
    denormals(c, a, b);
    c.if(c.or(c.eqz(a.cls), c.eq(b.cls, Class.INFINITY)), () => c.return(signed(c, sign, 0n)));
    const [e, sig, extra] = multi(c, divCore, a.exp, a.sig, b.exp, b.sig) as [I, L, L];
    rounded(c, sign, e, sig, extra);
  });

  const sqrt = micro(`fp_sqrt_${name}`, ['i64'], ['i64'], (c) => {
    const a = operand(c, 0);
    nans(c, a, a);
    c.if(c.eqz(a.cls), () => c.return(signed(c, a.sign, 0n)));
    c.if(a.sign, () => invalid(c));
    c.if(c.eq(a.cls, Class.INFINITY), () => c.return(a.bits));
    denormals(c, a, a);
    const [e, sig, extra] = multi(c, sqrtCore, a.exp, a.sig) as [I, L, L];
    rounded(c, c.i32(0), e, sig, extra);
  });

  const relation = micro(`fp_relation_${name}`, ['i64', 'i64', 'i32'], ['i32'], (c) => {
    const a = operand(c, 0);
    const b = operand(c, 1);
    c.if(c.or(c.geU(a.cls, Class.QNAN), c.geU(b.cls, Class.QNAN)), () => {
      c.if(c.or(either(c, a, b, Class.SNAN), c.param('i32', 2)), () => raise(c, FpFlag.IE));
      c.return(c.i32(Relation.UNORDERED));
    });
    denormals(c, a, b);
    // order by sign and magnitude; both zeros (and denormals under DAZ) are one point
    const key = (x: Unpacked): L => {
      const magnitude = c.shrU(c.shl(x.bits, 65 - bits), 1);
      const v = c.let(c.select(c.eqz(x.cls), c.i64(0), magnitude));
      return c.let(c.select(x.sign, c.neg(v), v));
    };
    const ka = key(a);
    const kb = key(b);
    const unequal = c.select(c.ltS(ka, kb), c.i32(Relation.LESS), Relation.GREATER);
    c.return(c.select(c.eq(ka, kb), c.i32(Relation.EQUAL), unequal));
  });

  const minmax = micro(`fp_minmax_${name}`, ['i64', 'i64', 'i32'], ['i64'], (c) => {
    const [a, b] = [c.param('i64', 0), c.param('i64', 1)];
    const r = c.let(c.invoke<'i32'>(relation, a, b, c.i32(1)));
    const wanted = c.select(c.param('i32', 2), c.i32(Relation.GREATER), Relation.LESS);
    const chosen = c.let(c.select(c.eq(r, wanted), a, b));
    // under DAZ a denormal comes out as the zero it counts as
    const flushed = c.and(c.eqz(c.and(chosen, infinityBits)), c.ne(c.and(c.get('mxcsr'), 0x40), 0));
    c.return(c.select(flushed, c.and(chosen, 1n << BigInt(bits - 1)), chosen));
  });

  const toInt = micro(`fp_${name}_to_int`, ['i64', 'i32', 'i32'], ['i64'], (c) => {
    const a = operand(c, 0);
    // infinities and NaNs have no significand here, which f80toInt takes for unsupported: invalid all the same
    const se = c.let(c.or(c.shl(a.sign, 15), c.select(c.geU(a.cls, Class.INFINITY), c.i32(0x7fff), a.exp)));
    c.return(c.invoke<'i64'>(f80toInt, a.sig, se, c.param('i32', 1), c.param('i32', 2)));
  });

  const fromInt = micro(`fp_int_to_${name}`, ['i64'], ['i64'], (c) => {
    const x = multi80(c, int64to80, c.param('i64', 0));
    c.if(c.eqz(x.mant), () => c.return(c.i64(0)));
    rounded(c, c.let(c.shrU(x.se, 15)), c.and(x.se, 0x7fff), x.mant, c.i64(0));
  });

  const convert = micro(`fp_${name}_to_${other.name}`, ['i64'], ['i64'], (c) => {
    const a = operand(c, 0);
    const sign = c.let(c.shl(c.extU(a.sign), other.bits - 1));
    const otherInfinity = BigInt(other.maxExponent + 1) << BigInt(other.precision - 1);
    c.if(c.eqz(a.cls), () => c.return(sign));
    c.if(c.eq(a.cls, Class.INFINITY), () => c.return(c.or(sign, otherInfinity)));
    c.if(c.geU(a.cls, Class.QNAN), () => {
      c.if(c.eq(a.cls, Class.SNAN), () => raise(c, FpFlag.IE));
      const payload = c.shrU(c.shl(a.bits, 65 - precision), 65 - other.precision);
      c.return(c.or(c.or(sign, otherInfinity | (1n << BigInt(other.precision - 2))), payload));
    });
    c.if(c.eq(a.cls, Class.DENORMAL), () => raise(c, FpFlag.DE));
    c.return(c.invoke<'i64'>(roundOther, a.sign, a.exp, a.sig, c.i64(0), c.get('mxcsr')));
  });
  return { format: fmt, add, mul, div, sqrt, minmax, relation, toInt, fromInt, convert };
}

/** Operations on singles; bit patterns are zero-extended. */
export const SOFT32: SmallFunctions = define(F32, round32, F64, round64);
/** Operations on doubles. */
export const SOFT64: SmallFunctions = define(F64, round64, F32, round32);
