import { Code } from './code.ts';
import { FUNCREF, type FuncRef, type Signature, TYPE_CODE, type ValType } from './types.ts';
import { emit, type Val } from './val.ts';
import { Writer } from './writer.ts';

/** Options of an imported or defined memory; sizes in 64 KiB pages. */
export interface MemoryOptions {
  readonly min: number;
  readonly max?: number;
  readonly shared?: boolean;
}

/**
 * A WebAssembly module under construction. Import functions first, then create functions (their indices are final at once,
 * so they can call each other), fill their bodies in any order, and {@link build}.
 */
export class ModuleBuilder {
  #types: Signature[] = [];
  #typeIndex = new Map<string, number>();
  #imports: Writer[] = [];
  #importedFunctions = 0;
  #importedGlobals = 0;
  #hasTable = false;
  #functions: Code[] = [];
  #memory: MemoryOptions | undefined;
  #tableSize: number | undefined;
  #globals: Writer[] = [];
  #exports: { name: string; kind: number; index: number }[] = [];
  #elements: { offset: number; functions: FuncRef[] }[] = [];
  #data: { offset: number; bytes: Uint8Array }[] = [];
  readonly #custom: { name: string; bytes: Uint8Array }[] = [];
  /** Write the function names section (for profilers). */
  names = true;

  /** Index of a signature in the type section; equal signatures share one. */
  typeIndex(type: Signature): number {
    const key = `${type.params.join()}>${type.results.join()}`;
    let i = this.#typeIndex.get(key);
    if (i === undefined) {
      i = this.#types.length;
      this.#types.push(type);
      this.#typeIndex.set(key, i);
    }
    return i;
  }

