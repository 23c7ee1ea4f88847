import { STORES, type StoreKind, type TypeOfKind } from './memory-ops.ts';
import { type Arg, checkArgs, Ops } from './ops.ts';
import { type FuncRef, type Signature, TYPE_CODE, type ValType, VOID_BLOCK } from './types.ts';
import { accessOf, emitAccess, emit as emitVal, Node, Val } from './val.ts';
import { Writer } from './writer.ts';

/** A target of branches: the end of a block or the start of a loop. Named by object, so nesting needs no counting. */
export class Label {
  /** Nesting level at which it was opened. */
  readonly level: number;
  constructor(level: number) {
    this.level = level;
  }
}

/** An assignable local variable; also an expression that reads it. */
export type Local<T extends ValType = ValType> = Val<T>;

/** Something that has a table index and a type index known to the module builder. */
export interface TypeTable {
  typeIndex(type: Signature): number;
}

/** Expectation given to the engine about a condition: `true` likely, `false` unlikely. */
export type Hint = boolean | undefined;

/**
 * A function body under construction: statements append instructions at once, expressions are written when a statement uses
 * them. Bodies are structured with callbacks, so a block is always closed.
 */
export class Code extends Ops implements FuncRef {
  /** Number of the function in its module; a body may be written before it is known when nothing refers to it. */
  index: number;
  readonly name: string;
  readonly type: Signature;
  /** Parameters as locals. */
  readonly params: readonly Val[];
  /** Instructions written so far. */
  body: Writer;
  /** Branch hints: byte offset in `body` and expected outcome. */
  hints: { readonly offset: number; readonly likely: boolean }[] = [];
  #types: TypeTable;
  #locals: ValType[] = [];
  #free: Record<ValType, Val[]> = { i32: [], i64: [], f32: [], f64: [], v128: [] };
  #scope: Val[] | undefined = undefined;
  #level = 0;

  constructor(types: TypeTable, index: number, name: string, type: Signature, capacity = 256) {
    super();
    this.#types = types;
    this.index = index;
    this.name = name;
    this.type = type;
    this.body = new Writer(capacity);
    this.params = type.params.map((t, i) => local(t, i));
  }

  /** A parameter by position, with its type stated. */
  param<T extends ValType>(type: T, index: number): Local<T> {
    if (this.type.params[index] !== type) throw new Error(`${this.name}: parameter ${index} is not ${type}`);
    return this.params[index] as Local<T>;
  }

