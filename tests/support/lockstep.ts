import {
  type CharBackend,
  CpuExit,
  type EventLoop,
  Machine,
  parseCpuModel,
  RingbufBackend,
  type Scope,
  type TranslationOptions,
} from '@sterna/core';
import { microvm } from '@sterna/machine-microvm';

/** What is booted and on what. */
export interface LockstepGuest {
  readonly kernel?: Uint8Array;
  readonly initrd?: Uint8Array;
  readonly cmdline?: string;
  readonly bios?: Uint8Array;
  readonly ramMiB: number;
  /** `-machine` properties. */
  readonly properties?: Readonly<Record<string, string>>;
}

/** How one of the two machines runs. */
export interface LockstepEngine {
  readonly name: string;
  /** `-cpu` text. */
  readonly cpu: string;
  /** Most instructions in a slice, by the number of slices before it. */
  readonly slice: (n: number) => number;
  /** How code is translated. */
  readonly translation?: TranslationOptions;
  /** Services of the host's process. */
  readonly scope?: Scope;
  /** Host clock in ns, for the statistics of translation; it stands still by default. */
  readonly now?: () => number;
}

/** Where two runs differ. */
export interface Divergence {
  /** Instruction counts of the last equal and the first different state. */
  readonly from: number;
  readonly to: number;
  readonly lines: readonly string[];
}

/** Nothing happens on its own: callbacks of the host's loop run when the test says so. */
class StillLoop implements EventLoop {
  readonly #queue: (() => void)[] = [];
  soon(callback: () => void): void {
    this.#queue.push(callback);
  }
  after(): { cancel(): void } {
    return { cancel: () => {} };
  }
  drain(): void {
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) next();
  }
}

/** A microvm whose whole course is a function of its instruction count: time counts instructions and the host has no clock. */
export class LockstepMachine {
  readonly engine: LockstepEngine;
  readonly machine: Machine;
  /** Instructions executed. */
  total = 0;
  ended = false;
  #slices = 0;
  #text = '';
  readonly #loop = new StillLoop();
  readonly #serial = new RingbufBackend('serial0', 1 << 20);

