import { type WasmMemory, wasmHost } from '@sterna/core';
import type { RegionPlan } from '../jit/former.ts';
import type { Region } from '../jit/region-store.ts';
import { COUNTS, INSTRUMENT_PAGES } from './areas.ts';

/** A region that counts. */
interface Counted {
  readonly at: number;
  /** Records of the steps of each block. */
  readonly blocks: readonly Int32Array[];
}

/** The memory where executions are counted, and which of it the regions have. */
export class RegionCounts {
  readonly memory: WasmMemory;
  readonly #view: DataView;
  readonly #counted = new Map<Region, Counted>();
  readonly #add: (record: number, executions: number) => void;
  #next: number = COUNTS.regions;

  /** @param add - gets the counts of regions: a record, and how often they have executed it since they were asked before */
  constructor(add: (record: number, executions: number) => void) {
    // the type that the host knows is that of shared memory
    const { Memory } = wasmHost as unknown as { Memory: new (pages: { initial: number }) => WasmMemory };
    this.memory = new Memory({ initial: INSTRUMENT_PAGES });
    this.#view = new DataView(this.memory.buffer);
    this.#add = add;
  }

  /** Gives a region its counters. Answers where they are, or 0 when there is no room for more. */
  add(region: Region, plan: RegionPlan): number {
    const blocks = plan.blocks.map(({ steps }) => Int32Array.from(steps, ({ rec }) => rec));
    const bytes = blocks.length * 8 + plan.instructions * 8;
    if (this.#next + bytes > COUNTS.end) return 0;
    const at = this.#next;
    this.#next += bytes;
    this.#counted.set(region, { at, blocks });
    return at;
  }

  /** Takes the executions of a record by the interpreter. */
  takeRecord(record: number): number {
    const at = record >>> 2;
    const count = this.#view.getUint32(at, true);
    if (count !== 0) this.#view.setUint32(at, 0, true);
    return count;
  }

  /** Hands on what all regions have counted. */
  harvest(): void {
    for (const [region, counted] of this.#counted) this.#take(region, counted);
  }

  regionRemoved(region: Region): void {
    const counted = this.#counted.get(region);
    if (counted === undefined) return;
    this.#take(region, counted);
    this.#counted.delete(region);
  }

  /** All regions and records are gone. */
  clear(): void {
    this.#counted.clear();
    this.#next = COUNTS.regions;
    new Uint8Array(this.memory.buffer).fill(0, COUNTS.regions);
  }

  #take(region: Region, { at, blocks }: Counted): void {
    let early = at + blocks.length * 8;
    blocks.forEach((records, b) => {
      let count = Number(this.#view.getBigUint64(at + b * 8, true));
      this.#view.setBigUint64(at + b * 8, 0n, true);
      for (const record of records) {
        count -= this.#view.getUint32(early, true);
        this.#view.setUint32(early, 0, true);
        early += 4;
        if (count !== 0) this.#add(record, count);
      }
    });
    const byShadow = this.takeRecord(region.shadow);
    if (byShadow !== 0) this.#add(region.entry, byShadow);
  }
}
