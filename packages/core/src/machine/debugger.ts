import type { CpuDebug, DebugStop, Watchpoint } from '../cpu/cpu-debug.ts';
import type { VCpu } from '../cpu/define-cpu.ts';
import { SternaError } from '../errors.ts';
import { PAGE_MISSING, PAGE_SIZE } from '../memory/layout.ts';
import type { Machine } from './machine.ts';
import { isRunning, type RunState } from './run-state.ts';

/** What a vCPU does when the machine runs on; those not named stand still. */
export type ResumeAction = 'continue' | 'step';

/** Why the machine stands still. */
export interface MachineStop {
  readonly state: RunState;
  /** In state `debug`: the vCPU that stopped, and why. */
  readonly cpu?: VCpu;
  readonly stop?: DebugStop;
}

/** States from which a debugger may let the guest run; in others somebody else owns it or it cannot run at all. */
const RESUMABLE: readonly RunState[] = ['debug', 'paused', 'prelaunch', 'running', 'suspended', 'io-error', 'watchdog'];

/**
 * A machine as debuggers handle it: stop, continue, step, breakpoints, memory. One for each machine; several debuggers
 * at a time are not kept apart.
 */
export class MachineDebugger {
  readonly #machine: Machine;
  readonly #listeners = new Set<(stop: MachineStop) => void>();
  /** Accesses by {@link readMemory} are guest-physical. */
  physicalMemory = false;
  /** Interrupts are taken while a vCPU is stepped. */
  stepInterrupts = false;

  constructor(machine: Machine) {
    this.#machine = machine;
    machine.hooks.runState.tap('debugger', (state, previous) => {
      if (isRunning(previous)) this.#stopped(state);
    });
  }

  /** vCPUs, by index. */
  get cpus(): readonly VCpu[] {
    return this.#machine.cpus;
  }

  /** Run state of the machine. */
  get runState(): RunState {
    return this.#machine.runState;
  }

  /** Whether vCPUs execute instructions. */
  get running(): boolean {
    return isRunning(this.#machine.runState);
  }

  /** Whether {@link resume} can do something. */
  get resumable(): boolean {
    return !this.#machine.ended && RESUMABLE.includes(this.#machine.runState);
  }

  /** Calls `listener` whenever the machine has stopped, for whatever reason, until disposed. */
  onStop(listener: (stop: MachineStop) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  /** Pauses a running machine. */
  stop(): void {
    if (this.running) this.#machine.stop('paused');
  }

  /**
   * Lets the machine run; `actions` says which vCPUs take part.
   *
   * @throws SternaError `STERNA_ERR_RUN_STATE` in a state in which the guest cannot run.
   */
  resume(actions: ReadonlyMap<VCpu, ResumeAction>): void {
    if (!this.resumable) {
      throw new SternaError(
        'STERNA_ERR_RUN_STATE',
        `a debugger cannot let a machine run that is in state ${this.#machine.runState}`,
      );
    }
    const { held } = this.#machine.loop;
    held.clear();
    for (const cpu of this.cpus) {
      const action = actions.get(cpu);
      if (action === undefined) held.add(cpu);
      else if (action === 'step') this.#debugOf(cpu).step(true, this.stepInterrupts);
    }
    this.#machine.start();
  }

  #debugOf(cpu: VCpu): CpuDebug {
    if (cpu.debug !== undefined) return cpu.debug;
    throw new SternaError('STERNA_ERR_UNSUPPORTED', `vCPU ${cpu.index} is of a kind that cannot be debugged`);
  }

  #stopped(state: RunState): void {
    const machine = this.#machine;
    machine.loop.held.clear();
    for (const cpu of machine.cpus) cpu.debug?.step(false, false);
    const cpu = state === 'debug' ? machine.debugCpu : undefined;
    const stop = cpu?.debug?.stop;
    const event: MachineStop = {
      state,
      ...(cpu === undefined ? {} : { cpu }),
      ...(stop === undefined ? {} : { stop }),
    };
    for (const listener of this.#listeners) listener(event);
  }

  /** Sets a breakpoint on every vCPU. Answers false when there is no room for it. */
  setBreakpoint(address: bigint): boolean {
    return this.#onAll(
      (debug) => debug.setBreakpoint(address),
      (debug) => debug.clearBreakpoint(address),
    );
  }

  clearBreakpoint(address: bigint): void {
    for (const { debug } of this.cpus) debug?.clearBreakpoint(address);
  }

