import type { FuncRef, ValType } from './types.ts';
import type { Writer } from './writer.ts';

/** What an expression node is; decides how it is written. */
export const Node = {
  Const: 0,
  Local: 1,
  /** operands a, b, c then one opcode byte */
  Op: 2,
  /** address a, opcode, alignment and memory `lo` (see `accessOf`), offset `hi` */
  Load: 3,
  Call: 4,
  Global: 5,
  /** operands a, b, c then 0xfd, LEB opcode, optional lane `lo` */
  Simd: 6,
  /** address a (and b), 0xfd memory access: opcode, alignment and memory `lo`, offset `hi`, lane in `num` (or -1) */
  SimdMem: 7,
  /** operand a then 0xfc, LEB opcode */
  Misc: 8,
  /** value a, local `lo`: assigns and yields */
  Tee: 9,
  CallIndirect: 10,
  /** i8x16.shuffle: a, b and 16 lane bytes */
  Shuffle: 11,
  /** operands then 0xfe, LEB opcode, alignment, offset */
  Atomic: 12,
} as const;

/**
 * A typed WebAssembly expression: a small tree that is written where it is used. Using it twice writes (and evaluates) it
 * twice; name it with `Code.let` first. A load is evaluated where it is written, so a store in between is seen.
 */
export class Val<out T extends ValType = ValType> {
  readonly type: T;
  readonly kind: number;
  readonly op: number;
  /** Operands, low to high in evaluation order. */
  a: Val | undefined = undefined;
  b: Val | undefined = undefined;
  c: Val | undefined = undefined;
  /** Small payloads; meaning depends on `kind`. Constants of i64 keep their halves in `lo` and `hi`. */
  lo = 0;
  hi = 0;
  num = 0;
  list: readonly Val[] | undefined = undefined;
  func: FuncRef | undefined = undefined;
  bytes: Uint8Array | undefined = undefined;

  constructor(type: T, kind: number, op: number) {
    this.type = type;
    this.kind = kind;
    this.op = op;
  }

  /** Whether the value is a literal. */
  get isConst(): boolean {
    return this.kind === Node.Const;
  }

  /** Whether evaluating it has no effect and costs no more than a register read: literals and locals. */
  get isSimple(): boolean {
    return this.kind === Node.Const || this.kind === Node.Local;
  }

  /** Whether it is the integer literal `value` (sign-extended 32-bit). */
  is(value: number): boolean {
    if (this.kind !== Node.Const) return false;
    if (this.type === 'i32') return this.lo === (value | 0);
    return this.type === 'i64' && this.lo === (value | 0) && this.hi === value >> 31;
  }

  /** The literal as a bigint, two's complement signed. Only for integer constants. */
  get big(): bigint {
    return this.type === 'i32' ? BigInt(this.lo) : (BigInt(this.hi) << 32n) | BigInt(this.lo >>> 0);
  }
}

/** Literal i32. */
export function i32(value: number): Val<'i32'> {
  const v = new Val('i32', Node.Const, 0x41);
  v.lo = value | 0;
  return v;
}

/** Literal i64 from its halves. */
export function i64parts(lo: number, hi: number): Val<'i64'> {
  const v = new Val('i64', Node.Const, 0x42);
  v.lo = lo | 0;
  v.hi = hi | 0;
  return v;
}

/** Literal i64 from an integer of at most 53 bits or a bigint (wrapped to 64 bits). */
export function i64(value: number | bigint): Val<'i64'> {
  if (typeof value === 'number' && value === (value | 0)) return i64parts(value, value >> 31);
  const big = BigInt.asUintN(64, BigInt(value));
  return i64parts(Number(big & 0xffffffffn), Number(big >> 32n));
}

/** Literal f32. */
export function f32(value: number): Val<'f32'> {
  const v = new Val('f32', Node.Const, 0x43);
  v.num = Math.fround(value);
  return v;
}

/** Literal f64. */
export function f64(value: number): Val<'f64'> {
  const v = new Val('f64', Node.Const, 0x44);
  v.num = value;
  return v;
}

