import { foldBinary, foldCompare, type IntBinary, type IntCompare } from './fold.ts';
import { LOADS, type LoadKind, SIMD_LOADS, type SimdLoadKind, type TypeOfKind } from './memory-ops.ts';
import { SimdOps } from './simd-ops.ts';
import type { FloatType, FuncRef, IntType, NumType, ValType } from './types.ts';
import { accessOf, f32, f64, i32, i64, Node, Val } from './val.ts';

/** An operand: an expression, or a number that becomes a literal of the other operand's type. */
export type Arg<T extends ValType> = Val<T> | number | bigint;

const INT: Readonly<Record<IntBinary, number>> = {
  add: 0x6a,
  sub: 0x6b,
  mul: 0x6c,
  div_s: 0x6d,
  div_u: 0x6e,
  rem_s: 0x6f,
  rem_u: 0x70,
  and: 0x71,
  or: 0x72,
  xor: 0x73,
  shl: 0x74,
  shr_s: 0x75,
  shr_u: 0x76,
  rotl: 0x77,
  rotr: 0x78,
};
const CMP: Readonly<Record<IntCompare, number>> = {
  eq: 0x46,
  ne: 0x47,
  lt_s: 0x48,
  lt_u: 0x49,
  gt_s: 0x4a,
  gt_u: 0x4b,
  le_s: 0x4c,
  le_u: 0x4d,
  ge_s: 0x4e,
  ge_u: 0x4f,
};

/** Checks arguments against a signature, so that a slip is found where it is made and not by the validator. */
export function checkArgs(func: FuncRef, args: readonly Val[]): void {
  const { params } = func.type;
  if (params.length !== args.length)
    throw new Error(`${func.name} takes ${params.length} arguments, got ${args.length}`);
  for (let i = 0; i < args.length; i++) {
    if (args[i]!.type !== params[i])
      throw new Error(`${func.name}: argument ${i} is ${args[i]!.type}, not ${params[i]}`);
  }
}

function op<T extends ValType>(type: T, code: number, a: Val, b?: Val, c?: Val): Val<T> {
  const v = new Val(type, Node.Op, code);
  v.a = a;
  v.b = b;
  v.c = c;
  return v;
}

/**
 * Constructors of typed expressions with constant folding. They write nothing: an expression is written where a statement
 * uses it. Integer operators take i32 or i64 and give the same; comparisons give i32.
 */
export class Ops extends SimdOps {
  /** Literal i32. */
  i32(value: number): Val<'i32'> {
    return i32(value);
  }
  /** Literal i64. */
  i64(value: number | bigint): Val<'i64'> {
    return i64(value);
  }
  /** Literal f32. */
  f32(value: number): Val<'f32'> {
    return f32(value);
  }
  /** Literal f64. */
  f64(value: number): Val<'f64'> {
    return f64(value);
  }
  /** Literal of a chosen numeric type. */
  literal<T extends NumType>(type: T, value: number | bigint): Val<T> {
    const v: Val =
      type === 'i32'
        ? i32(Number(BigInt.asIntN(32, BigInt(value))))
        : type === 'i64'
          ? i64(value)
          : type === 'f32'
            ? f32(Number(value))
            : f64(Number(value));
    return v as Val<T>;
  }
  /** An operand as an expression. */
  arg<T extends ValType>(type: T, value: Arg<T>): Val<T> {
    return value instanceof Val ? value : (this.literal(type as NumType, value) as unknown as Val<T>);
  }

