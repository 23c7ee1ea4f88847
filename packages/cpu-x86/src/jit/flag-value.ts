import type { IntType, Val } from '@sterna/wasm';
import { CC, signExtend } from '../interp/flags.ts';
import type { FlagKind, Int, Machine } from '../semantics/machine.ts';
import type { Bits } from '../semantics/operand.ts';
import { Flag } from '../semantics/vectors.ts';

/** The operation whose flags are current, with its operands in expressions that stay right. */
export interface Operation {
  readonly form: 'operation';
  readonly kind: FlagKind;
  readonly bits: Bits;
  readonly a: Int;
  readonly b: Int;
  readonly result: Int;
  /** Carry in of ADC and SBB. */
  readonly carry?: Val<'i32'>;
  /** CF that INC and DEC keep. */
  readonly kept?: Val<'i32'>;
}

/** CF, OF and AF given, the others by a result. */
export interface Given {
  readonly form: 'given';
  readonly bits: Bits;
  readonly result: Int;
  readonly flags: Val<'i32'>;
}

/** All six given, or changed ones of an earlier value: computed when somebody asks. */
export interface All {
  readonly form: 'all';
  /** All six at their EFLAGS positions. Replaced by a name for the result where what it is made from is about to change. */
  flags: () => Val<'i32'>;
  /** What `flags` refers to. */
  readonly parts: readonly Val[];
  /** CF as 0 or 1, when known by itself. */
  readonly carry?: Val<'i32'>;
}

/** Flags as what they come from. */
export type FlagValue = Operation | Given | All;

/** The expressions a flag value needs. */
export function partsOf(v: FlagValue): readonly Val[] {
  if (v.form === 'all') return v.carry === undefined ? v.parts : [...v.parts, v.carry];
  if (v.form === 'given') return [v.result, v.flags];
  return [v.a, v.b, v.result, v.carry, v.kept].filter((x) => x !== undefined);
}

/** Contents of the lazy flag cells. */
export interface LazyCells {
  /** Known when the code is written, for operations without carry in or kept CF. */
  readonly fixedKind: number | undefined;
  readonly kind: Val<'i32'>;
  readonly a: Val<'i64'>;
  readonly b: Val<'i64'>;
  readonly res: Val<'i64'>;
}

function zeroExtend(m: Machine, v: Int): Val<'i64'> {
  return v.type === 'i64' ? (v as Val<'i64'>) : m.extU(v as Val<'i32'>);
}

/** What the lazy flag cells must hold for a flag value. */
export function lazyCells(m: Machine, v: FlagValue): LazyCells {
  const zero = m.i64(0);
  const known = (kind: number, a: Val<'i64'>, b: Val<'i64'>, res: Val<'i64'>): LazyCells => ({
    fixedKind: kind,
    kind: m.i32(kind),
    a,
    b,
    res,
  });
  if (v.form === 'all') return known(CC.ALL, m.extU(v.flags()), zero, zero);
  if (v.form === 'given') return known(CC.GIVEN, m.extU(v.flags), zero, signExtend(m, v.result, v.bits));
  const { kind, bits } = v;
  const res = signExtend(m, v.result, bits);
  switch (kind) {
    case 'logic':
      return known(CC.SUB, res, zero, res);
    case 'mul':
      return known(CC.MUL, signExtend(m, v.a, bits), signExtend(m, v.b, bits), res);
    case 'shl':
    case 'shr':
    case 'sar': {
      const a = kind === 'sar' ? signExtend(m, v.a, bits) : zeroExtend(m, v.a);
      const cc = kind === 'shl' ? CC.SHL : kind === 'shr' ? CC.SHR : CC.SAR;
      return known(cc, a, m.add(zeroExtend(m, v.b), bits << 8), res);
    }
    default: {
      const a = signExtend(m, v.a, bits);
      const b = signExtend(m, v.b, bits);
      if (kind === 'inc' || kind === 'dec') {
        const base = kind === 'inc' ? CC.INC : CC.DEC;
        return { fixedKind: undefined, kind: m.add(v.kept ?? m.i32(0), base), a, b, res };
      }
      const base = kind === 'sub' || kind === 'sbb' ? CC.SUB : CC.ADD;
      if (v.carry === undefined) return known(base, a, b, res);
      return { fixedKind: undefined, kind: m.add(v.carry, base), a, b, res };
    }
  }
}

