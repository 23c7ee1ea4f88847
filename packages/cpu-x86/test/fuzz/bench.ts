import {
  MEMORY_LAYOUT,
  PAGE_CLEAN_MIGRATION,
  PAGE_CODE,
  PAGE_MAP_READ,
  PAGE_MAP_WRITE,
  PAGE_MISSING,
  type WasmMemory,
  wasmHost,
} from '@sterna/core';
import { type CpuHost, X86Cpu, X86Engine } from '../../src/index.ts';
import { JIT_DEFAULTS } from '../../src/jit/jit-options.ts';
import { STATE } from '../../src/state/layout.ts';
import { ManualTranslator } from '../jit/translated.ts';
import { RAM_SIZE } from './places.ts';
import { prepareProcessor } from './processor.ts';
import { type Happening, link, nextTable, type Program } from './program.ts';
import { Random } from './random.ts';
import { clearCells, RANGES, VISIBLE } from './visible.ts';
import { type World, world } from './world.ts';

/** Makes a processor on a memory. */
export type CpuFactory = (memory: WasmMemory, host: CpuHost) => X86Cpu;

/** Names of general registers. */
export const NAMES = [
  'rax',
  'rcx',
  'rdx',
  'rbx',
  'rsp',
  'rbp',
  'rsi',
  'rdi',
  'r8',
  'r9',
  'r10',
  'r11',
  'r12',
  'r13',
  'r14',
  'r15',
];
/** One processor with memory and a device that logs, on which programs run one after the other. */
export class Bench {
  readonly name: string;
  readonly cpu: X86Cpu;
  readonly bytes: Uint8Array;
  readonly ram: Uint8Array;
  /** Device accesses: kind and size, address or port, value, instruction count. */
  readonly log: number[] = [];
  /** Instructions executed in earlier slices. */
  total = 0;
  /** Vector on the interrupt line. */
  #vector = -1;
  readonly #view: DataView;
  readonly #u32: Uint32Array;
  readonly #mapped: number[] = [];

  constructor(name: string, factory: CpuFactory) {
    this.name = name;
    const pages = (MEMORY_LAYOUT.ram + RAM_SIZE) >>> 16;
    const memory = new wasmHost.Memory({ initial: pages, maximum: pages, shared: true });
    this.bytes = new Uint8Array(memory.buffer);
    this.ram = new Uint8Array(memory.buffer, MEMORY_LAYOUT.ram, RAM_SIZE);
    this.#view = new DataView(memory.buffer);
    this.#u32 = new Uint32Array(memory.buffer);
    const now = (): number => this.total + this.cpu.executed;
    this.cpu = factory(memory, {
      mmioRead: (address, size) => {
        const at = now();
        const value = Math.imul(address + at * 0x10001, 0x9e3779b1) ^ (size << 5);
        this.#noteRead(size, address, value >>> 0, at);
        if ((address & 0xff8) === 0x40) this.#react(address, value);
        return value | 0;
      },
      mmioWrite: (address, size, value) => {
        this.log.push(16 + size, address, value, now());
        this.#react(address, value);
      },
      pioRead: (port, size) => {
        const at = now();
        const value = Math.imul(port + at, 0x85ebca6b);
        this.#noteRead(32 + size, port, value >>> 0, at);
        return (size === 4 ? value : size === 2 ? value & 0xffff : value & 0xff) | 0;
      },
      pioWrite: (port, size, value) => {
        this.log.push(48 + size, port, value, now());
        this.#react(port, value);
      },
      acknowledge: () => {
        const v = this.#vector;
        this.#vector = -1;
        this.cpu.setInterruptLine(false);
        this.log.push(64, v, 0, now());
        return v;
      },
      cr8Read: () => 3,
      cr8Write: (v) => void this.log.push(65, v, 0, now()),
      apicBaseRead: () => 0xfee00900 | 0,
      apicBaseWrite: () => true,
      apicMsrRead: () => false,
      apicMsrWrite: () => false,
      armDeadline: () => {},
      deadlinePending: () => false,
    });
  }

