import type { Val } from '@sterna/wasm';
import type { Machine } from '../semantics/machine.ts';
import { type Micro, micro } from '../semantics/micro.ts';
import { BIAS } from './ext-class.ts';
import { f32to80, f64to80 } from './ext-convert.ts';
import { F32, F64, FpFlag, type SmallFormat } from './round.ts';
import { multi, multi80 } from './util.ts';
import { div128, TOP_BIT } from './wide.ts';
import { arithMem, arithReg } from './x87-arith.ts';
import { phys, popStack, Sw, used } from './x87-stack.ts';
import { push32, push64, Store, storeValue } from './x87-transfer.ts';

/*
 * The usual case of x87 arithmetic in one piece: normal numbers, a normal result, rounding to nearest at full precision,
 * everything masked. Then only PE and C1 can change. Whatever is not usual goes to the general microcode, before anything
 * was changed.
 */

type I = Val<'i32'>;
type L = Val<'i64'>;

/** Groups of ModRM.reg in D8 to DE. */
const Group = { ADD: 0, MUL: 1, SUB: 4, SUBR: 5, DIV: 6, DIVR: 7 } as const;
/** Control word bits that matter, and what they are usually. */
const CONTROL = { mask: 0xf3f, usual: 0x33f } as const;
const LOW32 = 0xffff_ffffn;

interface Number80 {
  readonly mant: L;
  readonly se: I;
}
/** Sign in place (bit 15), exponent, significand and fraction: variables. */
interface Unrounded {
  readonly sign: ReturnType<typeof sign32>;
  readonly exp: ReturnType<typeof sign32>;
  readonly sig: ReturnType<typeof sig64>;
  readonly extra: ReturnType<typeof sig64>;
}
const sign32 = (m: Machine) => m.local('i32');
const sig64 = (m: Machine) => m.local('i64');

const usualControl = (m: Machine): I => m.eq(m.and(m.get('fpuCw'), CONTROL.mask), CONTROL.usual);
const exponent = (m: Machine, x: Number80): I => m.and(x.se, 0x7fff);
const isNormal = (m: Machine, x: Number80): I => m.and(m.ltU(m.sub(exponent(m, x), 1), 0x7ffe), m.ltS(x.mant, 0));

/** Sum of two numbers of which `signB` replaces the second's sign. Returns whether it was done. */
function sum(m: Machine, a: Number80, b: Number80, signB: I, r: Unrounded): I {
  const [ea, eb] = [m.let(exponent(m, a)), m.let(exponent(m, b))];
  const swap = m.let(m.or(m.ltU(ea, eb), m.and(m.eq(ea, eb), m.ltU(a.mant, b.mant))));
  const big = m.let(m.select(swap, b.mant, a.mant));
  const small = m.let(m.select(swap, a.mant, b.mant));
  const d = m.let(m.select(swap, m.sub(eb, ea), m.sub(ea, eb)));
  const differ = m.let(m.and(m.xor(a.se, signB), 0x8000));
  m.set(r.sign, m.and(m.select(swap, signB, a.se), 0x8000));
  m.set(r.exp, m.select(swap, eb, ea));
  const done = m.local('i32');
  m.set(done, 0);
  m.if(m.ltU(d, 64), () => {
    const k = m.let(m.extU(d));
    const high = m.let(m.shrU(small, k));
    // a shift of 64 in two steps
    const low = m.let(m.shl(m.shl(small, 1), m.xor(k, 63)));
    m.if(
      differ,
      () => {
        m.set(r.extra, m.neg(low));
        m.set(r.sig, m.sub(m.sub(big, high), m.extU(m.ne(low, 0))));
        // a zero sum has rules of its own
        m.if(m.ne(r.sig, 0), () => {
          const n = m.let(m.clz(r.sig));
          m.set(r.sig, m.or(m.shl(r.sig, n), m.shrU(m.shrU(r.extra, 1), m.xor(n, 63))));
          m.set(r.extra, m.shl(r.extra, n));
          m.set(r.exp, m.sub(r.exp, m.wrap(n)));
          m.set(done, 1);
        });
      },
      () => {
        m.set(r.sig, m.add(big, high));
        m.set(r.extra, low);
        m.if(m.ltU(r.sig, big), () => {
          m.set(r.extra, m.or(m.or(m.shl(r.sig, 63), m.shrU(low, 1)), m.and(low, 1)));
          m.set(r.sig, m.or(m.shrU(r.sig, 1), TOP_BIT));
          m.set(r.exp, m.add(r.exp, 1));
        });
        m.set(done, 1);
      },
    );
  });
  return done;
}