/** The flag value that lazy cells of a known kind mean, or undefined where the generic formula must be asked. */
export function fromCells(kind: number, a: Val<'i64'>, b: Val<'i64'>, result: Val<'i64'>): Operation | undefined {
  const name = kind === CC.SUB ? 'sub' : kind === CC.ADD ? 'add' : undefined;
  if (name === undefined) return undefined;
  return { form: 'operation', kind: name, bits: 64, a: a as Int, b: b as Int, result: result as Int };
}

/** A value without what semantics may leave above its size. */
function low(m: Machine, v: Int, bits: Bits): Int {
  return bits === 8 ? m.and(v as Val<'i32'>, 0xff) : bits === 16 ? m.and(v as Val<'i32'>, 0xffff) : v;
}

/** A value whose sign is that of its size. */
function signed(m: Machine, v: Int, bits: Bits): Int {
  return (bits === 8 ? m.ext8(v) : bits === 16 ? m.ext16(v) : v) as Val<IntType>;
}

/** Bit `n` of a value as 0 or 1. */
function bit(m: Machine, v: Int, n: number): Val<'i32'> {
  const x = n === 0 ? v : m.shrU(v, n);
  return m.and(x.type === 'i64' ? m.wrap(x as Val<'i64'>) : (x as Val<'i32'>), 1);
}

/** CF as 0 or 1; undefined where the generic formula must be asked. */
export function carryOf(m: Machine, v: FlagValue): Val<'i32'> | undefined {
  if (v.form === 'all') return v.carry ?? m.and(v.flags(), 1);
  if (v.form === 'given') return m.and(v.flags, 1);
  const { kind, bits, a, b, result, carry } = v;
  const x = (y: Int): Int => low(m, y, bits);
  switch (kind) {
    case 'add':
      return m.ltU(x(result), x(a));
    case 'adc':
      return m.select(carry!, m.leU(x(result), x(a)), m.ltU(x(result), x(a)));
    case 'sub':
      return m.ltU(x(a), x(b));
    case 'sbb':
      return m.select(carry!, m.leU(x(a), x(b)), m.ltU(x(a), x(b)));
    case 'logic':
      return m.i32(0);
    case 'inc':
    case 'dec':
      return v.kept ?? m.i32(0);
    case 'shl':
      if (bits !== 32 && bits !== 64) return undefined;
      return bit(m, m.shrU(a, m.sub(m.literal(a.type, bits), b as never) as Int), 0);
    case 'shr':
      return bit(m, m.shrU(a, m.sub(b, 1) as Int), 0);
    case 'sar':
      return bit(m, m.shrS(signed(m, a, bits), m.sub(b, 1) as Int), 0);
    default:
      return undefined;
  }
}

/** OF as 0 or 1 of additions and subtractions; undefined otherwise. */
function overflowOf(m: Machine, v: FlagValue): Val<'i32'> | undefined {
  if (v.form !== 'operation') return m.and(m.shrU(v.form === 'all' ? v.flags() : v.flags, 11), 1);
  const { kind, bits, a, b, result } = v;
  const top = (bits as number) - 1;
  switch (kind) {
    case 'logic':
      return m.i32(0);
    case 'add':
    case 'adc':
    case 'inc':
      return bit(m, m.and(m.xor(a, result), m.xor(b, result)) as Int, top);
    case 'sub':
    case 'sbb':
    case 'dec':
      return bit(m, m.and(m.xor(a, result), m.xor(a, b)) as Int, top);
    default:
      return undefined;
  }
}

/** All six arithmetic flags at their EFLAGS positions; undefined where the generic formula must be asked. */
export function allFlags(m: Machine, v: FlagValue): Val<'i32'> | undefined {
  if (v.form === 'all') return v.flags();
  const res = v.result.type === 'i64' ? m.wrap(v.result as Val<'i64'>) : (v.result as Val<'i32'>);
  const parity = m.shl(m.and(m.not(m.popcnt(m.and(res, 0xff))), 1), 2);
  const zero = m.shl(m.eqz(low(m, v.result, v.bits)), 6);
  const sign = m.shl(bit(m, v.result, (v.bits as number) - 1), 7);
  const result = m.or(m.or(parity, zero), sign);
  if (v.form === 'given') return m.or(result, v.flags);
  const carry = carryOf(m, v);
  const overflow = overflowOf(m, v);
  if (carry === undefined || overflow === undefined) return undefined;
  const x = m.xor(m.xor(v.a, v.b), v.result);
  const adjust =
    v.kind === 'logic' ? m.i32(0) : m.and(x.type === 'i64' ? m.wrap(x as Val<'i64'>) : (x as Val<'i32'>), Flag.AF);
  return m.or(m.or(result, adjust), m.or(carry, m.shl(overflow, 11)));
}

