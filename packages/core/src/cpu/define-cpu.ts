import type { Scope } from '../container/container.ts';
import type { PropertyTable, PropertyValues } from '../device/properties.ts';
import type { MachineMemory } from '../memory/machine-memory.ts';
import type { HostClock } from '../time/clock.ts';
import type { AnyVmState } from '../vmstate/index.ts';
import type { CpuCoreFile } from './core-file.ts';
import type { CpuDebug } from './cpu-debug.ts';
import type { CpuInstrumentation } from './instrumentation.ts';
import type { RegisterView } from './register-view.ts';
import type { CpuTopology } from './topology.ts';
import type { CpuTranslator, TranslationOptions } from './translation.ts';

/** Why {@link VCpu.run} came back. */
export const CpuExit = {
  /** The instruction budget is used up. */
  BUDGET: 0,
  /** Halted with nothing to deliver. */
  HALT: 1,
  /** The CPU shut down (x86: triple fault). */
  SHUTDOWN: 2,
  /** Touched a page that is not there yet. */
  PAGE_WAIT: 3,
  /** Breakpoint or single step. */
  DEBUG: 4,
  /** Somebody asked for the loop. */
  REQUEST: 5,
} as const;
/** A value of {@link CpuExit}. */
export type CpuExit = (typeof CpuExit)[keyof typeof CpuExit];

/** What a CPU can do to the world outside its RAM. All calls are synchronous; values travel as up to 32-bit halves. */
export interface CpuBus {
  /** Reads 1, 2 or 4 bytes of device memory; `address` is exact (a number below 2^52). */
  mmioRead(address: number, size: number): number;
  mmioWrite(address: number, size: number, value: number): void;
  /** Port space, for architectures that have one. */
  ioRead(port: number, size: number): number;
  ioWrite(port: number, size: number, value: number): void;
}

/** Guest time as a CPU needs it. */
export interface CpuClock {
  /** Virtual ns. */
  now(): number;
  /** Timestamp counter. */
  tsc(): bigint;
  /** Sets the timestamp counter. */
  setTsc(value: bigint): void;
}

/** One section of the migration stream that a CPU owns. */
export interface CpuVmstate {
  readonly idstr: string;
  readonly vmstate: AnyVmState;
  readonly state: object;
}

/** One virtual CPU. The machine's loop runs it in slices; between slices its state may be read and written. */
export interface VCpu {
  readonly index: number;
  /**
   * Runs at most `budget` instructions.
   *
   * @param contended - another vCPU waits for its turn: a CPU that knows it only spins may come back early
   */
  run(budget: number, contended?: boolean): CpuExit;
  /** Instructions executed since `run` was entered; exact inside MMIO, port and MSR callbacks. */
  readonly executed: number;
  /**
   * Pages that it was the first to write to since their flag {@link PAGE_CLEAN_LIMIT} was set; counts up and begins anew at
   * 2^32. Absent when the CPU does not count.
   */
  readonly dirtied?: number;
  /** True after a halt instruction, until an event. */
  readonly halted: boolean;
  /** True when a halted CPU has something to deliver, so that it must run again. */
  hasWork(): boolean;
  /** During a callback: stop the slice after at most `n` more instructions. */
  limitBudget(n: number): void;
  /** During a callback or from outside: come back as soon as possible. */
  requestExit(): void;
  /** Power-on state. */
  reset(): void;
  /** The physical map changed. */
  flushTlb(): void;
  /** The dirty bits were harvested: the next write to any page must be seen again. */
  flushWriteTags(): void;
  /** Somebody else wrote RAM that holds decoded code. */
  invalidateCode(hostAddress: number, length: number): void;
  /** Sections of the migration stream, in order. */
  readonly sections: readonly CpuVmstate[];
  /** Registers for debuggers. */
  registers(): readonly RegisterView[];
  /** Text of `info registers`. */
  describe(): string;
  /** Guest-physical address behind a linear address for debuggers, without side effects; undefined when unmapped. */
  translateDebug(address: bigint): number | undefined;
  /** Words of feature bits that the guest sees, by the architecture's names for them (x86: `LEAF[.SUBLEAF].REGISTER`). */
  readonly featureWords?: Readonly<Record<string, number>>;
  /** Breakpoints, stepping and the registers' descriptions; absent when this CPU cannot be debugged. */
  readonly debug?: CpuDebug;
  /** Its state in core files; absent when there is no such form. */
  readonly coreFile?: CpuCoreFile;
  /** Translates guest code; absent when this CPU only interprets. */
  readonly translator?: CpuTranslator;
  /** Counts and traces what is executed; absent when this CPU cannot. vCPUs may share one. */
  readonly instrumentation?: CpuInstrumentation;
}

/** What `create` of a CPU type is given. */
export interface CpuEnvironment {
  readonly index: number;
  readonly count: number;
  readonly topology: CpuTopology;
  readonly memory: MachineMemory;
  readonly bus: CpuBus;
  /** Guest time and timestamp counter. */
  readonly clock: CpuClock;
  /** How guest code is to be translated. */
  readonly translation?: TranslationOptions;
  /** Clocks of the host, for statistics only: nothing that a guest can see may depend on them. */
  readonly hostClock: HostClock;
  /** Scope of this vCPU: CPU-specific services (for example a local interrupt controller) are provided and found here. */
  readonly scope: Scope;
}

/** An architecture or CPU family as a plugin describes it. */
export interface CpuType<P extends PropertyTable = PropertyTable> {
  readonly kind: 'cpu';
  /** Name for `-cpu`. */
  readonly name: string;
  readonly description: string;
  readonly properties: P;
  /** Guest-visible frequency of the timestamp counter when the machine does not say otherwise; undefined: no such counter. */
  readonly hasTimestampCounter: boolean;
  /** Bytes that each vCPU after the first reserves in the machine's memory; none by default. */
  readonly memoryPerCpu?: number;
  create(properties: PropertyValues<P>, environment: CpuEnvironment): VCpu;
}

/** Declares a CPU. */
export function defineCpu<const P extends PropertyTable>(type: Omit<CpuType<P>, 'kind'>): CpuType<P> {
  return { kind: 'cpu', ...type };
}
