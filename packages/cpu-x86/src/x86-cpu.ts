import {
  type CpuEnvironment,
  type CpuExit,
  type CpuInstrumentation,
  type CpuTranslator,
  type CpuType,
  defineCpu,
  Logger,
  type MachineMemory,
  type PropertyValues,
  type RegisterView,
  type Service,
  service,
  type VCpu,
} from '@sterna/core';
import { X86CoreFile } from './core-file.ts';
import { type CpuPlacement, X86Cpu } from './cpu.ts';
import { attachDebug, debugAddress } from './debug/attach.ts';
import type { X86Debug } from './debug/x86-debug.ts';
import { type CpuHost, X86Engine } from './engine.ts';
import { jitOptions } from './jit/jit-options.ts';
import { RegionTranslator } from './jit/region-translator.ts';
import { storeCpuid } from './models/cpuid-table.ts';
import { coreCount, cpuidRows, eferBits } from './models/leaves.ts';
import { CPU_PROPERTIES, type CpuConfiguration, type CpuModel, configure } from './models/model.ts';
import { MAX, QEMU64 } from './models/qemu64.ts';
import { apicIdOf } from './models/topology.ts';
import { describeRegisters, registerViews } from './registers.ts';
import { Seg } from './semantics/vectors.ts';
import { VCPU_AREA } from './state/memory-map.ts';
import { INIT_KEEPS, keepCell } from './system/init.ts';
import { MsrFeature } from './system/msr-local.ts';
import { resetState } from './system/reset.ts';
import { CpuVmState, cpuSections } from './vmstate.ts';

const NS_PER_KHZ = 1000;
const NS_PER_MS = 1e6;

/** What an x86 CPU needs of the interrupt controller beside it; the machine provides it in the CPU's scope. */
export interface X86InterruptController {
  /** True while a CPU that was not the first to start waits for its start-up interrupt. */
  readonly waitForSipi: boolean;
  /** Vector of the pending interrupt, which is now in service, or -1 when there is none any more. */
  acknowledgeInterrupt(): number;
  /** Task priority as CR8 shows it, 0-15. */
  getTpr(): number;
  setTpr(value: number): void;
  /** APIC base MSR. `setBase` answers false for a value that must fault. */
  getBase(): number;
  setBase(value: number, x2apicExists: boolean): boolean;
  /** MSRs of x2APIC mode, numbered from 0x800; false when the access must fault. `out` gets the value's halves. */
  readX2apic(register: number, out: Uint32Array): boolean;
  writeX2apic(register: number, low: number, high: number): boolean;
  /** TSC deadline in ns from now, or none. */
  armDeadline(delay: number | undefined): void;
  readonly deadlinePending: boolean;
  /** The CPU took an INIT. */
  initReset(): void;
  /** Start-up vector if the CPU waits for one, else -1; ends the wait. */
  takeSipi(): number;
}
/** The interrupt controller of an x86 CPU. */
export const X86InterruptController: Service<X86InterruptController> = service('x86/InterruptController');

/** Interrupt inputs of an x86 CPU. */
export interface X86InterruptPort {
  /** Level of INTR. */
  setInterruptLine(level: boolean): void;
  nmi(): void;
  /** System management interrupts are not implemented: there is no firmware that uses them here. */
  smi(): void;
  init(): void;
  sipi(vector: number): void;
}

/** The engine of each machine that has an x86 CPU. */
const ENGINES = new WeakMap<MachineMemory, X86Engine>();

/** Where the cells and translations of a vCPU go; the first one's have a fixed place. */
function placement(index: number, memory: MachineMemory): CpuPlacement | undefined {
  const engine = index === 0 ? undefined : ENGINES.get(memory);
  return engine === undefined ? undefined : { index, engine, area: memory.reserve(VCPU_AREA.bytes) };
}

