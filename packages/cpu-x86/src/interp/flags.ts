import type { IntType, Val } from '@sterna/wasm';
import type { Int, Machine } from '../semantics/machine.ts';
import { type Micro, micro } from '../semantics/micro.ts';
import type { Bits } from '../semantics/operand.ts';
import { Flag } from '../semantics/vectors.ts';
import { multiplyHigh } from '../semantics/wide.ts';

/**
 * Values of ccKind. With operands and result sign-extended to 64 bits, carry and overflow of every width have the same
 * formula: comparison keeps its order under sign extension.
 */
export const CC = {
  /** CF = a < b (also logic operations, as result - 0). */
  SUB: 0,
  /** Subtraction with borrow in: CF = a <= b. */
  SBB: 1,
  /** CF = result < a. */
  ADD: 2,
  /** Addition with carry in: CF = result <= a. */
  ADC: 3,
  /** Increment; the low bit is the preserved CF. */
  INC: 4,
  /** Decrement; the low bit is the preserved CF. */
  DEC: 6,
  /** CF, OF and AF are given in ccA; ZF, SF, PF come from ccRes. */
  GIVEN: 8,
  /** Left shift: ccA is the value, ccB the count (not 0) and the operand size << 8. */
  SHL: 9,
  /** Logical right shift, alike. */
  SHR: 10,
  /** Arithmetic right shift of the sign-extended value, alike. */
  SAR: 11,
  /** Signed multiplication of ccA and ccB truncated to ccRes: CF and OF when it did not fit. */
  MUL: 12,
  /** All six are given in ccA. */
  ALL: 13,
} as const;

/** Sign-extends an operand to i64. */
export function signExtend(m: Machine, v: Int, bits: Bits): Val<'i64'> {
  if (bits === 64) return v as Val<'i64'>;
  const x = v as Val<'i32'>;
  return m.extS(bits === 8 ? m.ext8(x) : bits === 16 ? m.ext16(x) : x);
}

/** PF, ZF and SF of a sign-extended result. */
function resultFlags(m: Machine, res: Val<'i64'>): Val<'i32'> {
  const parity = m.shl(m.and(m.not(m.popcnt(m.and(m.wrap(res), 0xff))), 1), 2);
  const zero = m.shl(m.eqz(res), 6);
  const sign = m.shl(m.wrap(m.shrU(res, 63)), 7);
  return m.or(m.or(parity, zero), sign);
}

function shiftCount(m: Machine): Val<'i64'> {
  return m.and(m.get('ccB'), 0xff);
}

function shiftBits(m: Machine): Val<'i64'> {
  return m.shrU(m.get('ccB'), 8);
}

/** 1 when the signed product of ccA and ccB is not ccRes. */
const multiplyOverflow: Micro = micro('multiply_overflow', [], ['i32'], (m) => {
  const a = m.let(m.get('ccA'));
  const b = m.let(m.get('ccB'));
  const res = m.let(m.get('ccRes'));
  const high = m.let(m.invoke<'i64'>(multiplyHigh, a, b));
  m.set(high, m.sub(high, m.and(m.shrS(a, 63), b)));
  m.set(high, m.sub(high, m.and(m.shrS(b, 63), a)));
  m.return(m.or(m.ne(m.mul(a, b), res), m.ne(high, m.shrS(res, 63))));
});

/** CF as 0 or 1 from the lazy state. */
export const evalCarry: Micro = micro('eval_carry', [], ['i32'], (m) => {
  const a = (): Val<'i64'> => m.get('ccA');
  const res = (): Val<'i64'> => m.get('ccRes');
  m.switch(
    m.get('ccKind'),
    [
      () => m.return(m.ltU(a(), m.get('ccB'))),
      () => m.return(m.leU(a(), m.get('ccB'))),
      () => m.return(m.ltU(res(), a())),
      () => m.return(m.leU(res(), a())),
      () => m.return(m.i32(0)),
      () => m.return(m.i32(1)),
      () => m.return(m.i32(0)),
      () => m.return(m.i32(1)),
      () => m.return(m.and(m.wrap(a()), 1)),
      () => m.return(m.and(m.wrap(m.shrU(a(), m.sub(shiftBits(m), shiftCount(m)))), 1)),
      () => m.return(m.and(m.wrap(m.shrU(a(), m.sub(shiftCount(m), 1))), 1)),
      () => m.return(m.and(m.wrap(m.shrS(a(), m.sub(shiftCount(m), 1))), 1)),
      () => m.return(m.invoke(multiplyOverflow)),
    ],
    () => m.return(m.and(m.wrap(a()), 1)),
  );
  m.unreachable();
});

