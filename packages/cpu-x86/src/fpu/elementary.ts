import type { Val } from '@sterna/wasm';
import type { Machine } from '../semantics/machine.ts';
import { type Micro, micro } from '../semantics/micro.ts';
import { Calc, PI_HALF } from './calc.ts';
import { add80, mul80 } from './ext-arith.ts';
import { BIAS, Class, class80, nan80 } from './ext-class.ts';
import { atanKernel, exp2m1Kernel, log2Kernel, log2p1Kernel } from './kernels.ts';
import { FpFlag, raise } from './round.ts';
import { type F80, multi80 } from './util.ts';
import { TOP_BIT } from './wide.ts';
import { indefinite } from './x87-stack.ts';

type I = Val<'i32'>;

/**
 * Runs kernels with the control word they need, then gives the flags back as they were: the exceptions of a transcendental
 * instruction are those of its operands and of its last operation.
 */
export function working(m: Machine, fn: () => void): void {
  const cw = m.let(m.get('fpuCw'));
  const exc = m.let(m.get('fpExc'));
  m.put('fpuCw', 0x37f);
  fn();
  m.put('fpuCw', cw);
  m.put('fpExc', exc);
}

/** Last operation: rounded as the control word says but always to full precision, and always inexact. */
export function finish(m: Machine, fn: Micro, a: F80, b: F80, ...more: Val[]): F80 {
  const cw = m.let(m.get('fpuCw'));
  m.put('fpuCw', m.or(cw, 0x300));
  const r = multi80(m, fn, a.mant, a.se, b.mant, b.se, ...more);
  m.put('fpuCw', cw);
  raise(m, FpFlag.PE);
  // a denormal result is never exact
  m.if(m.eqz(m.and(r.se, 0x7fff)), () => raise(m, FpFlag.UE));
  return r;
}

/** A NaN operand of a one-operand function made quiet. */
export function quiet(m: Machine, x: F80): F80 {
  return multi80(m, nan80, x.mant, x.se, x.mant, x.se);
}

/** Class of a number. Named. */
export const classOf = (m: Machine, x: F80): I => m.let(m.invoke<'i32'>(class80, x.mant, x.se));

/** `(mant, se) -> (mant, se)`: 2^x - 1 (F2XM1). Arguments outside [-1, 1] come back unchanged, as on the reference. */
export const exp2m1: Micro = micro('fp_f2xm1', ['i64', 'i32'], ['i64', 'i32'], (m) => {
  const x = { mant: m.param('i64', 0), se: m.param('i32', 1) };
  const k = new Calc(m);
  const cls = classOf(m, x);
  m.if(m.geU(cls, Class.QNAN), () => {
    const r = quiet(m, x);
    m.return(r.mant, r.se);
  });
  m.if(m.eqz(cls), () => m.return(x.mant, x.se));
  m.if(m.eq(cls, Class.INFINITY), () => {
    m.if(m.shrU(x.se, 15), () => m.return(m.i64(TOP_BIT), m.i32(0x8000 | BIAS)));
    m.return(x.mant, x.se);
  });
  m.if(m.eq(cls, Class.DENORMAL), () => raise(m, FpFlag.DE));
  const e = m.let(m.and(x.se, 0x7fff));
  m.if(m.geU(e, BIAS), () => {
    m.if(m.and(m.eq(e, BIAS), m.eq(x.mant, TOP_BIT)), () => {
      // exactly 1 or -1/2
      m.if(m.shrU(x.se, 15), () => m.return(m.i64(TOP_BIT), m.i32(0x8000 | (BIAS - 1))));
      m.return(x.mant, x.se);
    });
    raise(m, FpFlag.PE);
    m.return(x.mant, x.se);
  });
  const ratio = k.variable();
  working(m, () => k.assign(ratio, multi80(m, exp2m1Kernel, x.mant, x.se)));
  const r = finish(m, mul80, x, ratio);
  m.return(r.mant, r.se);
});

