import { i32, i64, i64parts, Node, type Val } from './val.ts';

/** Integer operators by their i32 opcode; the i64 forms are folded by the same names. */
export type IntBinary =
  | 'add'
  | 'sub'
  | 'mul'
  | 'and'
  | 'or'
  | 'xor'
  | 'shl'
  | 'shr_s'
  | 'shr_u'
  | 'rotl'
  | 'rotr'
  | 'div_s'
  | 'div_u'
  | 'rem_s'
  | 'rem_u';
/** Integer comparisons; the result is an i32 of 0 or 1. */
export type IntCompare = 'eq' | 'ne' | 'lt_s' | 'lt_u' | 'gt_s' | 'gt_u' | 'le_s' | 'le_u' | 'ge_s' | 'ge_u';

/** Folds a binary operator over two literals, or simplifies by an identity; `undefined` when it must be computed. */
export function foldBinary(name: IntBinary, a: Val, b: Val): Val | undefined {
  if (a.kind === Node.Const && b.kind === Node.Const) {
    if (a.type === 'i32') {
      const r = fold32(name, a.lo, b.lo);
      return r === undefined ? undefined : i32(r);
    }
    return fold64(name, a, b);
  }
  if (b.kind === Node.Const) {
    switch (name) {
      case 'add':
      case 'sub':
      case 'or':
      case 'xor':
      case 'shl':
      case 'shr_s':
      case 'shr_u':
      case 'rotl':
      case 'rotr':
        if (b.is(0)) return a;
        return name === 'or' && b.is(-1) && a.isSimple ? b : undefined;
      case 'and':
        if (b.is(-1)) return a;
        return b.is(0) && a.isSimple ? b : undefined;
      case 'mul':
        if (b.is(1)) return a;
        return b.is(0) && a.isSimple ? b : undefined;
      case 'div_u':
      case 'div_s':
        return b.is(1) ? a : undefined;
      default:
        return undefined;
    }
  }
  if (a.kind === Node.Const) {
    if ((name === 'add' || name === 'or' || name === 'xor') && a.is(0)) return b;
    if (name === 'and' && a.is(-1)) return b;
    if (name === 'mul' && a.is(1)) return b;
  }
  return undefined;
}

function fold32(name: IntBinary, a: number, b: number): number | undefined {
  switch (name) {
    case 'add':
      return a + b;
    case 'sub':
      return a - b;
    case 'mul':
      return Math.imul(a, b);
    case 'and':
      return a & b;
    case 'or':
      return a | b;
    case 'xor':
      return a ^ b;
    case 'shl':
      return a << b;
    case 'shr_s':
      return a >> b;
    case 'shr_u':
      return a >>> b;
    case 'rotl':
      return (a << (b & 31)) | (a >>> (-b & 31));
    case 'rotr':
      return (a >>> (b & 31)) | (a << (-b & 31));
    case 'div_s':
      return b === 0 || (b === -1 && a === -0x80000000) ? undefined : Math.trunc(a / b);
    case 'div_u':
      return b === 0 ? undefined : Math.floor((a >>> 0) / (b >>> 0));
    case 'rem_s':
      return b === 0 ? undefined : a % b;
    case 'rem_u':
      return b === 0 ? undefined : (a >>> 0) % (b >>> 0);
  }
}

function fold64(name: IntBinary, a: Val, b: Val): Val | undefined {
  switch (name) {
    case 'and':
      return i64parts(a.lo & b.lo, a.hi & b.hi);
    case 'or':
      return i64parts(a.lo | b.lo, a.hi | b.hi);
    case 'xor':
      return i64parts(a.lo ^ b.lo, a.hi ^ b.hi);
    default:
  }
  const x = a.big;
  const y = b.big;
  const ux = BigInt.asUintN(64, x);
  const uy = BigInt.asUintN(64, y);
  const n = uy & 63n;
  switch (name) {
    case 'add':
      return i64(x + y);
    case 'sub':
      return i64(x - y);
    case 'mul':
      return i64(x * y);
    case 'shl':
      return i64(x << n);
    case 'shr_s':
      return i64(x >> n);
    case 'shr_u':
      return i64(ux >> n);
    case 'rotl':
      return i64((ux << n) | (ux >> (64n - n)));
    case 'rotr':
      return i64((ux >> n) | (ux << (64n - n)));
    case 'div_s':
      return y === 0n || (y === -1n && x === -(1n << 63n)) ? undefined : i64(x / y);
    case 'div_u':
      return y === 0n ? undefined : i64(ux / uy);
    case 'rem_s':
      return y === 0n ? undefined : i64(x % y);
    case 'rem_u':
      return y === 0n ? undefined : i64(ux % uy);
    default:
      return undefined;
  }
}

/** Folds a comparison of two integer literals. */
export function foldCompare(name: IntCompare, a: Val, b: Val): Val<'i32'> | undefined {
  if (a.kind !== Node.Const || b.kind !== Node.Const) return undefined;
  const x = a.big;
  const y = b.big;
  const bits = a.type === 'i32' ? 32 : 64;
  const ux = BigInt.asUintN(bits, x);
  const uy = BigInt.asUintN(bits, y);
  switch (name) {
    case 'eq':
      return i32(x === y ? 1 : 0);
    case 'ne':
      return i32(x !== y ? 1 : 0);
    case 'lt_s':
      return i32(x < y ? 1 : 0);
    case 'lt_u':
      return i32(ux < uy ? 1 : 0);
    case 'gt_s':
      return i32(x > y ? 1 : 0);
    case 'gt_u':
      return i32(ux > uy ? 1 : 0);
    case 'le_s':
      return i32(x <= y ? 1 : 0);
    case 'le_u':
      return i32(ux <= uy ? 1 : 0);
    case 'ge_s':
      return i32(x >= y ? 1 : 0);
    case 'ge_u':
      return i32(ux >= uy ? 1 : 0);
  }
}
