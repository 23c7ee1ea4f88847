import { type WasmMemory, type WasmModule, wasmHost } from '@sterna/core';
import { DecodeCache } from './decode/decode-cache.ts';
import { Decoder } from './decode/decoder.ts';
import { buildHandlers, type HandlerTables } from './decode/handlers.ts';
import { buildOpcodeMap, type OpcodeMap } from './decode/opcode-map.ts';
import './semantics/all.ts';
import type { InstrumentMode } from './instrument/areas.ts';
import { X86Instrumentation } from './instrument/instrumentation.ts';
import type { RegionCounts } from './instrument/region-counts.ts';
import { printInterpreter } from './interp/print.ts';
import { EFFECTS_SECTION, learnEffects } from './jit/effects-table.ts';
import { Jit } from './jit/jit.ts';
import { JIT_DEFAULTS, type JitHost, type JitOptions } from './jit/jit-options.ts';
import { STATE_BASE } from './state/memory-map.ts';
import type { StateView } from './state/view.ts';

/** What a CPU asks of the machine around it. Addresses are exact numbers below 2^52. */
export interface CpuHost {
  mmioRead(address: number, size: number): number;
  mmioWrite(address: number, size: number, value: number): void;
  pioRead(port: number, size: number): number;
  pioWrite(port: number, size: number, value: number): void;
  /** Acknowledges the interrupt line: the vector, or -1 when nothing is pending any more. */
  acknowledge(): number;
  cr8Read(): number;
  cr8Write(value: number): void;
  apicBaseRead(): number;
  /** These answer false for #GP. */
  apicBaseWrite(low: number, high: number): boolean;
  /** x2APIC registers by their MSR less 0x800; the value has two halves. */
  apicMsrRead(register: number, out: Uint32Array): boolean;
  apicMsrWrite(register: number, low: number, high: number): boolean;
  /** Arms the TSC deadline in ns from now, or disarms it. */
  armDeadline(delay: number | undefined): void;
  deadlinePending(): boolean;
}

/** Functions of the interpreter module that JavaScript calls; they work on the vCPU whose cells are in place. */
export interface EngineCode {
  run(): number;
  update_mode(): void;
  flush_tlb(): void;
  flush_write_tags(): void;
  flush_parked_write_tags(tlbArea: number): void;
  switch_cells(park: number, resume: number): void;
  eval_flags(): number;
  translate(linear: bigint, options: number): number;
  walk(linear: bigint, access: number): number;
}

/** A vCPU as the engine sees it. */
export interface EngineCpu {
  readonly state: StateView;
  readonly host: CpuHost;
  /** Where its TLBs are. */
  readonly tlbArea: number;
  /** Where its cells are while it does not run. */
  readonly parkedAt: number;
}

let tables: HandlerTables | undefined;
/** Opcode maps by the list of features. */
const OPCODES = new Map<string, OpcodeMap>();

/** The map of a model with these features; undefined: with all. */
function opcodesOf(features?: ReadonlySet<string>): OpcodeMap {
  const key = features === undefined ? '*' : [...features].sort().join();
  let map = OPCODES.get(key);
  if (map === undefined) {
    map = buildOpcodeMap(handlerTables().rows, (name) => features?.has(name) ?? true);
    OPCODES.set(key, map);
  }
  return map;
}

let printed: Uint8Array<ArrayBuffer> | undefined;
/** Compiled modules, by what they instrument. */
const COMPILED = new Map<InstrumentMode | undefined, WasmModule>();

/** Handler tables of all definitions; built once. */
export function handlerTables(): HandlerTables {
  tables ??= buildHandlers();
  return tables;
}

/** The interpreter module's bytes: printed, or what {@link provideInterpreter} gave. */
export function interpreterBytes(): Uint8Array<ArrayBuffer> {
  const tables = handlerTables();
  printed ??= printInterpreter(tables, { sections: { [EFFECTS_SECTION]: learnEffects(tables) } });
  return printed;
}

/** Gives the bytes of an interpreter printed earlier from the same sources, to save printing it. */
export function provideInterpreter(bytes: Uint8Array<ArrayBuffer>): void {
  printed = bytes;
  COMPILED.clear();
}

/** The interpreter; one that instruments is printed when it is first asked for, which takes half a second. */
function interpreterModule(instrument: InstrumentMode | undefined): WasmModule {
  let module = COMPILED.get(instrument);
  if (module === undefined) {
    const bytes = instrument === undefined ? interpreterBytes() : printInterpreter(handlerTables(), { instrument });
    module = new wasmHost.Module(bytes);
    COMPILED.set(instrument, module);
  }
  return module;
}

/**
 * What all vCPUs of a machine share: the interpreter and the decoded code in the machine's memory.
 *
 * Generated code has the addresses of state cells as constants. The cells of the vCPU that runs are there; those of the others
 * are parked elsewhere, and {@link activate} exchanges them. Translations need no exchange: each vCPU has its own TLBs, and the
 * entries of the jump cache are tagged.
 */
export class X86Engine {
  /** Decoded code.
   * @internal */
  readonly cache: DecodeCache;
  /** The interpreter's functions; others once something is to be instrumented. */
  code: EngineCode;
  /** Translated code. */
  readonly jit: Jit;
  readonly #decoder: Decoder;
  readonly #memory: WasmMemory;
  readonly #env: Readonly<Record<string, unknown>>;
  #instrumentation: X86Instrumentation | undefined;
  readonly #cpus: EngineCpu[] = [];
  #current: EngineCpu | undefined;