/** A condition code (0-15) as 0 or not 0; undefined where the generic formula must be asked. */
export function conditionOf(m: Machine, v: FlagValue, cc: number): Val<'i32'> | undefined {
  const negated = (cc & 1) !== 0;
  const not = (c: Val<'i32'> | undefined): Val<'i32'> | undefined => (c === undefined || !negated ? c : m.eqz(c));
  if (v.form === 'all')
    return not(cc >> 1 === 1 && v.carry !== undefined ? v.carry : ofAll(m, m.let(v.flags()), cc >> 1));
  const { bits, result } = v;
  const zero = (): Val<'i32'> => m.eqz(low(m, result, bits));
  const sign = (): Val<'i32'> => m.ltS(signed(m, result, bits), 0);
  const both = (a: Val<'i32'> | undefined, f: (a: Val<'i32'>) => Val<'i32'>): Val<'i32'> | undefined =>
    a === undefined ? undefined : f(a);
  const compares = v.form === 'operation' && v.kind === 'sub';
  const logic = v.form === 'operation' && v.kind === 'logic';
  switch (cc >> 1) {
    case 0:
      return not(overflowOf(m, v));
    case 1:
      if (compares)
        return negated ? m.geU(low(m, v.a, bits), low(m, v.b, bits)) : m.ltU(low(m, v.a, bits), low(m, v.b, bits));
      return not(carryOf(m, v));
    case 2:
      if (compares)
        return negated ? m.ne(low(m, v.a, bits), low(m, v.b, bits)) : m.eq(low(m, v.a, bits), low(m, v.b, bits));
      return negated ? m.ne(low(m, result, bits), 0) : zero();
    case 3:
      if (compares)
        return negated ? m.gtU(low(m, v.a, bits), low(m, v.b, bits)) : m.leU(low(m, v.a, bits), low(m, v.b, bits));
      if (logic) return negated ? m.ne(low(m, result, bits), 0) : zero();
      return not(both(carryOf(m, v), (c) => m.or(c, zero())));
    case 4:
      return negated ? m.geS(signed(m, result, bits), 0) : sign();
    case 5: {
      const r = result.type === 'i64' ? m.wrap(result as Val<'i64'>) : (result as Val<'i32'>);
      const odd = m.and(m.popcnt(m.and(r, 0xff)), 1);
      return negated ? odd : m.eqz(odd);
    }
    case 6:
      if (compares)
        return negated
          ? m.geS(signed(m, v.a, bits), signed(m, v.b, bits))
          : m.ltS(signed(m, v.a, bits), signed(m, v.b, bits));
      if (logic) return negated ? m.geS(signed(m, result, bits), 0) : sign();
      return not(both(overflowOf(m, v), (o) => m.xor(o, sign())));
    default:
      if (compares)
        return negated
          ? m.gtS(signed(m, v.a, bits), signed(m, v.b, bits))
          : m.leS(signed(m, v.a, bits), signed(m, v.b, bits));
      if (logic) return negated ? m.gtS(signed(m, result, bits), 0) : m.leS(signed(m, result, bits), 0);
      return not(both(overflowOf(m, v), (o) => m.or(m.xor(o, sign()), zero())));
  }
}

function ofAll(m: Machine, f: Val<'i32'>, which: number): Val<'i32'> {
  const less = (): Val<'i32'> => m.and(m.xor(m.shrU(f, 7), m.shrU(f, 11)), 1);
  switch (which) {
    case 0:
      return m.ne(m.and(f, Flag.OF), 0);
    case 1:
      return m.ne(m.and(f, Flag.CF), 0);
    case 2:
      return m.ne(m.and(f, Flag.ZF), 0);
    case 3:
      return m.ne(m.and(f, Flag.CF | Flag.ZF), 0);
    case 4:
      return m.ne(m.and(f, Flag.SF), 0);
    case 5:
      return m.ne(m.and(f, Flag.PF), 0);
    case 6:
      return less();
    default:
      return m.or(less(), m.ne(m.and(f, Flag.ZF), 0));
  }
}