  /**
   * Logs a read. One that repeats the last one in the same instruction is not counted: an instruction that reads a device and
   * then faults (a selector from a device) is executed again from the start by the JIT.
   */
  #noteRead(kind: number, address: number, value: number, at: number): void {
    const { log } = this;
    const n = log.length;
    if (n > 3 && log[n - 4] === kind && log[n - 3] === address && log[n - 2] === value && log[n - 1] === at) return;
    log.push(kind, address, value, at);
  }

  /** What the device does on an access, by address: nothing mostly. */
  #react(address: number, value: number): void {
    switch ((address >>> 3) & 15) {
      case 1:
        this.interrupt(0x40 | (value & 7));
        break;
      case 2:
        this.cpu.limitBudget(value & 7);
        break;
      case 3:
        this.cpu.requestExit();
        break;
      case 4:
        // a device that writes memory: data, or the code at hand
        this.dma(value & 1 ? 1 : 0, value >>> 1);
        break;
      default:
    }
  }

  /** Raises the interrupt line. */
  interrupt(vector: number): void {
    this.#vector = vector;
    this.cpu.setInterruptLine(true);
  }

  /** Writes eight bytes of RAM as a device does. */
  dma(kind: number, value: number): void {
    const w = this.#world;
    const page = kind === 1 ? w.codePages[value % w.codePages.length]! : w.dataPages[1]!;
    const at = page + ((value >>> 2) & 0xff8);
    if (kind === 1) this.ram[at] = this.ram[at]!;
    else this.#view.setUint32(MEMORY_LAYOUT.ram + at, value, true);
    const host = MEMORY_LAYOUT.ram + at;
    const flags = MEMORY_LAYOUT.pageFlags + (host >>> 12);
    this.bytes[flags] = this.bytes[flags]! & ~PAGE_CLEAN_MIGRATION;
    if (this.bytes[flags]! & PAGE_CODE) this.cpu.invalidateCode(host, 8);
  }

  #world: World = world('flat0');

  /** Prepares a program. */
  load(program: Program): void {
    const w = world(program.world);
    this.#world = w;
    const { cpu, ram } = this;
    const linked = link(program, w);
    this.log.length = 0;
    this.total = 0;
    this.#vector = -1;
    ram.set(w.image);
    for (let i = 0; i < w.codePages.length; i++)
      ram.set(linked.code.subarray(i * 0x1000, (i + 1) * 0x1000), w.codePages[i]!);
    const random = new Random(program.stateSeed);
    const data = new Uint32Array(ram.buffer, MEMORY_LAYOUT.ram, RAM_SIZE / 4);
    for (const page of w.dataPages) for (let i = 0; i < 1024; i++) data[page / 4 + i] = random.u32();
    const word = w.bits / 8;
    for (const { at, label, value } of program.words) {
      const x = label === undefined ? value! : w.code + (linked.labels.get(label) ?? 0);
      const place = MEMORY_LAYOUT.ram + w.dataPages[0]! + at;
      if (word === 2) this.#view.setUint16(place, x, true);
      else if (word === 4) this.#view.setUint32(place, x, true);
      else this.#view.setBigUint64(place, BigInt(x), true);
    }
    const table = nextTable(linked, w.codeSize);
    ram.set(new Uint8Array(table.buffer), w.table);
    const resume = w.code + (linked.labels.get(program.resumeLabel) ?? 0);
    if (word === 2) this.#view.setUint16(MEMORY_LAYOUT.ram + w.resume, resume, true);
    else this.#view.setUint32(MEMORY_LAYOUT.ram + w.resume, resume, true);
    cpu.invalidateCode(MEMORY_LAYOUT.ram, RAM_SIZE);
    this.bytes.fill(
      0,
      MEMORY_LAYOUT.pageFlags + (MEMORY_LAYOUT.ram >>> 12),
      MEMORY_LAYOUT.pageFlags + ((MEMORY_LAYOUT.ram + RAM_SIZE) >>> 12),
    );
    const map = MEMORY_LAYOUT.pageMap / 4;
    for (const p of this.#mapped) this.#u32[map + p] = 0;
    this.#mapped.length = 0;
    for (const [page, at, read, write] of w.map) {
      this.#mapped.push(page >>> 12);
      this.#u32[map + (page >>> 12)] =
        (MEMORY_LAYOUT.ram + at) | (read ? PAGE_MAP_READ : 0) | (write ? PAGE_MAP_WRITE : 0);
    }
    clearCells(this.bytes);
    prepareProcessor(cpu, w, random, w.code + program.offset);
    cpu.stateChanged();
    chooseOptions(cpu, new Random(program.stateSeed ^ 0x1234567));
  }

  /** Runs one slice. The time stamp counter counts instructions. */
  run(budget: number): number {
    const view = this.#view;
    view.setFloat64(MEMORY_LAYOUT.sliceStartNs, this.total, true);
    view.setFloat64(MEMORY_LAYOUT.nsPerInsn, 1, true);
    view.setFloat64(MEMORY_LAYOUT.sliceMaxNs, 1e12, true);
    view.setFloat64(MEMORY_LAYOUT.tscPerNs, 1, true);
    view.setBigUint64(MEMORY_LAYOUT.tscAtSliceStart, 0x1_2345_0000n + BigInt(this.total), true);
    const exit = this.cpu.run(budget);
    this.total += this.cpu.executed;
    return exit;
  }

  /** Marks pages clean, as a migration does when it has sent them. */
  markClean(): void {
    for (let p = 0; p < RAM_SIZE >>> 12; p++) {
      const at = MEMORY_LAYOUT.pageFlags + ((MEMORY_LAYOUT.ram >>> 12) + p);
      this.bytes[at] = this.bytes[at]! | PAGE_CLEAN_MIGRATION;
    }
    this.cpu.flushWriteTags();
  }

  /** Takes a data page away until the processor asks for it, or gives all pages back. */
  setMissing(dataPage: number | undefined): void {
    const first = MEMORY_LAYOUT.pageFlags + (MEMORY_LAYOUT.ram >>> 12);
    if (dataPage === undefined) {
      for (let p = 0; p < RAM_SIZE >>> 12; p++) this.bytes[first + p] = this.bytes[first + p]! & ~PAGE_MISSING;
      return;
    }
    const at = first + (this.#world.dataPages[dataPage % this.#world.dataPages.length]! >>> 12);
    this.bytes[at] = this.bytes[at]! | PAGE_MISSING;
    this.cpu.flushTlb();
  }

  /**
   * In real mode and somewhere that the program has nothing at: after a jump through destroyed vectors code may run over the
   * end of 64 KiB, where real processors disagree too.
   */
  get lost(): boolean {
    return this.#world.bits === 16 && this.cpu.state.get('segSel', 1) !== 0;
  }

  /** Lets something happen from outside. */
  happen({ what, value }: Happening): void {
    switch (what) {
      case 'irq':
        this.interrupt(value);
        break;
      case 'nmi':
        this.cpu.nmi();
        break;
      case 'clean':
        this.markClean();
        break;
      case 'missing':
        this.setMissing(value);
        break;
      case 'dma':
        this.dma(value & 1, value >>> 1);
        break;
      default:
        this.cpu.flushTlb();
    }
  }

  /** The visible state as text, one line for each part; for people. */
  describe(): string[] {
    const s = this.cpu.state;
    const hex = (x: bigint | number, n = 16): string => x.toString(16).padStart(n, '0');
    const lines = [`count ${this.total} rip ${hex(s.getBig('rip'))} flags ${hex(this.cpu.rflags, 8)}`];
    NAMES.forEach((name, i) => void lines.push(`${name} ${hex(s.getBig('regs', i))}`));
    for (const name of VISIBLE) {
      if (name === 'regs' || name === 'rip' || name === 'eflags') continue;
      const { count, stride } = STATE[name];
      for (let i = 0; i < count; i++)
        lines.push(
          `${name}${count > 1 ? i : ''} ${stride === 16 ? hex(s.getHigh(name, i)) : ''}${hex(s.getBig(name, i))}`,
        );
    }
    return lines;
  }

  /** How this bench differs from another; undefined when it does not. */
  difference(other: Bench): string[] | undefined {
    let same =
      this.total === other.total && this.cpu.rflags === other.cpu.rflags && this.log.length === other.log.length;
    for (const [from, to] of RANGES) {
      if (!same) break;
      for (let i = from; i < to; i++) if (this.bytes[i] !== other.bytes[i]) same = false;
    }
    if (same) for (let i = 0; i < this.log.length; i++) if (this.log[i] !== other.log[i]) same = false;
    const sameRam = Buffer.compare(this.ram, other.ram) === 0;
    const sameFlags = this.#dirty() === other.#dirty();
    if (same && sameRam && sameFlags) return undefined;
    const out: string[] = [];
    const mine = this.describe();
    const theirs = other.describe();
    mine.forEach((line, i) => {
      if (line !== theirs[i]) out.push(`${line}  |  ${theirs[i]}`);
    });
    if (!sameRam) {
      for (let i = 0, n = 0; i < RAM_SIZE && n < 16; i++) {
        if (this.ram[i] === other.ram[i]) continue;
        n++;
        out.push(`ram[${i.toString(16)}] ${this.ram[i]!.toString(16)}  |  ${other.ram[i]!.toString(16)}`);
      }
    }
    if (!sameFlags) out.push(`dirty pages ${this.#dirty()}  |  ${other.#dirty()}`);
    for (let i = 0; i < Math.max(this.log.length, other.log.length); i += 4) {
      const a = this.log.slice(i, i + 4).map((x) => x.toString(16));
      const b = other.log.slice(i, i + 4).map((x) => x.toString(16));
      if (a.join() === b.join()) continue;
      out.push(`device access ${i / 4}: ${a.join(' ')}  |  ${b.join(' ')}`);
      break;
    }
    return out;
  }

  #dirty(): string {
    const first = MEMORY_LAYOUT.pageFlags + (MEMORY_LAYOUT.ram >>> 12);
    let text = '';
    for (let p = 0; p < RAM_SIZE >>> 12; p++) text += (this.bytes[first + p]! & ~PAGE_CODE).toString(36);
    return text;
  }
}