  constructor(memory: WasmMemory, options: JitOptions = JIT_DEFAULTS, jitHost: JitHost = {}) {
    const t = handlerTables();
    const compiled = interpreterModule(undefined);
    const handlers = new wasmHost.Table({ element: 'anyfunc', initial: t.count });
    const address = (low: number, high: number): number => (high >>> 0) * 0x1_0000_0000 + (low >>> 0);
    const host = (): CpuHost => this.#current!.host;
    const halves = new Uint32Array(2);
    const modeKey = (): number => this.#current!.state.get('modeKey');
    const env = {
      memory,
      mmioRead: (low: number, high: number, size: number) => host().mmioRead(address(low, high), size),
      mmioWrite: (low: number, high: number, size: number, value: number) =>
        host().mmioWrite(address(low, high), size, value >>> 0),
      pioRead: (port: number, size: number) => host().pioRead(port, size),
      pioWrite: (port: number, size: number, value: number) => host().pioWrite(port, size, value >>> 0),
      irqAck: () => host().acknowledge(),
      cr8Read: () => host().cr8Read(),
      cr8Write: (value: number) => host().cr8Write(value),
      apicBaseRead: () => host().apicBaseRead(),
      apicBaseWrite: (low: number, high: number) => (host().apicBaseWrite(low >>> 0, high >>> 0) ? 0 : 1),
      apicMsrRead: (register: number) => {
        if (!host().apicMsrRead(register, halves)) return 1;
        this.#current!.state.setHalves('temp', halves[0]!, halves[1]!);
        return 0;
      },
      apicMsrWrite: (register: number, low: number, high: number) =>
        host().apicMsrWrite(register, low >>> 0, high >>> 0) ? 0 : 1,
      deadlineWrite: (low: number, high: number) => host().armDeadline(high < 0 ? undefined : address(low, high)),
      deadlinePending: () => (host().deadlinePending() ? 1 : 0),
      decode: (at: number) => this.cache.lookup(at >>> 0, modeKey()),
      decodeCross: (record: number, first: number, second: number) =>
        this.cache.crossing(record, first >>> 0, second >>> 0, modeKey()),
      codeWritten: (at: number, length: number) => this.cache.invalidate(at >>> 0, length),
      hot: (record: number) => this.jit.report(record),
      traceFull: () => this.#instrumentation?.drain(),
      table: handlers,
    };
    this.#memory = memory;
    this.#env = env;
    const { exports } = new wasmHost.Instance(compiled, { env });
    this.code = exports as unknown as EngineCode;
    this.#decoder = new Decoder(t, () => opcodesOf(), memory.buffer);
    this.cache = new DecodeCache(memory.buffer, this.#decoder, t, () => this.flushWriteTags());
    this.cache.clear();
    const [effects] = wasmHost.Module.customSections(compiled, EFFECTS_SECTION);
    if (effects === undefined) throw new TypeError('this module is no interpreter');
    this.jit = new Jit(memory, this.cache, t, handlers, exports, effects, options, jitHost);
  }

  /** Counts and traces what is executed. */
  get instrumentation(): X86Instrumentation {
    this.#instrumentation ??= new X86Instrumentation(this, this.#memory.buffer);
    return this.#instrumentation;
  }

  /** Called before each slice: what is to be instrumented may have changed. */
  beforeSlice(): void {
    this.#instrumentation?.beforeSlice();
  }

  /** Called after each slice. */
  afterSlice(): void {
    this.#instrumentation?.drain();
    this.jit.work();
  }

  /** Number of the vCPU whose cells are in place. */
  get currentIndex(): number {
    return this.#current === undefined ? 0 : this.#cpus.indexOf(this.#current);
  }

  /**
   * Puts another instance of the interpreter in place; between slices only. Everything is decoded and translated again.
   *
   * @internal
   */
  replaceInterpreter(mode: InstrumentMode | undefined, counts?: RegionCounts, instrument?: WasmMemory): void {
    this.cache.clear();
    const { exports } = new wasmHost.Instance(interpreterModule(mode), { env: { ...this.#env, instrument } });
    this.code = exports as unknown as EngineCode;
    this.jit.restart(exports, counts);
  }

  /** Instructions of other features become invalid for all vCPUs; without this call every one is known. */
  setFeatures(features: ReadonlySet<string>): void {
    this.#decoder.map = opcodesOf(features);
    this.cache.clear();
  }

  /** Adds a vCPU; the first one's cells are in place from then on. */
  attach(cpu: EngineCpu): void {
    this.#cpus.push(cpu);
    cpu.state.set('vcpus', this.#cpus.length);
    if (this.#current === undefined) this.#current = cpu;
    else cpu.state.moveTo(cpu.parkedAt);
  }

  /** Whether the cells of this vCPU are in place. */
  isActive(cpu: EngineCpu): boolean {
    return this.#current === cpu;
  }

  /** Brings the cells of a vCPU into place and parks those of the one before. */
  activate(cpu: EngineCpu): void {
    const before = this.#current!;
    if (before === cpu) return;
    this.code.switch_cells(before.parkedAt, cpu.parkedAt);
    before.state.moveTo(before.parkedAt);
    cpu.state.moveTo(STATE_BASE);
    this.#current = cpu;
  }

  /**
   * Calls microcode for a vCPU that may not be the running one. It may be called from inside a slice, by a device that the
   * running vCPU accessed: that one's cells are back in place afterwards.
   */
  as<T>(cpu: EngineCpu, call: (code: EngineCode) => T): T {
    const before = this.#current!;
    this.activate(cpu);
    try {
      return call(this.code);
    } finally {
      this.activate(before);
    }
  }

  /** The next write of a vCPU to any page must be seen; without one, the next write of every vCPU. */
  flushWriteTags(only?: EngineCpu): void {
    for (const cpu of this.#cpus) {
      if (only !== undefined && cpu !== only) continue;
      if (cpu === this.#current) this.code.flush_write_tags();
      else this.code.flush_parked_write_tags(cpu.tlbArea);
    }
  }
}