  /** Sets a watchpoint on every vCPU. Answers false when there is no room for it. */
  setWatchpoint(watchpoint: Watchpoint): boolean {
    return this.#onAll(
      (debug) => debug.setWatchpoint(watchpoint),
      (debug) => debug.clearWatchpoint(watchpoint),
    );
  }

  clearWatchpoint(watchpoint: Watchpoint): void {
    for (const { debug } of this.cpus) debug?.clearWatchpoint(watchpoint);
  }

  /** Removes all breakpoints and watchpoints. */
  clearAll(): void {
    for (const { debug } of this.cpus) debug?.clearAll();
  }

  #onAll(set: (debug: CpuDebug) => boolean, undo: (debug: CpuDebug) => void): boolean {
    const debugs = this.cpus.map((cpu) => this.#debugOf(cpu));
    if (debugs.every(set)) return true;
    for (const debug of debugs) undo(debug);
    return false;
  }

  /**
   * Reads memory as a vCPU sees it, or guest-physical memory. Device registers are read for real.
   *
   * @returns how many bytes from the start could be read
   */
  readMemory(cpu: VCpu, address: bigint, into: Uint8Array): number {
    const { bus, memory } = this.#machine;
    return this.#forEachPiece(cpu, address, into.length, (at, done, length, host) => {
      if (host !== undefined) into.set(memory.u8.subarray(host, host + length), done);
      else this.#asCpu(cpu, at, length, (a, size, i) => writeLittle(into, done + i, size, bus.mmioRead(a, size)));
    });
  }

  /**
   * Writes memory as a vCPU sees it, or guest-physical memory; read-only memory too.
   *
   * @returns how many bytes from the start could be written
   */
  writeMemory(cpu: VCpu, address: bigint, bytes: Uint8Array): number {
    const { bus, memory } = this.#machine;
    return this.#forEachPiece(cpu, address, bytes.length, (at, done, length, host) => {
      if (host === undefined) {
        this.#asCpu(cpu, at, length, (a, size, i) => bus.mmioWrite(a, size, readLittle(bytes, done + i, size)));
        return;
      }
      memory.u8.set(bytes.subarray(done, done + length), host);
      memory.markWritten(host, length);
    });
  }

  /** Accesses device registers as the given vCPU, which sees its own local ones. */
  #asCpu(cpu: VCpu, at: number, length: number, access: DeviceAccess): void {
    const { loop } = this.#machine;
    const before = loop.current;
    loop.current = cpu;
    try {
      accessDevice(at, length, access);
    } finally {
      loop.current = before;
    }
  }

  /** Splits a range at pages and regions; ends at the first byte that is mapped nowhere or whose page is not there yet. */
  #forEachPiece(
    cpu: VCpu,
    address: bigint,
    total: number,
    access: (physical: number, done: number, length: number, host: number | undefined) => void,
  ): number {
    const { physical: space, memory } = this.#machine;
    let done = 0;
    while (done < total) {
      const linear = BigInt.asUintN(64, address + BigInt(done));
      const at = this.physicalMemory ? physicalAddress(linear) : cpu.translateDebug(linear);
      const range = at === undefined ? undefined : space.find(at);
      if (at === undefined || range === undefined) break;
      const length = Math.min(total - done, PAGE_SIZE - (at % PAGE_SIZE), range.end - at);
      const { region } = range;
      const host =
        region.kind === 'ram' ? region.block.hostOffset + region.offset + range.offset + (at - range.start) : undefined;
      if (host !== undefined && (memory.u8[memory.flagIndex(host)]! & PAGE_MISSING) !== 0) break;
      access(at, done, length, host);
      done += length;
    }
    return done;
  }
}

function physicalAddress(address: bigint): number | undefined {
  return address <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(address) : undefined;
}

type DeviceAccess = (at: number, size: number, offset: number) => void;

/** Cuts a range into aligned accesses of 4, 2 and 1 bytes, as drivers make them. */
function accessDevice(at: number, length: number, access: DeviceAccess): void {
  for (let i = 0; i < length; ) {
    const left = length - i;
    const a = at + i;
    const size = a % 4 === 0 && left >= 4 ? 4 : a % 2 === 0 && left >= 2 ? 2 : 1;
    access(a, size, i);
    i += size;
  }
}

function readLittle(bytes: Uint8Array, at: number, size: number): number {
  let value = 0;
  for (let i = size - 1; i >= 0; i--) value = value * 256 + bytes[at + i]!;
  return value;
}

function writeLittle(bytes: Uint8Array, at: number, size: number, value: number): void {
  for (let i = 0; i < size; i++) bytes[at + i] = value >>> (8 * i);
}