/** `(mx, sx, my, sy) -> (mant, se)`: y * log2(x) (FYL2X). */
export const ylog2x: Micro = micro('fp_fyl2x', ['i64', 'i32', 'i64', 'i32'], ['i64', 'i32'], (m) => {
  const x = { mant: m.param('i64', 0), se: m.param('i32', 1) };
  const y = { mant: m.param('i64', 2), se: m.param('i32', 3) };
  const k = new Calc(m);
  const cx = classOf(m, x);
  const cy = classOf(m, y);
  specialOperands(m, x, y, cx, cy);
  const invalid = invalidReturn(m);
  const sign = m.let(m.and(y.se, 0x8000));
  m.if(m.eqz(cx), () => {
    m.if(m.eqz(cy), invalid);
    m.if(m.ne(cy, Class.INFINITY), () => raise(m, FpFlag.ZE));
    m.return(m.i64(TOP_BIT), m.xor(m.or(sign, 0x7fff), 0x8000));
  });
  m.if(m.shrU(x.se, 15), invalid);
  // sign of the logarithm: negative below 1
  const below = m.let(m.ltU(m.and(x.se, 0x7fff), BIAS));
  const one = m.let(m.and(m.eq(x.se, BIAS), m.eq(x.mant, TOP_BIT)));
  const outSign = m.xor(sign, m.shl(below, 15));
  m.if(m.eq(cx, Class.INFINITY), () => {
    m.if(m.eqz(cy), invalid);
    denormal(m, cx, cy);
    m.return(m.i64(TOP_BIT), m.or(sign, 0x7fff));
  });
  m.if(m.eq(cy, Class.INFINITY), () => {
    m.if(one, invalid);
    denormal(m, cx, cy);
    m.return(m.i64(TOP_BIT), m.or(outSign, 0x7fff));
  });
  denormal(m, cx, cy);
  m.if(one, () => m.return(m.i64(0), sign));
  m.if(m.eqz(cy), () => m.return(m.i64(0), outSign));
  const log = k.variable();
  working(m, () => {
    const n = m.let(m.clz(x.mant));
    const exp = m.let(m.and(x.se, 0x7fff));
    // a denormal has exponent 1 before it is normalised
    const e = m.sub(m.select(exp, exp, m.i32(1)), m.wrap(n));
    k.assign(log, multi80(m, log2Kernel, m.shl(x.mant, n), e));
  });
  const r = finish(m, mul80, log, y);
  m.return(r.mant, r.se);
});

/** `(mx, sx, my, sy) -> (mant, se)`: y * log2(x + 1) (FYL2XP1). */
export const ylog2xp1: Micro = micro('fp_fyl2xp1', ['i64', 'i32', 'i64', 'i32'], ['i64', 'i32'], (m) => {
  const x = { mant: m.param('i64', 0), se: m.param('i32', 1) };
  const y = { mant: m.param('i64', 2), se: m.param('i32', 3) };
  const k = new Calc(m);
  const cx = classOf(m, x);
  const cy = classOf(m, y);
  specialOperands(m, x, y, cx, cy);
  const invalid = invalidReturn(m);
  const negative = m.let(m.shrU(x.se, 15));
  const sign = m.let(m.and(m.xor(y.se, x.se), 0x8000));
  const e = m.let(m.and(x.se, 0x7fff));
  m.if(m.eq(cx, Class.INFINITY), () => {
    m.if(m.or(negative, m.eqz(cy)), invalid);
    denormal(m, cx, cy);
    m.return(m.i64(TOP_BIT), m.or(sign, 0x7fff));
  });
  m.if(m.eq(cy, Class.INFINITY), () => {
    m.if(m.eqz(cx), invalid);
    denormal(m, cx, cy);
    m.return(m.i64(TOP_BIT), m.or(sign, 0x7fff));
  });
  denormal(m, cx, cy);
  m.if(m.or(m.eqz(cx), m.eqz(cy)), () => m.return(m.i64(0), sign));
  m.if(m.and(negative, m.geU(e, BIAS)), () => {
    // outside the domain the operand comes back
    raise(m, FpFlag.PE);
    m.return(x.mant, x.se);
  });
  const factor = k.variable();
  const log = k.variable();
  k.assign(factor, x);
  working(m, () => {
    m.if(
      m.ltU(e, BIAS - 2),
      () => k.assign(log, multi80(m, log2p1Kernel, x.mant, x.se)),
      () => {
        const s = k.add(x, k.constant(1n));
        k.assign(log, multi80(m, log2Kernel, s.mant, s.se));
        k.assign(factor, k.constant(1n));
      },
    );
    // the logarithm may only be tiny when x is: then the ratio is not
    k.assign(log, k.mul(log, factor));
  });
  const r = finish(m, mul80, log, y);
  m.return(r.mant, r.se);
});