/** Literal v128 from its 16 bytes, lane 0 first. */
export function v128(bytes: ArrayLike<number>): Val<'v128'> {
  const v = new Val('v128', Node.Const, 12);
  v.bytes = Uint8Array.from(bytes);
  return v;
}

/** Literal v128 whose two 64-bit lanes hold the given values. */
export function v128pair(lo: bigint, hi: bigint): Val<'v128'> {
  const view = new DataView(new ArrayBuffer(16));
  view.setBigUint64(0, BigInt.asUintN(64, lo), true);
  view.setBigUint64(8, BigInt.asUintN(64, hi), true);
  return v128(new Uint8Array(view.buffer));
}

/** Writes an expression in stack order. */
export function emit(w: Writer, v: Val): void {
  if (v.a !== undefined) emit(w, v.a);
  if (v.b !== undefined) emit(w, v.b);
  if (v.c !== undefined) emit(w, v.c);
  switch (v.kind) {
    case Node.Const:
      emitConst(w, v);
      return;
    case Node.Local:
      w.u8(0x20);
      w.u32(v.lo);
      return;
    case Node.Op:
      w.u8(v.op);
      return;
    case Node.Load:
      w.u8(v.op);
      emitAccess(w, v.lo, v.hi);
      return;
    case Node.Call:
      for (const x of v.list!) emit(w, x);
      w.u8(0x10);
      w.u32(v.func!.index);
      return;
    case Node.CallIndirect:
      // `a` must be evaluated last: it was put at the end of the list by the builder
      for (const x of v.list!) emit(w, x);
      w.u8(0x11);
      w.u32(v.lo);
      w.u32(v.hi);
      return;
    case Node.Global:
      w.u8(0x23);
      w.u32(v.lo);
      return;
    case Node.Simd:
      w.u8(0xfd);
      w.u32(v.op);
      if (v.lo >= 0) w.u8(v.lo);
      return;
    case Node.SimdMem:
      w.u8(0xfd);
      w.u32(v.op);
      emitAccess(w, v.lo, v.hi);
      if (v.num >= 0) w.u8(v.num);
      return;
    case Node.Misc:
      w.u8(0xfc);
      w.u32(v.op);
      return;
    case Node.Tee:
      w.u8(0x22);
      w.u32(v.lo);
      return;
    case Node.Shuffle:
      w.u8(0xfd);
      w.u32(13);
      w.bytes(v.bytes!);
      return;
    case Node.Atomic:
      w.u8(0xfe);
      w.u32(v.op);
      w.u8(v.lo);
      w.u32(v.hi);
      return;
  }
}

/** Bit of the alignment that announces the index of a memory. */
const OTHER_MEMORY = 0x40;

/** How an access to a memory is written: no alignment is promised, and memory 0 is not named. */
export function accessOf(memory: number): number {
  return memory === 0 ? 0 : OTHER_MEMORY | (memory << 8);
}

/** Writes the immediates of an access. */
export function emitAccess(w: Writer, access: number, offset: number): void {
  w.u8(access & 0xff);
  if ((access & OTHER_MEMORY) !== 0) w.u32(access >>> 8);
  w.u32(offset);
}

function emitConst(w: Writer, v: Val): void {
  switch (v.type) {
    case 'i32':
      w.u8(0x41);
      w.s32(v.lo);
      return;
    case 'i64':
      w.u8(0x42);
      w.s64(v.lo, v.hi);
      return;
    case 'f32':
      w.u8(0x43);
      w.f32(v.num);
      return;
    case 'f64':
      w.u8(0x44);
      w.f64(v.num);
      return;
    case 'v128':
      emitVector(w, v.bytes!);
      return;
  }
}

/** A vector of two equal halves is shorter as a splat, and V8's code for it is faster. */
function emitVector(w: Writer, bytes: Uint8Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, 16);
  const [a, b, c, d] = [0, 4, 8, 12].map((at) => view.getInt32(at, true)) as [number, number, number, number];
  const equal = a === c && b === d;
  if (!equal || (a | b) === 0) {
    w.u8(0xfd);
    w.u32(12);
    w.bytes(bytes);
    return;
  }
  w.u8(0x42);
  w.s64(a, b);
  w.u8(0xfd);
  w.u32(0x12);
}