  #import(module: string, name: string, kind: number): Writer {
    const w = new Writer(64);
    w.name(module);
    w.name(name);
    w.u8(kind);
    this.#imports.push(w);
    return w;
  }

  /** Imports a function. @throws Error once a function has been defined */
  importFunction(module: string, name: string, params: readonly ValType[], results: readonly ValType[] = []): FuncRef {
    if (this.#functions.length > 0) throw new Error('functions are imported before any is defined');
    const type = { params, results };
    this.#import(module, name, 0).u32(this.typeIndex(type));
    return { index: this.#importedFunctions++, name, type };
  }

  /** Imports a memory: the first is memory 0, the next memory 1. */
  importMemory(module: string, name: string, options: MemoryOptions): void {
    limits(this.#import(module, name, 2), options);
  }

  /** Imports a table of functions as table 0. */
  importTable(module: string, name: string, min: number): void {
    const w = this.#import(module, name, 1);
    w.u8(FUNCREF);
    w.u8(0);
    w.u32(min);
    this.#hasTable = true;
  }

  /** Imports a global and returns its index. */
  importGlobal(module: string, name: string, type: ValType, mutable = false): number {
    if (this.#globals.length > 0) throw new Error('globals are imported before any is defined');
    const w = this.#import(module, name, 3);
    w.u8(TYPE_CODE[type]);
    w.u8(mutable ? 1 : 0);
    return this.#importedGlobals++;
  }

  /** Defines the memory. */
  memory(options: MemoryOptions): void {
    this.#memory = options;
  }

  /** Defines table 0 with `size` function slots. */
  table(size: number): void {
    this.#tableSize = size;
    this.#hasTable = true;
  }

  /** Defines a global with a literal initial value and returns its index. */
  global(type: ValType, init: Val, mutable = true): number {
    const w = new Writer(32);
    w.u8(TYPE_CODE[type]);
    w.u8(mutable ? 1 : 0);
    emit(w, init);
    w.u8(0x0b);
    this.#globals.push(w);
    return this.#importedGlobals + this.#globals.length - 1;
  }

  /** Defines a function; its body may be written later. */
  function(
    name: string,
    params: readonly ValType[],
    results: readonly ValType[] = [],
    body?: (code: Code) => void,
  ): Code {
    const code = this.define((index) => new Code(this, index, name, { params, results }));
    body?.(code);
    return code;
  }

  /** Defines a function whose body is an object derived from {@link Code}. */
  define<C extends Code>(create: (index: number) => C): C {
    // the place is taken before `create` runs, which may define further functions
    const place = this.#functions.length++;
    const code = create(this.#importedFunctions + place);
    this.#functions[place] = code;
    this.typeIndex(code.type);
    return code;
  }

  /** Exports a function. */
  export(name: string, func: FuncRef): void {
    this.#exports.push({ name, kind: 0, index: func.index });
  }

  /** Exports memory 0. */
  exportMemory(name: string): void {
    this.#exports.push({ name, kind: 2, index: 0 });
  }

  /** Places functions in table 0 from slot `offset`. */
  elements(offset: number, functions: readonly FuncRef[]): void {
    if (!this.#hasTable) throw new Error('no table for the elements');
    this.#elements.push({ offset, functions: [...functions] });
  }

  /** Places bytes in memory at instantiation. */
  data(offset: number, bytes: Uint8Array): void {
    this.#data.push({ offset, bytes });
  }

  /** Adds a custom section, behind all others. */
  custom(name: string, bytes: Uint8Array): void {
    this.#custom.push({ name, bytes });
  }

  /** The binary module. */
  build(): Uint8Array<ArrayBuffer> {
    const out = new Writer(1 << 16);
    out.bytes([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]);
    section(out, 1, this.#types, (w, t) => {
      w.u8(0x60);
      types(w, t.params);
      types(w, t.results);
    });
    section(out, 2, this.#imports, (w, i) => w.append(i));
    section(out, 3, this.#functions, (w, f) => w.u32(this.typeIndex(f.type)));
    section(out, 4, this.#tableSize === undefined ? [] : [this.#tableSize], (w, n) => {
      w.u8(FUNCREF);
      w.u8(0);
      w.u32(n);
    });
    section(out, 5, this.#memory === undefined ? [] : [this.#memory], (w, m) => limits(w, m));
    section(out, 6, this.#globals, (w, g) => w.append(g));
    section(out, 7, this.#exports, (w, e) => {
      w.name(e.name);
      w.u8(e.kind);
      w.u32(e.index);
    });
    section(out, 9, this.#elements, (w, e) => {
      w.u8(0);
      w.u8(0x41);
      w.s32(e.offset);
      w.u8(0x0b);
      w.u32(e.functions.length);
      for (const f of e.functions) w.u32(f.index);
    });
    const bodies = this.#functions.map((f) => {
      const w = new Writer(f.body.length + 32);
      f.writeLocals(w);
      const prefix = w.length;
      w.append(f.body);
      w.u8(0x0b);
      return { code: f, bytes: w, prefix };
    });
    this.#writeHints(out, bodies);
    section(out, 10, bodies, (w, b) => w.sized(b.bytes));
    section(out, 11, this.#data, (w, d) => {
      w.u8(0);
      w.u8(0x41);
      w.s32(d.offset);
      w.u8(0x0b);
      w.u32(d.bytes.length);
      w.bytes(d.bytes);
    });
    if (this.names) this.#writeNames(out);
    for (const { name, bytes } of this.#custom) {
      const w = new Writer(bytes.length + name.length + 8);
      w.name(name);
      w.bytes(bytes);
      out.u8(0);
      out.sized(w);
    }
    return out.finish();
  }

  /** Branch hints proposal: custom section before the code section, offsets from the start of each function's locals. */
  #writeHints(out: Writer, bodies: readonly { code: Code; prefix: number }[]): void {
    const hinted = bodies.filter((b) => b.code.hints.length > 0);
    if (hinted.length === 0) return;
    const w = new Writer(1024);
    w.name('metadata.code.branch_hint');
    w.u32(hinted.length);
    for (const { code, prefix } of hinted) {
      w.u32(code.index);
      w.u32(code.hints.length);
      for (const h of code.hints) {
        w.u32(prefix + h.offset);
        w.u8(1);
        w.u8(h.likely ? 1 : 0);
      }
    }
    out.u8(0);
    out.sized(w);
  }

  #writeNames(out: Writer): void {
    const map = new Writer(1024);
    map.u32(this.#functions.length);
    for (const f of this.#functions) {
      map.u32(f.index);
      map.name(f.name);
    }
    const w = new Writer(map.length + 16);
    w.name('name');
    w.u8(1);
    w.sized(map);
    out.u8(0);
    out.sized(w);
  }
}

function limits(w: Writer, m: MemoryOptions): void {
  w.u8((m.max === undefined ? 0 : 1) | (m.shared ? 2 : 0));
  w.u32(m.min);
  if (m.max !== undefined) w.u32(m.max);
}

function types(w: Writer, list: readonly ValType[]): void {
  w.u32(list.length);
  for (const t of list) w.u8(TYPE_CODE[t]);
}

function section<T>(out: Writer, id: number, items: readonly T[], write: (w: Writer, item: T) => void): void {
  if (items.length === 0) return;
  const w = new Writer(1024);
  w.u32(items.length);
  for (const item of items) write(w, item);
  out.u8(id);
  out.sized(w);
}
