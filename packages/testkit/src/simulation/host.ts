/**
 * A simulated machine: RAM of a few pages with dirty tracking as the real one
 * has it, run states, disks that change hands, and a guest that writes. There
 * is no CPU. One object serves many simulations, see {@link SimHost.renew}.
 */
import {
  isLive,
  type MigrationNotice,
  PAGE_CLEAN_MIGRATION,
  PAGE_UNTOUCHED,
  type RamBlock,
  type RunState,
  type WasmMemory,
  wasmHost,
} from '@sterna/core';
import type { BufferArea, MigrationEvent, MigrationHost, StateSection } from '@sterna/migration';
import { bufferAreaSize } from '@sterna/migration';

const PAGE = 4096;
const FLAGS = 0x1_0000;
const BUFFERS = 0x10_0000;
const RAM = 0x40_0000;

/** A RAM block of a simulated machine. */
export interface SimBlock extends RamBlock {
  usedLength: number;
}

/** Name, size and, for a resizable block, the largest size. */
export type BlockShape = readonly [name: string, size: number, max?: number];

/** An event of the machine, with the run state's own. */
export type SimEvent = MigrationEvent | { readonly event: 'STOP' | 'RESUME' };

/** A disk of a simulated machine. */
export interface SimDisk {
  readonly name: string;
  active: boolean;
}

/** What a simulation may put between a call and its effect: time, and failures. Absent: all calls succeed at once. */
export interface HostFaults {
  /** The machine runs. */
  started?(): void;
  /** Devices drain while the machine stops. */
  drain?(): Promise<void> | undefined;
  /** A disk is written back. @throws what the host's file system might say */
  inactivate?(disk: SimDisk): Promise<void> | undefined;
  activate?(disk: SimDisk): Promise<void> | undefined;
  /** A listener is told of a migration. @throws to refuse it */
  notify?(type: string): Promise<void> | undefined;
  /** Devices forget what a failed load has left. */
  reset?(): void;
}

/** A machine without CPU: RAM, devices, disks, run states. */
export class SimHost implements MigrationHost {
  readonly machineName: string;
  uuid?: Uint8Array;
  readonly memory: WasmMemory;
  readonly pageFlags: number = FLAGS;
  readonly buffers: BufferArea = { offset: BUFFERS, size: bufferAreaSize(2 ** 30 + 64 * 2 ** 20) };
  readonly blocks: SimBlock[] = [];
  readonly u8: Uint8Array;
  events: SimEvent[] = [];
  reports: string[] = [];
  blockers: string[] = [];
  disks: SimDisk[] = [];
  faults: HostFaults = {};
  /** The stopped guest was asleep. */
  wasSuspended = false;
  /** What listeners to migrations were told. */
  notices: string[] = [];
  /** Called after every change of the run state, of a disk, and for every event. */
  onChange: (what: string) => void = () => {};
  #runState: RunState;
  #sections: StateSection[] = [];
  readonly #shapes: readonly BlockShape[];
  /** Pages with a write tag: writes to them are not seen until the tags are flushed. */
  readonly #tags = new Set<number>();
  #next = RAM;

  constructor(runState: RunState, blocks: readonly BlockShape[], machineName = 'fake') {
    this.machineName = machineName;
    this.#runState = runState;
    this.#shapes = blocks;
    const bytes = RAM + blocks.reduce((sum, [, size, max = size]) => sum + Math.ceil(max / 65536) * 65536, 0);
    const pages = bytes / 65536;
    this.memory = new wasmHost.Memory({ initial: pages, maximum: pages, shared: true });
    this.u8 = new Uint8Array(this.memory.buffer);
    for (const [name, size, max] of blocks) this.#allocate(name, size, max ?? size, max !== undefined);
  }

  #allocate(name: string, usedLength: number, maxLength: number, resizable: boolean): void {
    const block: SimBlock = { name, hostOffset: this.#next, usedLength, maxLength, resizable };
    this.blocks.push(block);
    this.#next += Math.ceil(maxLength / 65536) * 65536;
    const first = FLAGS + block.hostOffset / PAGE;
    this.u8.fill(PAGE_UNTOUCHED, first, first + maxLength / PAGE);
  }

  /** As new, with another set of devices and disks. */
  renew(runState: RunState, sections: readonly StateSection[], disks: readonly string[], disksActive: boolean): void {
    this.#runState = runState;
    this.#sections = [...sections];
    this.disks = disks.map((name) => ({ name, active: disksActive }));
    this.events = [];
    this.status = undefined;
    this.reports = [];
    this.blockers = [];
    this.faults = {};
    this.wasSuspended = false;
    this.notices = [];
    this.onChange = () => {};
    this.#tags.clear();
    for (const [i, block] of this.blocks.entries()) {
      block.usedLength = this.#shapes[i]![1];
      // Eight bytes at once: the memory is shared, and its stores are slow.
      new Float64Array(this.u8.buffer, block.hostOffset, block.maxLength / 8).fill(0);
      const first = FLAGS + block.hostOffset / PAGE;
      this.u8.fill(PAGE_UNTOUCHED, first, first + block.maxLength / PAGE);
    }
  }