/** An x86 CPU in a machine. */
class X86VCpu implements VCpu {
  readonly index: number;
  readonly port: X86InterruptPort;
  readonly sections: VCpu['sections'];
  readonly debug: X86Debug;
  readonly coreFile: X86CoreFile;
  readonly translator: CpuTranslator;
  readonly instrumentation: CpuInstrumentation;
  readonly featureWords: Readonly<Record<string, number>>;
  readonly #core: X86Cpu;
  readonly #apic: X86InterruptController;
  readonly #vmstate: CpuVmState;
  readonly #configuration: CpuConfiguration;

  constructor(
    model: CpuModel,
    properties: Readonly<Record<string, unknown>>,
    { index, topology, memory, bus, scope, translation, hostClock }: CpuEnvironment,
  ) {
    this.index = index;
    const apic = scope.get(X86InterruptController);
    this.#apic = apic;
    const host: CpuHost = {
      mmioRead: (address, size) => bus.mmioRead(address, size),
      mmioWrite: (address, size, value) => bus.mmioWrite(address, size, value),
      pioRead: (port, size) => bus.ioRead(port, size),
      pioWrite: (port, size, value) => bus.ioWrite(port, size, value),
      acknowledge: () => apic.acknowledgeInterrupt(),
      cr8Read: () => apic.getTpr(),
      cr8Write: (value) => apic.setTpr(value),
      apicBaseRead: () => apic.getBase(),
      apicBaseWrite: (low, high) =>
        apic.setBase(high * 2 ** 32 + low, (core.state.get('msrFeatures') & MsrFeature.X2APIC) !== 0),
      apicMsrRead: (register, out) => apic.readX2apic(register, out),
      apicMsrWrite: (register, low, high) => apic.writeX2apic(register, low, high),
      armDeadline: (delay) => apic.armDeadline(delay),
      deadlinePending: () => apic.deadlinePending,
    };
    const makeEngine = (): X86Engine => {
      const translator = translation?.threaded === false ? undefined : scope.find(RegionTranslator);
      return new X86Engine(memory.memory, jitOptions(translation, translator !== undefined), {
        now: () => hostClock.monotonicNs() / NS_PER_MS,
        ...(translator === undefined ? {} : { translator }),
      });
    };
    const core = new X86Cpu(memory.memory, host, placement(index, memory), makeEngine);
    if (index === 0) scope.onDispose(() => core.engine.jit.dispose());
    ENGINES.set(memory, core.engine);
    this.translator = core.engine.jit;
    this.instrumentation = core.engine.instrumentation;
    this.#core = core;
    this.debug = attachDebug(core, bus, apic);
    this.coreFile = new X86CoreFile({
      index,
      registers: () => this.registers(),
      readPhysical(address, size) {
        const low = BigInt(bus.mmioRead(address, 4));
        return size === 4 ? low : (BigInt(bus.mmioRead(address + 4, 4)) << 32n) | low;
      },
    });
    // every vCPU is of the same model, so the first one's warnings tell all
    const warn = (text: string): void => (index === 0 ? scope.find(Logger)?.warn(text) : undefined);
    const configuration = configure(model, properties, warn);
    this.#configuration = configuration;
    this.featureWords = configuration.words;
    core.engine.setFeatures(configuration.features);
    const { cores, threads } = topology;
    const count = cores * threads;
    storeCpuid(core.state, cpuidRows(configuration, { apicId: apicIdOf(index, topology), count, threads }));
    core.state.setBig('eferValid', BigInt(eferBits(configuration.words)));
    core.state.setBig('coreCount', coreCount(count, threads));
    core.state.set('i386Rules', properties['x-i386'] === true ? 1 : 0);
    const tscHz = properties['tsc-frequency'];
    this.#vmstate = new CpuVmState(
      {
        state: core.state,
        index,
        stateChanged: () => core.stateChanged(),
        get rflags() {
          return core.rflags;
        },
        set rflags(value) {
          core.rflags = value;
        },
      },
      typeof tscHz === 'number' ? BigInt(Math.round(tscHz / NS_PER_KHZ)) : 0n,
    );
    this.sections = cpuSections(this.#vmstate);
    this.port = {
      setInterruptLine: (level) => core.setInterruptLine(level),
      nmi: () => core.nmi(),
      smi: () => {},
      init: () => this.#request('initPending'),
      sipi: () => {
        if (apic.waitForSipi || core.state.get('initPending') !== 0) this.#request('sipiPending');
      },
    };
  }