  #int<T extends IntType>(name: IntBinary, a: Val<T>, b: Arg<T>): Val<T> {
    const y = this.arg(a.type, b);
    const folded = foldBinary(name, a, y);
    if (folded !== undefined) return folded as Val<T>;
    return op(a.type, INT[name] + (a.type === 'i64' ? 0x12 : 0), a, y);
  }
  #cmp<T extends IntType>(name: IntCompare, a: Val<T>, b: Arg<T>): Val<'i32'> {
    const y = this.arg(a.type, b);
    return foldCompare(name, a, y) ?? op('i32', CMP[name] + (a.type === 'i64' ? 0xb : 0), a, y);
  }

  /** Sum; also of floats. */
  add<T extends NumType>(a: Val<T>, b: Arg<T>): Val<T> {
    return a.type === 'f32' || a.type === 'f64'
      ? this.#float(0, a, b)
      : (this.#int('add', a as Val<IntType>, b as Arg<IntType>) as Val<T>);
  }
  /** Difference; also of floats. */
  sub<T extends NumType>(a: Val<T>, b: Arg<T>): Val<T> {
    return a.type === 'f32' || a.type === 'f64'
      ? this.#float(1, a, b)
      : (this.#int('sub', a as Val<IntType>, b as Arg<IntType>) as Val<T>);
  }
  /** Product; also of floats. */
  mul<T extends NumType>(a: Val<T>, b: Arg<T>): Val<T> {
    return a.type === 'f32' || a.type === 'f64'
      ? this.#float(2, a, b)
      : (this.#int('mul', a as Val<IntType>, b as Arg<IntType>) as Val<T>);
  }
  /** Signed quotient. Traps on zero and overflow: guard it. */
  divS<T extends IntType>(a: Val<T>, b: Arg<T>): Val<T> {
    return this.#int('div_s', a, b);
  }
  /** Unsigned quotient. Traps on zero: guard it. */
  divU<T extends IntType>(a: Val<T>, b: Arg<T>): Val<T> {
    return this.#int('div_u', a, b);
  }
  /** Signed remainder. Traps on zero: guard it. */
  remS<T extends IntType>(a: Val<T>, b: Arg<T>): Val<T> {
    return this.#int('rem_s', a, b);
  }
  /** Unsigned remainder. Traps on zero: guard it. */
  remU<T extends IntType>(a: Val<T>, b: Arg<T>): Val<T> {
    return this.#int('rem_u', a, b);
  }
  /** Bitwise and. */
  and<T extends IntType>(a: Val<T>, b: Arg<T>): Val<T> {
    return this.#int('and', a, b);
  }
  /** Bitwise or. */
  or<T extends IntType>(a: Val<T>, b: Arg<T>): Val<T> {
    return this.#int('or', a, b);
  }
  /** Bitwise exclusive or. */
  xor<T extends IntType>(a: Val<T>, b: Arg<T>): Val<T> {
    return this.#int('xor', a, b);
  }
  /** Bitwise complement. */
  not<T extends IntType>(a: Val<T>): Val<T> {
    return this.#int('xor', a, -1);
  }
  /** Two's complement negation of an integer, sign flip of a float. */
  neg<T extends NumType>(a: Val<T>): Val<T> {
    if (a.type === 'f32') return op(a.type, 0x8c, a);
    if (a.type === 'f64') return op(a.type, 0x9a, a);
    return this.sub(this.literal(a.type, 0) as Val<T>, a);
  }
  /** Left shift; the count is taken modulo the width. */
  shl<T extends IntType>(a: Val<T>, n: Arg<T>): Val<T> {
    return this.#int('shl', a, n);
  }
  /** Arithmetic right shift; the count is taken modulo the width. */
  shrS<T extends IntType>(a: Val<T>, n: Arg<T>): Val<T> {
    return this.#int('shr_s', a, n);
  }
  /** Logical right shift; the count is taken modulo the width. */
  shrU<T extends IntType>(a: Val<T>, n: Arg<T>): Val<T> {
    return this.#int('shr_u', a, n);
  }
  /** Rotate left. */
  rotl<T extends IntType>(a: Val<T>, n: Arg<T>): Val<T> {
    return this.#int('rotl', a, n);
  }
  /** Rotate right. */
  rotr<T extends IntType>(a: Val<T>, n: Arg<T>): Val<T> {
    return this.#int('rotr', a, n);
  }
  /** Leading zeros. */
  clz<T extends IntType>(a: Val<T>): Val<T> {
    return op(a.type, a.type === 'i32' ? 0x67 : 0x79, a);
  }
  /** Trailing zeros. */
  ctz<T extends IntType>(a: Val<T>): Val<T> {
    return op(a.type, a.type === 'i32' ? 0x68 : 0x7a, a);
  }
  /** Number of one bits. */
  popcnt<T extends IntType>(a: Val<T>): Val<T> {
    return op(a.type, a.type === 'i32' ? 0x69 : 0x7b, a);
  }

  /** Equal; also of floats. */
  eq<T extends NumType>(a: Val<T>, b: Arg<T>): Val<'i32'> {
    if (a.type === 'f32' || a.type === 'f64') return this.fcmp(0, a as Val<FloatType>, b as Arg<FloatType>);
    const y = this.arg(a.type, b);
    return y.is(0) ? this.eqz(a as Val<IntType>) : this.#cmp('eq', a as Val<IntType>, y as Val<IntType>);
  }
  /** Not equal; also of floats. */
  ne<T extends NumType>(a: Val<T>, b: Arg<T>): Val<'i32'> {
    if (a.type === 'f32' || a.type === 'f64') return this.fcmp(1, a as Val<FloatType>, b as Arg<FloatType>);
    return this.#cmp('ne', a as Val<IntType>, b as Arg<IntType>);
  }
  /** Zero test; logical negation of a condition. */
  eqz<T extends IntType>(a: Val<T>): Val<'i32'> {
    if (a.isConst) return i32(a.lo === 0 && a.hi === 0 ? 1 : 0);
    return op('i32', a.type === 'i32' ? 0x45 : 0x50, a);
  }
  /** Signed less. */
  ltS<T extends IntType>(a: Val<T>, b: Arg<T>): Val<'i32'> {
    return this.#cmp('lt_s', a, b);
  }
  /** Unsigned less. */
  ltU<T extends IntType>(a: Val<T>, b: Arg<T>): Val<'i32'> {
    return this.#cmp('lt_u', a, b);
  }
  /** Signed greater. */
  gtS<T extends IntType>(a: Val<T>, b: Arg<T>): Val<'i32'> {
    return this.#cmp('gt_s', a, b);
  }
  /** Unsigned greater. */
  gtU<T extends IntType>(a: Val<T>, b: Arg<T>): Val<'i32'> {
    return this.#cmp('gt_u', a, b);
  }
  /** Signed less or equal. */
  leS<T extends IntType>(a: Val<T>, b: Arg<T>): Val<'i32'> {
    return this.#cmp('le_s', a, b);
  }
  /** Unsigned less or equal. */
  leU<T extends IntType>(a: Val<T>, b: Arg<T>): Val<'i32'> {
    return this.#cmp('le_u', a, b);
  }
  /** Signed greater or equal. */
  geS<T extends IntType>(a: Val<T>, b: Arg<T>): Val<'i32'> {
    return this.#cmp('ge_s', a, b);
  }
  /** Unsigned greater or equal. */
  geU<T extends IntType>(a: Val<T>, b: Arg<T>): Val<'i32'> {
    return this.#cmp('ge_u', a, b);
  }

  /** Float comparison by its place in the opcode table: eq ne lt gt le ge. */
  fcmp<T extends FloatType>(which: 0 | 1 | 2 | 3 | 4 | 5, a: Val<T>, b: Arg<T>): Val<'i32'> {
    return op('i32', (a.type === 'f32' ? 0x5b : 0x61) + which, a, this.arg(a.type, b));
  }
  /** Float less. */
  flt<T extends FloatType>(a: Val<T>, b: Arg<T>): Val<'i32'> {
    return this.fcmp(2, a, b);
  }
  /** Float greater. */
  fgt<T extends FloatType>(a: Val<T>, b: Arg<T>): Val<'i32'> {
    return this.fcmp(3, a, b);
  }
  /** Float less or equal. */
  fle<T extends FloatType>(a: Val<T>, b: Arg<T>): Val<'i32'> {
    return this.fcmp(4, a, b);
  }
  /** Float greater or equal. */
  fge<T extends FloatType>(a: Val<T>, b: Arg<T>): Val<'i32'> {
    return this.fcmp(5, a, b);
  }
  #float<T extends NumType>(which: number, a: Val<T>, b: Arg<T>): Val<T> {
    return op(a.type, (a.type === 'f32' ? 0x92 : 0xa0) + which, a, this.arg(a.type, b));
  }
  /** Float quotient. */
  fdiv<T extends FloatType>(a: Val<T>, b: Arg<T>): Val<T> {
    return this.#float(3, a, b);
  }
  /** IEEE minimum (NaN propagates). */
  fmin<T extends FloatType>(a: Val<T>, b: Arg<T>): Val<T> {
    return this.#float(4, a, b);
  }
  /** IEEE maximum (NaN propagates). */
  fmax<T extends FloatType>(a: Val<T>, b: Arg<T>): Val<T> {
    return this.#float(5, a, b);
  }
  /** First operand with the second's sign. */
  copysign<T extends FloatType>(a: Val<T>, b: Val<T>): Val<T> {
    return this.#float(6, a, b);
  }
  /** One-operand float functions. */
  funary<T extends FloatType>(
    name: 'abs' | 'neg' | 'ceil' | 'floor' | 'trunc' | 'nearest' | 'sqrt',
    a: Val<T>,
  ): Val<T> {
    const n = ['abs', 'neg', 'ceil', 'floor', 'trunc', 'nearest', 'sqrt'].indexOf(name);
    return op(a.type, (a.type === 'f32' ? 0x8b : 0x99) + n, a);
  }

  /** Low half of an i64. */
  wrap(a: Val<'i64'>): Val<'i32'> {
    if (a.isConst) return i32(a.lo);
    if (a.kind === Node.Op && (a.op === 0xac || a.op === 0xad)) return a.a as Val<'i32'>;
    return op('i32', 0xa7, a);
  }
  /** Zero-extends an i32. */
  extU(a: Val<'i32'>): Val<'i64'> {
    return a.isConst ? i64(a.lo >>> 0) : op('i64', 0xad, a);
  }
  /** Sign-extends an i32. */
  extS(a: Val<'i32'>): Val<'i64'> {
    return a.isConst ? i64(a.lo) : op('i64', 0xac, a);
  }
  /** Sign-extends the low 8 bits within the type. */
  ext8<T extends IntType>(a: Val<T>): Val<T> {
    if (a.isConst) return this.literal(a.type, (a.lo << 24) >> 24) as Val<T>;
    return op(a.type, a.type === 'i32' ? 0xc0 : 0xc2, a);
  }
  /** Sign-extends the low 16 bits within the type. */
  ext16<T extends IntType>(a: Val<T>): Val<T> {
    if (a.isConst) return this.literal(a.type, (a.lo << 16) >> 16) as Val<T>;
    return op(a.type, a.type === 'i32' ? 0xc1 : 0xc3, a);
  }
  /** Sign-extends the low 32 bits of an i64. */
  ext32(a: Val<'i64'>): Val<'i64'> {
    return a.isConst ? i64(a.lo) : op('i64', 0xc4, a);
  }
  /** Reinterprets bits between i32/f32 and i64/f64. */
  reinterpret(a: Val<'i32'>): Val<'f32'>;
  reinterpret(a: Val<'i64'>): Val<'f64'>;
  reinterpret(a: Val<'f32'>): Val<'i32'>;
  reinterpret(a: Val<'f64'>): Val<'i64'>;
  reinterpret(a: Val): Val {
    if (a.type === 'f32') return op('i32', 0xbc, a);
    if (a.type === 'f64') return op('i64', 0xbd, a);
    return a.type === 'i32' ? op('f32', 0xbe, a) : op('f64', 0xbf, a);
  }
  /** Converts an integer to a float of `type`, rounding to nearest. */
  convert<T extends FloatType>(type: T, a: Val<IntType>, signed = true): Val<T> {
    const base = type === 'f32' ? 0xb2 : 0xb7;
    return op(type, base + (a.type === 'i64' ? 2 : 0) + (signed ? 0 : 1), a);
  }
  /** Narrows f64 to f32. */
  demote(a: Val<'f64'>): Val<'f32'> {
    return op('f32', 0xb6, a);
  }
  /** Widens f32 to f64. */
  promote(a: Val<'f32'>): Val<'f64'> {
    return op('f64', 0xbb, a);
  }
  /** Saturating truncation of a float to an integer of `type`; NaN gives 0. */
  truncSat<T extends IntType>(type: T, a: Val<FloatType>, signed = true): Val<T> {
    const v = new Val(type, Node.Misc, (type === 'i64' ? 4 : 0) + (a.type === 'f64' ? 2 : 0) + (signed ? 0 : 1));
    v.a = a;
    return v;
  }

  /** `cond ? a : b`, both evaluated. */
  select<T extends ValType>(cond: Val<'i32'>, a: Val<T>, b: Arg<T>): Val<T> {
    const y = this.arg(a.type, b);
    if (cond.isConst && (cond.lo !== 0 ? y : a).isSimple) return cond.lo !== 0 ? a : y;
    return op(a.type, 0x1b, a, y, cond);
  }

  /** Reads a linear memory at `addr + offset`; unaligned is allowed. Evaluated where it is written. */
  load<K extends LoadKind>(kind: K, addr: Arg<'i32'>, offset = 0, memory = 0): Val<TypeOfKind<K>> {
    const [type, code] = LOADS[kind];
    const v = new Val(type, kind === 'v128' ? Node.SimdMem : Node.Load, code);
    v.a = this.arg('i32', addr);
    v.lo = accessOf(memory);
    v.hi = offset;
    v.num = -1;
    return v as unknown as Val<TypeOfKind<K>>;
  }
  /** SIMD load that extends, splats or zero-fills. */
  simdLoad(kind: SimdLoadKind, addr: Arg<'i32'>, offset = 0): Val<'v128'> {
    const v = new Val('v128', Node.SimdMem, SIMD_LOADS[kind]);
    v.a = this.arg('i32', addr);
    v.hi = offset;
    v.num = -1;
    return v;
  }

  /**
   * Calls a function with one result. The call happens where the expression is written, exactly once: pass it to `let`,
   * `set`, `if` or a store at once.
   */
  call<T extends ValType = 'i32'>(func: FuncRef, ...args: Val[]): Val<T> {
    if (func.type.results.length !== 1) throw new Error(`${func.name} does not return one value`);
    checkArgs(func, args);
    const v = new Val(func.type.results[0]!, Node.Call, 0x10);
    v.list = args;
    v.func = func;
    return v as unknown as Val<T>;
  }
}

/** Stateless expression constructors for code outside a function body. */
export const ops: Ops = new Ops();
