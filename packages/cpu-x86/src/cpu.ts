import { type WasmMemory, type WasmModule, wasmHost } from '@sterna/core';
import { DecodeCache } from './decode/decode-cache.ts';
import { Decoder } from './decode/decoder.ts';
import { buildHandlers, type HandlerTables } from './decode/handlers.ts';
import { buildOpcodeMap, type OpcodeMap } from './decode/opcode-map.ts';
import './semantics/all.ts';
import { Exit } from './interp/events.ts';
import { CC } from './interp/flags.ts';
import { printInterpreter } from './interp/print.ts';
import { StateView } from './state/view.ts';
import { ACCESS } from './system/walk.ts';

/** What the CPU asks of the machine around it. Addresses are exact numbers below 2^52. */
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
  apicBaseWrite(low: number, high: number): void;
}

interface Exports {
  run(): number;
  update_mode(): void;
  flush_tlb(): void;
  flush_write_tags(): void;
  eval_flags(): number;
  translate(linear: bigint, options: number): number;
  walk(linear: bigint, access: number): number;
}

let tables: HandlerTables | undefined;
let opcodes: OpcodeMap | undefined;
let printed: Uint8Array<ArrayBuffer> | undefined;
let compiled: WasmModule | undefined;

/** Handler tables of all definitions; built once. */
export function handlerTables(): HandlerTables {
  tables ??= buildHandlers();
  return tables;
}

/** The interpreter module's bytes: printed, or what {@link provideInterpreter} gave. */
export function interpreterBytes(): Uint8Array<ArrayBuffer> {
  printed ??= printInterpreter(handlerTables());
  return printed;
}

/** Gives the bytes of an interpreter printed earlier from the same sources, to save printing it. */
export function provideInterpreter(bytes: Uint8Array<ArrayBuffer>): void {
  printed = bytes;
  compiled = undefined;
}

/** The x86-64 processor: state in the machine's memory, an interpreter module, and the decode cache. */
export class X86Cpu {
  /** State cells. */
  readonly state: StateView;
  readonly #cache: DecodeCache;
  readonly #code: Exports;