  run(budget: number, contended?: boolean): CpuExit {
    this.#vmstate.heldRequest = undefined;
    const { state } = this.#core;
    if (state.get('initPending') !== 0) this.#init();
    if (state.get('sipiPending') !== 0) this.#sipi();
    return this.#core.run(budget, contended) as CpuExit;
  }

  get executed(): number {
    return this.#core.executed;
  }

  get dirtied(): number {
    return this.#core.dirtied;
  }

  get halted(): boolean {
    return this.#core.halted;
  }

  hasWork(): boolean {
    const { state } = this.#core;
    if (state.get('initPending') !== 0) return true;
    // before its start-up interrupt a CPU hears nothing else (SDM vol. 3A §9.4.2)
    return this.#apic.waitForSipi ? state.get('sipiPending') !== 0 : this.#core.hasWork();
  }

  limitBudget(n: number): void {
    this.#core.limitBudget(n);
  }

  requestExit(): void {
    this.#core.requestExit();
  }

  reset(): void {
    const core = this.#core;
    resetState(core.state, this.#configuration.signature);
    core.rflags = 2;
    core.stateChanged();
    this.debug.restore();
    this.#vmstate.reset();
    this.#vmstate.heldRequest = undefined;
    // all but the first wait for their start-up interrupt
    if (this.index !== 0) core.state.set('halted', 1);
  }

  /** Asks for INIT or start-up at the next instruction boundary; one that does not run is at one. */
  #request(what: 'initPending' | 'sipiPending'): void {
    this.#core.state.set(what, 1);
    this.#core.requestExit();
  }

  /** INIT: as a reset, but much is kept, and so is a start-up interrupt that came behind it (SDM vol. 3A §10.1.1). */
  #init(): void {
    const { state } = this.#core;
    const kept = INIT_KEEPS.map((cell) => keepCell(state, cell));
    this.reset();
    for (const restore of kept) restore();
    this.#apic.initReset();
    state.set('halted', this.#apic.waitForSipi ? 1 : 0);
  }

  #sipi(): void {
    const { state } = this.#core;
    state.set('sipiPending', 0);
    const start = this.#apic.takeSipi();
    if (start < 0) return;
    state.set('segSel', start << 8, Seg.CS);
    state.setBig('segBase', BigInt(start << 12), Seg.CS);
    state.setBig('rip', 0n);
    state.set('halted', 0);
    this.#core.stateChanged();
  }

  flushTlb(): void {
    this.#core.flushTlb();
  }

  flushWriteTags(): void {
    this.#core.flushWriteTags();
  }

  invalidateCode(hostAddress: number, length: number): void {
    // all vCPUs of the machine are told, and have the code in common
    if (this.index === 0) this.#core.invalidateCode(hostAddress, length);
  }

  registers(): readonly RegisterView[] {
    return registerViews(this.#core);
  }

  describe(): string {
    return describeRegisters(this.#core);
  }

  translateDebug(address: bigint): number | undefined {
    return debugAddress(this.#core, address);
  }
}

/** The CPU type of a model. */
function typeOf(model: CpuModel): CpuType {
  return defineCpu({
    name: model.name,
    description: model.description,
    properties: CPU_PROPERTIES,
    hasTimestampCounter: true,
    memoryPerCpu: VCPU_AREA.bytes,
    create: (properties: PropertyValues<typeof CPU_PROPERTIES>, environment: CpuEnvironment): VCpu =>
      new X86VCpu(model, properties, environment),
  });
}

/** QEMU's `qemu64` without SVM. */
export const x86Cpu: CpuType = typeOf(QEMU64);
/** Every model; the first is the default. */
export const x86Cpus: readonly CpuType[] = [x86Cpu, typeOf(MAX)];