  /** A new local variable, zero at function entry. It is returned to the pool at the end of the enclosing `scope`. */
  local<T extends ValType>(type: T): Local<T> {
    const reused = this.#free[type].pop();
    const v = reused ?? local(type, this.type.params.length + this.#locals.length);
    if (reused === undefined) this.#locals.push(type);
    this.#scope?.push(v);
    return v as Local<T>;
  }

  /** A local variable that nothing else ever uses, whatever scope is open. */
  ownLocal<T extends ValType>(type: T): Local<T> {
    this.#locals.push(type);
    return local(type, this.type.params.length + this.#locals.length - 1);
  }

  /** Runs `fn`; locals created inside may be reused afterwards. */
  scope<R>(fn: () => R): R {
    const outer = this.#scope;
    const mine: Val[] = [];
    this.#scope = mine;
    try {
      return fn();
    } finally {
      for (const v of mine) this.#free[v.type].push(v);
      this.#scope = outer;
    }
  }

  /** As {@link scope}, but the locals stay in use and are given back with {@link release}. */
  collect(fn: () => void): Val[] {
    const outer = this.#scope;
    const mine: Val[] = [];
    this.#scope = mine;
    try {
      fn();
    } finally {
      this.#scope = outer;
    }
    return mine;
  }

  /** Gives a local of {@link collect} back for reuse. */
  release(v: Val): void {
    this.#free[v.type].push(v);
  }

  /** Writes code that comes before everything written so far. It must not refer to open blocks. */
  prefix(fn: () => void): void {
    const { body, hints } = this;
    this.body = new Writer(256);
    this.hints = [];
    fn();
    const shift = this.body.length;
    this.body.append(body);
    for (const h of hints) this.hints.push({ offset: h.offset + shift, likely: h.likely });
  }

  /** Evaluates now and names the result; a literal is returned unchanged. */
  let<T extends ValType>(value: Val<T>): Val<T> {
    if (value.isConst) return value;
    const v = this.local(value.type);
    this.set(v, value);
    return v;
  }

  /** Assigns a local. */
  set<T extends ValType>(target: Local<T>, value: Arg<T>): void {
    const v = this.arg(target.type, value);
    if (v.type !== target.type) throw new Error(`${this.name}: assigning ${v.type} to ${target.type}`);
    this.emit(v);
    this.body.u8(0x21);
    this.body.u32(target.lo);
  }

  /** Assigns a local and yields the value, as an expression. */
  tee<T extends ValType>(target: Local<T>, value: Val<T>): Val<T> {
    const v = new Val(target.type, Node.Tee, 0x22);
    v.a = value;
    v.lo = target.lo;
    return v;
  }

  /** Writes the instructions of an expression, leaving its value on the stack. For use by builders only. */
  emit(value: Val): void {
    emitVal(this.body, value);
  }

  /** Stores to a linear memory at `addr + offset`. */
  store<K extends StoreKind>(kind: K, addr: Arg<'i32'>, value: Val<TypeOfKind<K>>, offset = 0, memory = 0): void {
    const expected = kind.slice(0, 3) === 'v12' ? 'v128' : kind.slice(0, 3);
    if (value.type !== expected) throw new Error(`${this.name}: store ${kind} of ${value.type}`);
    this.emit(this.arg('i32', addr));
    this.emit(value);
    if (kind === 'v128') {
      this.body.u8(0xfd);
      this.body.u32(STORES.v128);
    } else this.body.u8(STORES[kind]);
    emitAccess(this.body, accessOf(memory), offset);
  }

  /** `memory.copy`, within memory 0 or between two: overlapping ranges are handled as by memmove. */
  memoryCopy(dst: Val<'i32'>, src: Val<'i32'>, length: Arg<'i32'>, memories = { dst: 0, src: 0 }): void {
    this.emit(dst);
    this.emit(src);
    this.emit(this.arg('i32', length));
    this.body.bytes([0xfc, 10, memories.dst, memories.src]);
  }

  /** `memory.fill` with the low byte of `value`. */
  memoryFill(dst: Val<'i32'>, value: Arg<'i32'>, length: Arg<'i32'>, memory = 0): void {
    this.emit(dst);
    this.emit(this.arg('i32', value));
    this.emit(this.arg('i32', length));
    this.body.bytes([0xfc, 11, memory]);
  }

  /** Calls a function as a statement, dropping its results. */
  do(func: FuncRef, ...args: Val[]): void {
    checkArgs(func, args);
    for (const x of args) this.emit(x);
    this.body.u8(0x10);
    this.body.u32(func.index);
    for (let i = 0; i < func.type.results.length; i++) this.body.u8(0x1a);
  }

  /** Calls a function with any number of results and names them. */
  callMulti(func: FuncRef, ...args: Val[]): Val[] {
    checkArgs(func, args);
    for (const x of args) this.emit(x);
    this.body.u8(0x10);
    this.body.u32(func.index);
    const out = func.type.results.map((t) => this.local(t));
    for (let i = out.length - 1; i >= 0; i--) {
      this.body.u8(0x21);
      this.body.u32(out[i]!.lo);
    }
    return out;
  }

  /** Calls through a table; an expression with one result. The table index is evaluated last. */
  callIndirect<T extends ValType = 'i32'>(type: Signature, slot: Val<'i32'>, args: readonly Val[], table = 0): Val<T> {
    const v = new Val(type.results[0]!, Node.CallIndirect, 0x11);
    v.list = [...args, slot];
    v.lo = this.#types.typeIndex(type);
    v.hi = table;
    return v as unknown as Val<T>;
  }

  /** Tail-calls a function with this function's result types. */
  returnCall(func: FuncRef, ...args: Val[]): void {
    checkArgs(func, args);
    for (const x of args) this.emit(x);
    this.body.u8(0x12);
    this.body.u32(func.index);
  }

  /** Tail-calls through a table. */
  returnCallIndirect(type: Signature, slot: Val<'i32'>, args: readonly Val[], table = 0): void {
    for (const x of args) this.emit(x);
    this.emit(slot);
    this.body.u8(0x13);
    this.body.u32(this.#types.typeIndex(type));
    this.body.u32(table);
  }

  /** Runs an expression for its effect. */
  drop(value: Val): void {
    this.emit(value);
    this.body.u8(0x1a);
  }

  /** Assigns a mutable global. */
  setGlobal(index: number, value: Val): void {
    this.emit(value);
    this.body.u8(0x24);
    this.body.u32(index);
  }

  /** Reads a global. */
  global<T extends ValType>(type: T, index: number): Val<T> {
    const v = new Val(type, Node.Global, 0x23);
    v.lo = index;
    return v;
  }

  /** A block whose label's branches leave it. */
  block(fn: (end: Label) => void): void {
    this.#open(0x02, fn);
  }

  /** A loop whose label's branches repeat it; falling out of the callback leaves it. */
  loop(fn: (again: Label) => void): void {
    this.#open(0x03, fn);
  }

  #open(opcode: number, fn: (label: Label) => void): void {
    this.openBlock(opcode);
    fn(new Label(this.#level));
    this.closeBlock();
  }

  /** Opens a block (0x02) or loop (0x03) by hand, for builders that nest thousands. Returns its label. */
  openBlock(opcode: number): Label {
    this.body.u8(opcode);
    this.body.u8(VOID_BLOCK);
    this.#level++;
    return new Label(this.#level);
  }

  /** Closes what {@link openBlock} opened. */
  closeBlock(): void {
    this.body.u8(0x0b);
    this.#level--;
  }

  /** Runs `then` when the condition is not zero, else `otherwise`. A literal condition chooses at build time. */
  if(cond: Val<'i32'>, then: () => void, otherwise?: () => void, hint?: Hint): void {
    if (cond.isConst) {
      if (cond.lo !== 0) then();
      else otherwise?.();
      return;
    }
    this.emit(cond);
    this.#hint(hint);
    this.body.u8(0x04);
    this.body.u8(VOID_BLOCK);
    this.#level++;
    then();
    if (otherwise !== undefined) {
      this.body.u8(0x05);
      otherwise();
    }
    this.closeBlock();
  }

  /** Branches to a label. */
  br(label: Label): void {
    this.body.u8(0x0c);
    this.body.u32(this.#level - label.level);
  }

  /** Branches to a label when the condition is not zero. */
  brIf(label: Label, cond: Val<'i32'>, hint?: Hint): void {
    if (cond.isConst) {
      if (cond.lo !== 0) this.br(label);
      return;
    }
    this.emit(cond);
    this.#hint(hint);
    this.body.u8(0x0d);
    this.body.u32(this.#level - label.level);
  }

  /** Branches to `labels[index]`, or to `fallback` when out of range. */
  brTable(index: Val<'i32'>, labels: readonly Label[], fallback: Label): void {
    this.emit(index);
    this.body.u8(0x0e);
    this.body.u32(labels.length);
    for (const l of labels) this.body.u32(this.#level - l.level);
    this.body.u32(this.#level - fallback.level);
  }

  /** Runs the case with the index's number, else `otherwise`. Cases do not fall through. */
  switch(index: Val<'i32'>, cases: readonly (() => void)[], otherwise?: () => void): void {
    if (index.isConst) {
      (cases[index.lo >>> 0] ?? otherwise)?.();
      return;
    }
    const end = this.openBlock(0x02);
    const fallback = this.openBlock(0x02);
    const labels = cases.map(() => this.openBlock(0x02)).reverse();
    this.brTable(index, labels, fallback);
    for (const c of cases) {
      this.closeBlock();
      c();
      this.br(end);
    }
    this.closeBlock();
    otherwise?.();
    this.closeBlock();
  }

  /** Returns, with a value when the function has one. */
  return(...values: Val[]): void {
    for (const v of values) this.emit(v);
    this.body.u8(0x0f);
  }

  /** Marks a place that is never reached. */
  unreachable(): void {
    this.body.u8(0x00);
  }

  #hint(hint: Hint): void {
    if (hint !== undefined) this.hints.push({ offset: this.body.length, likely: hint });
  }

  /** Writes the locals' declaration, as the code section wants it before the body. For the module builder. */
  writeLocals(w: Writer): void {
    const runs: [number, ValType][] = [];
    for (const t of this.#locals) {
      const last = runs[runs.length - 1];
      if (last !== undefined && last[1] === t) last[0]++;
      else runs.push([1, t]);
    }
    w.u32(runs.length);
    for (const [n, t] of runs) {
      w.u32(n);
      w.u8(TYPE_CODE[t]);
    }
  }
}

function local<T extends ValType>(type: T, index: number): Val<T> {
  const v = new Val(type, Node.Local, 0x20);
  v.lo = index;
  return v;
}