  /** A store by the guest: with a write tag it is not noticed, without one it goes through the slow path. */
  guestWrite(address: number, value: number): void {
    if (this.#runState !== 'running') throw new Error('a stopped guest writes');
    const page = Math.floor(address / PAGE);
    if (!this.#tags.has(page)) {
      const flag = FLAGS + page;
      this.u8[flag] = this.u8[flag]! & ~(PAGE_CLEAN_MIGRATION | PAGE_UNTOUCHED);
      if (this.u8[flag] === 0) this.#tags.add(page);
    }
    this.u8[address] = value;
  }
  block(name: string): SimBlock {
    return this.blocks.find((candidate) => candidate.name === name)!;
  }
  content(name: string): Uint8Array {
    const { hostOffset, usedLength } = this.block(name);
    return this.u8.slice(hostOffset, hostOffset + usedLength);
  }
  /** The first block whose used bytes differ, with the offset. */
  differenceFrom(other: SimHost): string | undefined {
    for (const [i, { name, hostOffset, usedLength }] of this.blocks.entries()) {
      const there = other.blocks[i]!;
      if (there.usedLength !== usedLength) return `${name}: ${usedLength} bytes here, ${there.usedLength} there`;
      const [a, b] = [hostOffset, there.hostOffset].map((at, side) => {
        const host = side === 0 ? this : other;
        return new Uint32Array(host.u8.buffer, at, usedLength / 4);
      }) as [Uint32Array, Uint32Array];
      for (let at = 0; at < a.length; at++) if (a[at] !== b[at]) return `${name} at 0x${(at * 4).toString(16)}`;
    }
    return undefined;
  }

  get runState(): RunState {
    return this.#runState;
  }
  set runState(state: RunState) {
    this.#enter(state);
  }
  /** Whether this side holds its disks. */
  get disksActive(): boolean {
    return this.disks.every(({ active }) => active);
  }
  async stop(state: RunState): Promise<void> {
    if (isLive(this.#runState)) {
      this.wasSuspended = this.#runState === 'suspended';
      this.#emit({ event: 'STOP' });
    }
    this.#enter(state);
    await this.faults.drain?.();
  }
  start(): void {
    const state = this.wasSuspended ? 'suspended' : 'running';
    this.wasSuspended = false;
    this.#enter(state);
    this.faults.started?.();
    this.#emit({ event: 'RESUME' });
  }
  setRunState(state: RunState): void {
    this.#enter(state);
  }
  sections(): readonly StateSection[] {
    return this.#sections;
  }
  blockedReasons(): readonly string[] {
    return this.blockers;
  }
  ramBlocks(): readonly RamBlock[] {
    return this.blocks;
  }
  resizeRam(block: RamBlock, usedLength: number): void {
    if (!block.resizable || usedLength > block.maxLength)
      throw new RangeError(`${block.name} cannot have ${usedLength}`);
    this.block(block.name).usedLength = usedLength;
  }
  markWritten(address: number, length: number): void {
    for (let page = Math.floor(address / PAGE); page * PAGE < address + length; page++) this.u8[FLAGS + page] = 0;
  }
  flushWriteTags(): void {
    this.#tags.clear();
  }
  async notify({ type }: MigrationNotice): Promise<void> {
    this.notices.push(type);
    await this.faults.notify?.(type);
  }
  reset(): void {
    this.faults.reset?.();
  }
  async inactivateDisks(): Promise<void> {
    for (const disk of this.disks) {
      if (!disk.active) continue;
      await this.faults.inactivate?.(disk);
      disk.active = false;
      this.onChange(`${disk.name} is given up`);
    }
  }
  async activateDisks(): Promise<void> {
    for (const disk of this.disks) {
      if (disk.active) continue;
      await this.faults.activate?.(disk);
      disk.active = true;
      this.onChange(`${disk.name} is taken`);
    }
  }
  emit(event: MigrationEvent): void {
    this.#emit(event);
  }
  report(text: string): void {
    this.reports.push(text);
    this.onChange(`says: ${text}`);
  }
  /** The status announced last. */
  status: string | undefined;
  /** Statuses in the order they were announced. */
  get statuses(): string[] {
    return this.events.flatMap((event) => (event.event === 'MIGRATION' ? [event.data.status] : []));
  }

  #enter(state: RunState): void {
    this.#runState = state;
    this.onChange(state);
  }
  #emit(event: SimEvent): void {
    this.events.push(event);
    if (event.event === 'MIGRATION') this.status = event.data.status;
    this.onChange(event.event === 'MIGRATION' ? `status ${event.data.status}` : event.event);
  }
}