/** Product. */
function product(m: Machine, a: Number80, b: Number80, r: Unrounded): I {
  const [al, ah] = [m.let(m.and(a.mant, LOW32)), m.let(m.shrU(a.mant, 32))];
  const [bl, bh] = [m.let(m.and(b.mant, LOW32)), m.let(m.shrU(b.mant, 32))];
  const low = m.let(m.mul(al, bl));
  const mid = m.let(m.add(m.mul(ah, bl), m.shrU(low, 32)));
  const mid2 = m.let(m.add(m.mul(al, bh), m.and(mid, LOW32)));
  m.set(r.sig, m.add(m.add(m.mul(ah, bh), m.shrU(mid, 32)), m.shrU(mid2, 32)));
  m.set(r.extra, m.or(m.shl(mid2, 32), m.and(low, LOW32)));
  m.set(r.sign, m.and(m.xor(a.se, b.se), 0x8000));
  m.set(r.exp, m.sub(m.add(exponent(m, a), exponent(m, b)), BIAS - 1));
  m.if(m.geS(r.sig, 0), () => {
    m.set(r.sig, m.or(m.shl(r.sig, 1), m.shrU(r.extra, 63)));
    m.set(r.extra, m.shl(r.extra, 1));
    m.set(r.exp, m.sub(r.exp, 1));
  });
  return m.i32(1);
}

/** Quotient. */
function quotient(m: Machine, a: Number80, b: Number80, r: Unrounded): I {
  const small = m.let(m.ltU(a.mant, b.mant));
  const high = m.select(small, a.mant, m.shrU(a.mant, 1));
  const low = m.select(small, m.i64(0), m.shl(a.mant, 63));
  const [q, rest] = multi(m, div128, high, low, b.mant) as [L, L];
  m.set(r.sig, q);
  // the rest compared with half of the divisor
  const twice = m.let(m.shl(rest, 1));
  const over = m.ltS(rest, 0);
  const half = m.or(over, m.geU(twice, b.mant));
  const sticky = m.or(over, m.and(m.ne(twice, b.mant), m.ne(rest, 0)));
  m.set(r.extra, m.or(m.shl(m.extU(half), 63), m.extU(sticky)));
  m.set(r.sign, m.and(m.xor(a.se, b.se), 0x8000));
  m.set(r.exp, m.sub(m.add(m.sub(exponent(m, a), exponent(m, b)), BIAS), small));
  return m.i32(1);
}

function operate(m: Machine, group: number, a: Number80, b: Number80, r: Unrounded): I {
  switch (group) {
    case Group.ADD:
      return sum(m, a, b, b.se, r);
    case Group.SUB:
      return sum(m, a, b, m.let(m.xor(b.se, 0x8000)), r);
    case Group.SUBR:
      return sum(m, b, a, m.let(m.xor(a.se, 0x8000)), r);
    case Group.MUL:
      return product(m, a, b, r);
    case Group.DIV:
      return quotient(m, a, b, r);
    default:
      return quotient(m, b, a, r);
  }
}

/** Whether to round up at a fraction: to nearest, ties to even. */
const roundsUp = (m: Machine, odd: L, extra: L): L =>
  m.and(m.shrU(extra, 63), m.or(m.extU(m.ne(m.shl(extra, 1), 0)), odd));

/** Statement: PE as it comes, C1 anew. */
function report(m: Machine, inexact: I, up: I): void {
  const flags = m.or(m.shl(inexact, 5), m.shl(up, 9));
  m.put('fpuSw', m.or(m.and(m.get('fpuSw'), ~Sw.C1), flags));
}
if (FpFlag.PE !== 1 << 5 || Sw.C1 !== 1 << 9) throw new Error('flags are placed by shifts');

/** Statement: computes, and if all is as usual writes the result to register `pd`, pops and returns. */
function attempt(m: Machine, group: number, a: Number80, b: Number80, pd: I, pops: I): void {
  m.if(m.and(m.and(isNormal(m, a), isNormal(m, b)), usualControl(m)), () => {
    const r = { sign: sign32(m), exp: sign32(m), sig: sig64(m), extra: sig64(m) };
    m.if(operate(m, group, a, b, r), () => {
      const up = m.let(roundsUp(m, m.and(r.sig, 1), r.extra));
      m.set(r.sig, m.add(r.sig, up));
      m.if(m.eqz(r.sig), () => {
        m.set(r.sig, m.i64(TOP_BIT));
        m.set(r.exp, m.add(r.exp, 1));
      });
      m.if(m.ltU(m.sub(r.exp, 1), 0x7ffe), () => {
        report(m, m.ne(r.extra, 0), m.wrap(up));
        m.put('fpMant', r.sig, pd);
        m.put('fpExp', m.or(r.sign, r.exp), pd);
        m.if(pops, () => m.do(m.functionOf(popStack), pops));
        m.return();
      });
    });
  });
}

const read = (m: Machine, p: I): Number80 => ({ mant: m.let(m.get('fpMant', p)), se: m.let(m.get('fpExp', p)) });
const GROUPS = Object.values(Group);
const byGroup = (make: (group: number) => Micro): Readonly<Record<number, Micro>> =>
  Object.fromEntries(GROUPS.map((g) => [g, make(g)]));

/** `(i, dst, pops)` by group: ST(0) op ST(i) into ST(dst). */
export const REGISTER_ARITH: Readonly<Record<number, Micro>> = byGroup((g) =>
  micro(`x87_reg_${g}`, ['i32', 'i32', 'i32'], [], (m) => {
    const [i, dst, pops] = [m.param('i32', 0), m.param('i32', 1), m.param('i32', 2)];
    const [pa, pb] = [m.let(phys(m, 0)), m.let(phys(m, i))];
    m.if(m.and(used(m, pa), used(m, pb)), () => attempt(m, g, read(m, pa), read(m, pb), m.let(phys(m, dst)), pops));
    m.do(m.functionOf(arithReg), m.i32(g), i, dst, pops);
  }),
);