/** `(mx, sx, my, sy) -> (mant, se)`: angle of the point (x, y) (FPATAN). */
export const atan2: Micro = micro('fp_fpatan', ['i64', 'i32', 'i64', 'i32'], ['i64', 'i32'], (m) => {
  const x = { mant: m.param('i64', 0), se: m.param('i32', 1) };
  const y = { mant: m.param('i64', 2), se: m.param('i32', 3) };
  const k = new Calc(m);
  const cx = classOf(m, x);
  const cy = classOf(m, y);
  specialOperands(m, x, y, cx, cy);
  denormal(m, cx, cy);
  const sign = m.let(m.and(y.se, 0x8000));
  const left = m.let(m.shrU(x.se, 15));
  const out = k.variable();
  const base = k.variable();
  // y = 0, or x infinite: 0 or pi (with both infinite pi/4 or 3pi/4); x = 0 or y infinite: pi/2
  const quarter = (n: bigint): F80 => k.constant(PI_HALF * n, 1n << 128n);
  const answer = (v: F80): void => {
    const zero = k.constant(0n);
    m.if(m.eqz(v.mant), () => m.return(m.i64(0), sign));
    const r = finish(m, add80, { mant: v.mant, se: m.let(m.or(v.se, sign)) }, zero, m.i32(0));
    m.return(r.mant, r.se);
  };
  const pick = (cond: I, a: F80, b: F80): F80 => ({
    mant: m.let(m.select(cond, a.mant, b.mant)),
    se: m.let(m.select(cond, a.se, b.se)),
  });
  m.if(m.eq(cy, Class.INFINITY), () => {
    const both = m.let(m.eq(cx, Class.INFINITY));
    answer(pick(both, pick(left, quarter(3n), quarter(1n)), quarter(2n)));
  });
  m.if(m.or(m.eqz(cy), m.eq(cx, Class.INFINITY)), () => answer(pick(left, quarter(4n), k.constant(0n))));
  m.if(m.eqz(cx), () => answer(quarter(2n)));
  working(m, () => {
    const ax = k.abs(x);
    const ay = k.abs(y);
    const steep = m.let(m.or(m.gtU(ay.se, ax.se), m.and(m.eq(ay.se, ax.se), m.gtU(ay.mant, ax.mant))));
    const small = pick(steep, ax, ay);
    const large = pick(steep, ay, ax);
    const z = k.div(small, large);
    k.assign(out, multi80(m, atanKernel, z.mant, z.se));
    // pi/2 - a when steep, then mirrored when x is negative
    m.if(steep, () => k.assign(out, k.sub(quarter(2n), out)));
    m.if(left, () => k.assign(out, k.sub(quarter(4n), out)));
    k.assign(base, k.constant(0n));
  });
  // flat angles may be too small for the ratio: divide with the real masks then
  const tiny = m.and(m.eqz(left), m.ltS(m.sub(m.and(y.se, 0x7fff), m.and(x.se, 0x7fff)), -70));
  m.if(tiny, () => {
    const r = finish(m, divide, y, k.abs(x));
    m.return(r.mant, r.se);
  });
  answer(out);
});
const divide: Micro = micro('fp_divide', ['i64', 'i32', 'i64', 'i32'], ['i64', 'i32'], (m) => {
  const k = new Calc(m);
  const a = { mant: m.param('i64', 0), se: m.param('i32', 1) };
  const r = k.div(a, { mant: m.param('i64', 2), se: m.param('i32', 3) });
  m.return(r.mant, r.se);
});

/** Returns for NaNs of a two-operand function. */
function specialOperands(m: Machine, x: F80, y: F80, cx: I, cy: I): void {
  m.if(m.or(m.geU(cx, Class.QNAN), m.geU(cy, Class.QNAN)), () => {
    const r = multi80(m, nan80, x.mant, x.se, y.mant, y.se);
    m.return(r.mant, r.se);
  });
}
function denormal(m: Machine, cx: I, cy: I): void {
  m.if(m.or(m.eq(cx, Class.DENORMAL), m.eq(cy, Class.DENORMAL)), () => raise(m, FpFlag.DE));
}
function invalidReturn(m: Machine): () => void {
  return () => {
    raise(m, FpFlag.IE);
    const r = indefinite(m);
    m.return(r.mant, r.se);
  };
}