  constructor(memory: WasmMemory, host: CpuHost) {
    this.state = new StateView(memory.buffer);
    const t = handlerTables();
    opcodes ??= buildOpcodeMap(t.rows);
    compiled ??= new wasmHost.Module(interpreterBytes());
    const address = (low: number, high: number): number => (high >>> 0) * 0x1_0000_0000 + (low >>> 0);
    const env = {
      memory,
      mmioRead: (low: number, high: number, size: number) => host.mmioRead(address(low, high), size),
      mmioWrite: (low: number, high: number, size: number, value: number) =>
        host.mmioWrite(address(low, high), size, value >>> 0),
      pioRead: (port: number, size: number) => host.pioRead(port, size),
      pioWrite: (port: number, size: number, value: number) => host.pioWrite(port, size, value >>> 0),
      irqAck: () => host.acknowledge(),
      cr8Read: () => host.cr8Read(),
      cr8Write: (value: number) => host.cr8Write(value),
      apicBaseRead: () => host.apicBaseRead(),
      apicBaseWrite: (low: number, high: number) => host.apicBaseWrite(low >>> 0, high >>> 0),
      decode: (at: number) => this.#cache.lookup(at >>> 0, this.state.get('modeKey')),
      decodeCross: (record: number, first: number, second: number) =>
        this.#cache.crossing(record, first >>> 0, second >>> 0, this.state.get('modeKey')),
      codeWritten: (at: number, length: number) => this.#cache.invalidate(at >>> 0, length),
    };
    this.#code = new wasmHost.Instance(compiled, { env }).exports as unknown as Exports;
    this.#cache = new DecodeCache(memory.buffer, new Decoder(t, opcodes, memory.buffer), t, () =>
      this.#code.flush_write_tags(),
    );
    this.#cache.clear();
    this.#code.flush_tlb();
  }

  /** Runs at most `budget` instructions and says why it came back (CpuExit). */
  run(budget: number): number {
    const s = this.state;
    s.set('budget', budget);
    s.set('icLeft', budget);
    s.set('icRest', 0);
    if (s.get('halted') !== 0) {
      if (!this.hasWork()) return Exit.HALT;
      s.set('halted', 0);
    }
    const reason = this.#code.run();
    s.set('request', 0);
    return reason;
  }

  /** Instructions executed since `run` was entered. */
  get executed(): number {
    const s = this.state;
    return s.getSigned('budget') - s.getSigned('icLeft') - s.getSigned('icRest');
  }

  /** True after HLT until an event. */
  get halted(): boolean {
    return this.state.get('halted') !== 0;
  }

  /** True when a halted CPU has something to deliver. */
  hasWork(): boolean {
    const s = this.state;
    if (s.get('nmiPending') !== 0 && s.get('nmiBlocked') === 0) return true;
    return s.get('irqLine') !== 0 && (s.get('eflags') & 0x200) !== 0;
  }

  /** During a callback: stop the slice after at most `n` more instructions. */
  limitBudget(n: number): void {
    const s = this.state;
    const left = s.getSigned('icLeft') + s.getSigned('icRest');
    if (left <= n) return;
    s.set('budget', s.getSigned('budget') - (left - n));
    s.set('icLeft', Math.min(s.getSigned('icLeft'), n));
    s.set('icRest', n - s.getSigned('icLeft'));
  }

  /** Come back from `run` as soon as possible. */
  requestExit(): void {
    this.state.set('request', 1);
    this.#lookUp();
  }

  /** Makes the running loop look at events after the current instruction. */
  #lookUp(): void {
    const s = this.state;
    const left = s.getSigned('icLeft');
    if (left <= 0) return;
    s.set('icRest', s.getSigned('icRest') + left);
    s.set('icLeft', 0);
  }

  /** Level of the interrupt input. */
  setInterruptLine(level: boolean): void {
    this.state.set('irqLine', level ? 1 : 0);
    if (level) this.#lookUp();
  }

  /** Signals a non-maskable interrupt. */
  nmi(): void {
    this.state.set('nmiPending', 1);
    this.#lookUp();
  }

  /** The physical map changed: every translation is void. */
  flushTlb(): void {
    this.#code.flush_tlb();
  }

  /** The dirty bits were harvested: the next write to any page must be seen again. */
  flushWriteTags(): void {
    this.#code.flush_write_tags();
  }

  /** Somebody else wrote RAM that holds decoded code. */
  invalidateCode(hostAddress: number, length: number): void {
    this.#cache.invalidate(hostAddress, length);
  }

  /** Derives mode-dependent state after cells were set from outside (reset, vmstate, debugger), and drops translations. */
  stateChanged(): void {
    this.#code.update_mode();
    this.#code.flush_tlb();
  }

  /** Guest-physical address behind a linear one, without side effects; undefined when unmapped. */
  translateDebug(linear: bigint): number | undefined {
    const { state } = this;
    if ((state.getBig('cr0') & 0x8000_0000n) === 0n) return Number(BigInt.asUintN(32, linear));
    if (this.#code.walk(BigInt.asIntN(64, linear), ACCESS.PROBE) !== 0) return undefined;
    return Number(state.getBig('walkPhys')) + Number(linear & 0xfffn);
  }

  /** RFLAGS, complete. */
  get rflags(): number {
    return (this.state.get('eflags') | this.#code.eval_flags()) >>> 0;
  }

  /** Sets all of RFLAGS; nothing is left to be computed lazily. */
  set rflags(value: number) {
    const s = this.state;
    s.set('eflags', (value & ~0x8d5) | 2);
    s.setBig('ccA', BigInt(value & 0x8d5));
    s.set('ccKind', CC.ALL);
  }
}