/** The extended form of a normal number in memory, and whether it is normal. */
function widened(m: Machine, { bits, precision, maxExponent, rebias }: SmallFormat, x: L): [I, Number80] {
  const field = m.let(m.and(m.wrap(m.shrU(x, precision - 1)), maxExponent | 1));
  const mant = m.let(m.or(m.shl(x, 64 - precision), TOP_BIT));
  const sign = m.shl(m.wrap(m.shrU(x, bits - 1)), 15);
  const se = m.let(m.or(m.and(sign, 0x8000), m.add(field, rebias)));
  return [m.ltU(m.sub(field, 1), maxExponent), { mant, se }];
}

const memoryArith = (fmt: SmallFormat, widen: Micro): Readonly<Record<number, Micro>> =>
  byGroup((g) =>
    micro(`x87_${fmt.name}_${g}`, ['i64'], [], (m) => {
      const x = m.param('i64', 0);
      const pa = m.let(phys(m, 0));
      const [normal, b] = widened(m, fmt, x);
      m.if(m.and(normal, used(m, pa)), () => attempt(m, g, read(m, pa), b, pa, m.i32(0)));
      const v = multi80(m, widen, x);
      m.do(m.functionOf(arithMem), m.i32(g), v.mant, v.se);
    }),
  );
/** `(bits)` by group: ST(0) op a single. */
export const SINGLE_ARITH: Readonly<Record<number, Micro>> = memoryArith(F32, f32to80);
/** `(bits)` by group: ST(0) op a double. */
export const DOUBLE_ARITH: Readonly<Record<number, Micro>> = memoryArith(F64, f64to80);

const load = (fmt: SmallFormat, push: Micro): Micro =>
  micro(`x87_load_${fmt.name}`, ['i64'], [], (m) => {
    const x = m.param('i64', 0);
    const top = m.let(phys(m, 7));
    const [normal, v] = widened(m, fmt, x);
    const zero = m.eqz(m.shl(x, 65 - fmt.bits));
    m.if(m.and(m.or(normal, zero), m.eqz(used(m, top))), () => {
      const isZero = m.let(m.eqz(m.shl(x, 65 - fmt.bits)));
      m.put('fpuSw', m.and(m.get('fpuSw'), ~Sw.C1));
      m.put('fpMant', m.select(isZero, m.i64(0), v.mant), top);
      m.put('fpExp', m.select(isZero, m.and(v.se, 0x8000), v.se), top);
      m.put('fpuTags', m.or(m.get('fpuTags'), m.shl(m.i32(1), top)));
      m.put('fpuTop', top);
      m.return();
    });
    m.do(m.functionOf(push), x);
  });
/** `(bits)`: FLD m32. */
export const LOAD_SINGLE: Micro = load(F32, push32);
/** `(bits)`: FLD m64. */
export const LOAD_DOUBLE: Micro = load(F64, push64);

const store = (fmt: SmallFormat, kind: number): Micro =>
  micro(`x87_to_${fmt.name}`, ['i32'], ['i32'], (m) => {
    const pops = m.param('i32', 0);
    const p = m.let(phys(m, 0));
    const x = read(m, p);
    m.if(m.and(m.and(isNormal(m, x), used(m, p)), usualControl(m)), () => {
      const cut = 64 - fmt.precision;
      const exp = m.local('i32');
      m.set(exp, m.sub(exponent(m, x), fmt.rebias));
      const extra = m.let(m.shl(x.mant, fmt.precision));
      const sig = m.let(m.shrU(x.mant, cut));
      const up = m.let(roundsUp(m, m.and(sig, 1), extra));
      m.set(sig, m.add(sig, up));
      // a carry out of the significand is the next power of two
      m.if(m.ne(m.shrU(sig, fmt.precision), 0), () => m.set(exp, m.add(exp, 1)));
      m.if(m.ltU(m.sub(exp, 1), fmt.maxExponent), () => {
        report(m, m.ne(extra, 0), m.wrap(up));
        const fraction = m.and(sig, (1n << BigInt(fmt.precision - 1)) - 1n);
        const sign = m.shl(m.extU(m.shrU(x.se, 15)), fmt.bits - 1);
        m.put('temp', m.or(m.or(sign, m.shl(m.extU(exp), fmt.precision - 1)), fraction), 0);
        m.if(pops, () => m.do(m.functionOf(popStack), pops));
        m.return(m.i32(1));
      });
    });
    m.return(m.invoke<'i32'>(storeValue, m.i32(kind), pops));
  });
/** `(pops) -> store` as {@link storeValue}: FST and FSTP of a single. */
export const STORE_SINGLE: Micro = store(F32, Store.F32);
/** `(pops) -> store`: FST and FSTP of a double. */
export const STORE_DOUBLE: Micro = store(F64, Store.F64);
