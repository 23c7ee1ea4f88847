import {
  PAGE_CLEAN_MIGRATION,
  PAGE_UNTOUCHED,
  type RamBlock,
  type RunState,
  type VmStateTable,
  type WasmMemory,
  wasmHost,
} from '@sterna/core';
import type { BufferArea, MigrationEvent, MigrationHost, StateSection } from '../../src/host.ts';
import { bufferAreaSize } from '../../src/ram/blocks.ts';

const PAGE = 4096;
const FLAGS = 0x1_0000;
const RAM = 0x40_0000;

/** A block of the fake machine. */
export interface FakeBlock extends RamBlock {
  usedLength: number;
}

/** A device with a little state. */
export class Counter {
  ticks = 0;
  deadline = -1n;
  readonly log: Uint32Array = new Uint32Array(4);
}

/** Its table. */
export const counterTable: VmStateTable<Counter> = {
  name: 'counter',
  version: 2,
  minimumVersion: 1,
  fields: ({ u32, timer, array, unused }) => [
    u32('ticks'),
    unused(3),
    timer('deadline', { since: 2 }),
    array('u32', 'log', 4),
  ],
  subsections: [
    { name: 'counter/late', version: 1, needed: (counter) => counter.ticks > 5, fields: ({ u32 }) => [u32('ticks')] },
  ],
};

/** A machine without CPU: RAM, one device, run states, and a guest that tests play. */
export class FakeHost implements MigrationHost {
  readonly machineName: string;
  readonly memory: WasmMemory;
  readonly pageFlags: number = FLAGS;
  readonly buffers: BufferArea = { offset: 0x10_0000, size: bufferAreaSize(2 ** 30 + 64 * 2 ** 20) };
  readonly blocks: FakeBlock[] = [];
  readonly counter: Counter = new Counter();
  readonly events: (MigrationEvent | { event: 'STOP' | 'RESUME' })[] = [];
  readonly reports: string[] = [];
  readonly u8: Uint8Array;
  extra: StateSection[] = [];
  blockers: string[] = [];
  runState: RunState;
  /** Pages with a write tag: writes to them are not seen until the tags are flushed. */
  readonly #tags = new Set<number>();
  #next = RAM;

  constructor(runState: RunState, blocks: readonly [name: string, size: number, max?: number][], machineName = 'fake') {
    this.machineName = machineName;
    this.runState = runState;
    const bytes = RAM + blocks.reduce((sum, [, size, max = size]) => sum + Math.ceil(max / 65536) * 65536, 0);
    const pages = bytes / 65536;
    this.memory = new wasmHost.Memory({ initial: pages, maximum: pages, shared: true });
    this.u8 = new Uint8Array(this.memory.buffer);
    for (const [name, size, max] of blocks) this.#allocate(name, size, max ?? size, max !== undefined);
  }

  #allocate(name: string, usedLength: number, maxLength: number, resizable: boolean): void {
    const block: FakeBlock = { name, hostOffset: this.#next, usedLength, maxLength, resizable };
    this.blocks.push(block);
    this.#next += Math.ceil(maxLength / 65536) * 65536;
    const first = FLAGS + block.hostOffset / PAGE;
    this.u8.fill(PAGE_UNTOUCHED, first, first + maxLength / PAGE);
  }

  /** A store by the guest: with a write tag it is not noticed, without one it goes through the slow path. */
  guestWrite(address: number, value: number): void {
    if (this.runState !== 'running') throw new Error('a stopped guest writes');
    const page = Math.floor(address / PAGE);
    if (!this.#tags.has(page)) {
      const flag = FLAGS + page;
      this.u8[flag] = this.u8[flag]! & ~(PAGE_CLEAN_MIGRATION | PAGE_UNTOUCHED);
      if (this.u8[flag] === 0) this.#tags.add(page);
    }
    this.u8[address] = value;
  }

  block(name: string): FakeBlock {
    return this.blocks.find((candidate) => candidate.name === name)!;
  }
  content(name: string): Uint8Array {
    const { hostOffset, usedLength } = this.block(name);
    return this.u8.slice(hostOffset, hostOffset + usedLength);
  }

  stop(state: RunState): void {
    if (this.runState === 'running') this.events.push({ event: 'STOP' });
    this.runState = state;
  }
  start(): void {
    this.runState = 'running';
    this.events.push({ event: 'RESUME' });
  }
  setRunState(state: RunState): void {
    this.runState = state;
  }
  sections(): readonly StateSection[] {
    return [{ idstr: 'counter', instanceId: 0, vmstate: counterTable, state: this.counter }, ...this.extra];
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
  emit(event: MigrationEvent): void {
    this.events.push(event);
  }
  report(text: string): void {
    this.reports.push(text);
  }
  /** Statuses in the order they were announced. */
  get statuses(): string[] {
    return this.events.flatMap((event) => (event.event === 'MIGRATION' ? [event.data.status] : []));
  }
}