/** A processor that translates nothing. */
export const interpreter: CpuFactory = (memory, host) => withThreshold(memory, host, 0);

/** A processor that translates what was executed a few times. */
export function translating(threshold: number): CpuFactory {
  return (memory, host) => withThreshold(memory, host, threshold);
}

/** A processor whose translations come later, in the order of a thread's, when some slices have passed. */
export function translatingLate(threshold: number): CpuFactory {
  return (memory, host) => {
    const translator = new ManualTranslator();
    const options = { ...JIT_DEFAULTS, threshold };
    return new LateCpu(memory, host, new X86Engine(memory, options, { translator }), translator);
  };
}

/** Gets its translations before every third slice. */
class LateCpu extends X86Cpu {
  readonly #translator: ManualTranslator;
  #slices = 0;

  constructor(memory: WasmMemory, host: CpuHost, engine: X86Engine, translator: ManualTranslator) {
    super(memory, host, undefined, () => engine);
    this.#translator = translator;
  }

  override run(budget: number, contended?: boolean): number {
    if (++this.#slices % 3 === 0) this.#translator.answer();
    return super.run(budget, contended);
  }
}

function withThreshold(memory: WasmMemory, host: CpuHost, threshold: number): X86Cpu {
  const cpu = new X86Cpu(memory, host);
  cpu.engine.jit.options = { ...cpu.engine.jit.options, threshold };
  return cpu;
}

/** Programs differ in when they are translated and how much of that is kept. */
function chooseOptions(cpu: X86Cpu, random: Random): void {
  const { jit } = cpu.engine;
  if (jit.options.threshold === 0) return;
  jit.options = {
    ...jit.options,
    threshold: random.pick([1, 2, 2, 3, 5, 12, 40]),
    cacheBytes: random.chance(0.1) ? random.between(1000, 30_000) : 1 << 24,
  };
}