  constructor(guest: LockstepGuest, engine: LockstepEngine) {
    this.engine = engine;
    const { type, properties } = parseCpuModel(engine.cpu, microvm.cpus);
    const wallNs = 1_700_000_000_000_000_000n;
    this.machine = new Machine(
      {
        type: microvm.type,
        properties: { ...guest.properties },
        cpu: type,
        cpuProperties: properties,
        cpuCount: 1,
        ramSize: guest.ramMiB * 2 ** 20,
        boot: {
          ...(guest.kernel === undefined ? {} : { kernel: guest.kernel }),
          ...(guest.initrd === undefined ? {} : { initrd: guest.initrd }),
          ...(guest.cmdline === undefined ? {} : { cmdline: guest.cmdline }),
          ...(guest.bios === undefined ? {} : { bios: guest.bios }),
          findFirmware: () => undefined,
        },
        devices: [],
        chardevs: new Map<string, CharBackend>([['serial0', this.#serial]]),
        serials: ['serial0'],
        rtc: { source: 'vm', baseNs: wallNs },
        icountShift: 0,
        ...(engine.translation === undefined ? {} : { translation: engine.translation }),
      },
      {
        clock: { monotonicNs: engine.now ?? (() => 0), wallNs: () => wallNs },
        loop: this.#loop,
        entropy: { fill: (bytes) => void bytes.fill(0x5a) },
        files: { write: () => {}, append: () => {} },
        log: () => {},
        tscHz: 1e9,
        ...(engine.scope === undefined ? {} : { scope: engine.scope }),
      },
    );
    this.machine.clock.start();
  }

  /** Runs until so many instructions have been executed, or until nothing can happen any more. */
  to(count: number): void {
    const { clock } = this.machine;
    const cpu = this.machine.cpus[0]!;
    while (this.total < count && !this.ended) {
      clock.timers.run(clock.now());
      if (cpu.halted && !cpu.hasWork()) {
        if (clock.idle() > 0) this.ended = true;
        continue;
      }
      const most = Math.min(count - this.total, this.engine.slice(this.#slices++));
      this.machine.loop.current = cpu;
      clock.beginSlice(cpu);
      let exit: CpuExit;
      try {
        exit = cpu.run(clock.budget(most));
      } finally {
        this.machine.loop.current = undefined;
        clock.endSlice(cpu.executed);
        this.total += cpu.executed;
      }
      if (exit === CpuExit.SHUTDOWN) this.ended = true;
      this.#loop.drain();
    }
  }

  /** Everything the guest has written on its serial line. */
  get serial(): string {
    this.#text += Buffer.from(this.#serial.read()).toString('latin1');
    return this.#text;
  }

  /** Registers and time as lines. */
  state(): string {
    const { machine } = this;
    return `count=${this.total} ns=${machine.clock.now()} ended=${this.ended}\n${machine.cpus[0]!.describe()}`;
  }

  /** Used parts of the RAM blocks. */
  ram(): readonly Uint8Array[] {
    const { memory } = this.machine;
    return memory.blocks.map((b) => memory.u8.subarray(b.hostOffset, b.hostOffset + b.usedLength));
  }
}

/** How far and how closely two machines are compared. */
export interface LockstepOptions {
  /** Instructions to run. */
  readonly instructions: number;
  /** Registers are compared after so many instructions. */
  readonly stride: number;
  /** RAM is compared after so many strides. */
  readonly ramEvery: number;
  /** Ends early when the guest has written this. */
  readonly until?: string;
}

/** What a lockstep run found. */
export interface LockstepResult {
  readonly instructions: number;
  readonly serial: string;
  readonly divergence: Divergence | undefined;
}

/** Runs a guest on two engines and compares them; a difference is narrowed to the slice in which it arises. */
export function lockstep(
  guest: LockstepGuest,
  engines: readonly [LockstepEngine, LockstepEngine],
  options: LockstepOptions,
): LockstepResult {
  const first = pass(guest, engines, 0, options.stride, options);
  let { divergence } = first;
  for (let stride = options.stride; divergence !== undefined && stride > 1; ) {
    stride = Math.max(1, Math.floor(stride / 16));
    // from the start again with the same slices up to the last equal state, closely from there on
    const closer = pass(guest, engines, divergence.from, stride, {
      ...options,
      instructions: divergence.to,
      ramEvery: 1,
      stride: options.stride,
    });
    if (closer.divergence === undefined) break;
    divergence = closer.divergence;
  }
  return { ...first, divergence };
}

function pass(
  guest: LockstepGuest,
  engines: readonly [LockstepEngine, LockstepEngine],
  skip: number,
  stride: number,
  options: LockstepOptions,
): LockstepResult {
  const a = new LockstepMachine(guest, engines[0]);
  const b = new LockstepMachine(guest, engines[1]);
  let equal = 0;
  for (let n = 1; equal < options.instructions; n++) {
    const target = Math.min(options.instructions, equal < skip ? equal + options.stride : equal + stride);
    for (const machine of [a, b]) machine.to(target);
    const lines = equal < skip && target < skip ? [] : difference(a, b, n % options.ramEvery === 0);
    if (lines.length > 0)
      return { instructions: target, serial: a.serial, divergence: { from: equal, to: target, lines } };
    equal = target;
    if (a.ended || (options.until !== undefined && a.serial.includes(options.until))) break;
  }
  const lines = difference(a, b, true);
  const divergence = lines.length > 0 ? { from: equal - stride, to: equal, lines } : undefined;
  return { instructions: equal, serial: a.serial, divergence };
}

/** Most differing bytes that are shown. */
const SHOWN = 24;

function difference(a: LockstepMachine, b: LockstepMachine, ram: boolean): string[] {
  const out: string[] = [];
  const [x, y] = [a.state(), b.state()];
  if (x !== y) {
    const other = y.split('\n');
    for (const [i, line] of x.split('\n').entries()) {
      if (line !== other[i]) out.push(`${a.engine.name}: ${line}`, `${b.engine.name}: ${other[i]}`);
    }
    out.push(...x.split('\n').filter((line) => /^(count|RIP)/.test(line)));
  }
  if (a.serial !== b.serial) out.push('the serial lines differ');
  if (!ram && out.length === 0) return out;
  const others = b.ram();
  for (const [n, block] of a.ram().entries()) {
    const other = others[n]!;
    if (Buffer.compare(block, other) === 0) continue;
    for (let i = 0, shown = 0; i < block.length && shown < SHOWN; i++) {
      if (block[i] === other[i]) continue;
      shown++;
      out.push(`block ${n} +${i.toString(16)}: ${block[i]!.toString(16)} and ${other[i]!.toString(16)}`);
    }
  }
  return out;
}