/** All six arithmetic flags at their EFLAGS positions. */
export const evalFlags: Micro = micro('eval_flags', [], ['i32'], (m) => {
  const kind = m.let(m.get('ccKind'));
  const a = m.let(m.get('ccA'));
  m.if(m.eq(kind, CC.ALL), () => m.return(m.wrap(a)));
  const res = m.let(m.get('ccRes'));
  const out = m.let(resultFlags(m, res));
  m.if(m.eq(kind, CC.GIVEN), () => m.return(m.or(out, m.wrap(a))));
  m.if(m.geU(kind, CC.SHL), () => {
    const carry = m.let(m.invoke(evalCarry));
    const overflow = m.local('i32');
    m.switch(
      m.sub(kind, CC.SHL),
      [
        () => m.set(overflow, m.xor(carry, m.wrap(m.shrU(res, 63)))),
        () => m.set(overflow, m.and(m.wrap(m.shrU(a, m.sub(shiftBits(m), 1))), 1)),
        () => m.set(overflow, 0),
      ],
      () => m.set(overflow, carry),
    );
    m.return(m.or(out, m.or(carry, m.shl(overflow, 11))));
  });
  const b = m.let(m.get('ccB'));
  const x = m.let(m.xor(a, res));
  // overflow: operands' signs against the result's; additions have b's sign equal to a's, subtractions different
  const isSub = m.or(m.ltU(kind, CC.ADD), m.geU(kind, CC.DEC));
  const other = m.select(isSub, m.xor(a, b), m.xor(b, res));
  m.set(out, m.or(out, m.shl(m.wrap(m.shrU(m.and(x, other), 63)), 11)));
  m.set(out, m.or(out, m.and(m.wrap(m.xor(x, b)), Flag.AF)));
  m.return(m.or(out, m.invoke(evalCarry)));
});

/** Condition code as 0 or 1 from the lazy state. */
export const evalCond: Micro = micro('eval_cond', ['i32'], ['i32'], (m) => {
  const cc = m.param('i32', 0);
  const f = m.let(m.invoke(evalFlags));
  const r = m.let(conditionOf(m, m.shrU(cc, 1), f));
  m.return(m.xor(r, m.and(cc, 1)));
});

function conditionOf(m: Machine, which: Val<'i32'>, f: Val<'i32'>): Val<'i32'> {
  const r = m.local('i32');
  const bit = (flag: number): Val<'i32'> => m.ne(m.and(f, flag), 0);
  const less = (): Val<'i32'> => m.and(m.xor(m.shrU(f, 7), m.shrU(f, 11)), 1);
  m.switch(which, [
    () => m.set(r, bit(Flag.OF)),
    () => m.set(r, bit(Flag.CF)),
    () => m.set(r, bit(Flag.ZF)),
    () => m.set(r, bit(Flag.CF | Flag.ZF)),
    () => m.set(r, bit(Flag.SF)),
    () => m.set(r, bit(Flag.PF)),
    () => m.set(r, less()),
    () => m.set(r, m.or(less(), bit(Flag.ZF))),
  ]);
  return r;
}

/** The last flag-producing operation of a handler, kept so that a fused branch can compare its operands directly. */
export interface Producer {
  readonly kind: string;
  readonly bits: Bits;
  readonly a: Int;
  readonly b: Int;
  readonly result: Int;
}

/** Whether `fusedCondition` knows the pair. */
export function canFuse(producer: string, cc: number): boolean {
  const which = cc >> 1;
  if (which === 0 || which === 5) return false;
  if (producer === 'cmp' || producer === 'sub') return true;
  return which === 2 || which === 4;
}

/** A condition computed from the producer's operands, without the lazy state. */
export function fusedCondition(m: Machine, p: Producer, cc: number): Val<'i32'> {
  const narrow = p.bits === 8 || p.bits === 16;
  const mask = p.bits === 8 ? 0xff : 0xffff;
  const negate = (c: Val<'i32'>): Val<'i32'> => (cc & 1 ? m.eqz(c) : c);
  const low = (v: Int): Int => (narrow ? m.and(v as Val<'i32'>, mask) : v);
  const sign = (v: Int): Int => (p.bits === 8 ? m.ext8(v) : p.bits === 16 ? m.ext16(v) : v) as Val<IntType>;
  switch (cc >> 1) {
    case 1:
      return cc & 1 ? m.geU(low(p.a), low(p.b)) : m.ltU(low(p.a), low(p.b));
    case 2:
      return p.kind === 'sub'
        ? cc & 1
          ? m.ne(low(p.a), low(p.b))
          : m.eq(low(p.a), low(p.b))
        : cc & 1
          ? m.ne(low(p.result), 0)
          : m.eqz(low(p.result));
    case 3:
      return cc & 1 ? m.gtU(low(p.a), low(p.b)) : m.leU(low(p.a), low(p.b));
    case 4:
      return cc & 1 ? m.geS(sign(p.result), 0) : m.ltS(sign(p.result), 0);
    case 6:
      return cc & 1 ? m.geS(sign(p.a), sign(p.b)) : m.ltS(sign(p.a), sign(p.b));
    case 7:
      return cc & 1 ? m.gtS(sign(p.a), sign(p.b)) : m.leS(sign(p.a), sign(p.b));
    default:
      return negate(m.cond(cc & ~1));
  }
}
