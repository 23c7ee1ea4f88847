import type { WasmTable } from '@sterna/core';
import { counterOf } from '../state/memory-map.ts';
import type { RegionPlan, RegionStep } from './former.ts';

const PAGE = 4096;
/** The table of functions grows by this many. */
const TABLE_STEP = 1024;

/** A region: planned, then installed, and dead once its code has changed or it had to go. */
export interface Region {
  /** Record of the entry. */
  readonly entry: number;
  /** Number of instructions. */
  readonly instructions: number;
  /** Host page addresses by page, counted from the entry's. */
  readonly pages: ReadonlyMap<number, number>;
  /** Start and end of each stretch of code, as offsets from the start of the entry's page. */
  readonly stretches: Float64Array;
  /** Records whose loss is the region's end: all while it is to be written, then those whose interpreter functions it calls. */
  records: Int32Array;
  readonly called: Int32Array;
  /** Linear address it was formed for. */
  readonly address: bigint;
  /** Record that executes the entry's instruction without entering the region. */
  readonly shadow: number;
  /** Handler that the entry had. */
  readonly original: number;
  /** Number in the table of functions; -1 while it is not installed. */
  slot: number;
  /** Size of its code. */
  bytes: number;
  alive: boolean;
}

/** The regions of a machine, by their entries and by the host pages that their code is in. */
export class RegionStore {
  readonly #view: DataView;
  readonly #table: WasmTable;
  readonly #byEntry = new Map<number, Region>();
  readonly #byPage = new Map<number, Set<Region>>();
  readonly #free: number[] = [];
  #nextSlot: number;
  /** Bytes of installed code. */
  size = 0;
  /** Told before a region dies. */
  onRemove: (region: Region) => void = () => {};
  /** Whether a region dies with any of its records, and not only with those it uses. */
  keepsRecords = false;
  /** Number of installed regions. */
  installed = 0;

  /** @param firstSlot first number in `table` that is not a handler's */
  constructor(memory: ArrayBufferLike, table: WasmTable, firstSlot: number) {
    this.#view = new DataView(memory);
    this.#table = table;
    this.#nextSlot = firstSlot;
  }

  /** The living region of an entry. */
  at(entry: number): Region | undefined {
    return this.#byEntry.get(entry);
  }

  /** All that live, oldest first. */
  all(): Iterable<Region> {
    return this.#byEntry.values();
  }

  /** Adds a planned region, which dies when its code changes. Of the plan only what that takes is kept. */
  add(plan: RegionPlan, shadow: number, address: bigint): Region {
    const { entry, instructions, pages } = plan;
    const region: Region = {
      entry,
      instructions,
      pages,
      stretches: stretchesOf(plan),
      records: recordsOf(plan, () => true),
      called: recordsOf(plan, ({ effects }) => effects.way === 'call'),
      address,
      shadow,
      original: this.#view.getUint16(entry, true),
      slot: -1,
      bytes: 0,
      alive: true,
    };
    this.#byEntry.set(entry, region);
    for (const host of pages.values()) {
      const set = this.#byPage.get(host);
      if (set === undefined) this.#byPage.set(host, new Set([region]));
      else set.add(region);
    }
    return region;
  }

  /** Makes the interpreter enter a region at its entry. Does nothing when it is dead. */
  install(region: Region, code: unknown, bytes: number): boolean {
    if (!region.alive) return false;
    const slot = this.#free.pop() ?? this.#nextSlot++;
    while (slot >= this.#table.length) this.#table.grow(TABLE_STEP);
    this.#table.set(slot, code);
    this.#view.setUint16(region.entry, slot, true);
    region.slot = slot;
    if (!this.keepsRecords) region.records = region.called;
    region.bytes = bytes;
    this.size += bytes;
    this.installed++;
    return true;
  }

  /** Takes a region out; its entry may become hot again. */
  remove(region: Region): void {
    if (!region.alive) return;
    this.onRemove(region);
    region.alive = false;
    const { entry, pages } = region;
    this.#byEntry.delete(entry);
    for (const host of pages.values()) {
      const set = this.#byPage.get(host);
      set?.delete(region);
      if (set?.size === 0) this.#byPage.delete(host);
    }
    const handler = this.#view.getUint16(entry, true);
    // a dropped record is a link now, and its counter nobody's
    if (handler === (region.slot < 0 ? region.original : region.slot)) {
      this.#view.setUint16(entry, region.original, true);
      this.#view.setUint32(counterOf(entry), 0, true);
    }
    if (region.slot < 0) return;
    this.#table.set(region.slot, null);
    this.#free.push(region.slot);
    this.size -= region.bytes;
    this.installed--;
  }

  /** Code in a range of one host page changed: regions with instructions there die. Answers how many. */
  invalidate(host: number, length: number): number {
    const page = host - (host % PAGE);
    const regions = this.#byPage.get(page);
    if (regions === undefined) return 0;
    let count = 0;
    for (const region of [...regions]) {
      if (!overlaps(region, page, host - page, length)) continue;
      this.remove(region);
      count++;
    }
    return count;
  }

  /**
   * Records of a host page are about to become links. Regions die whose code has not changed but who hand such a record to the
   * interpreter's function of its instruction, or are still to be written from it. Answers how many.
   */
  recordsDropped(first: number, end: number, hostPage: number): number {
    const regions = this.#byPage.get(hostPage);
    if (regions === undefined) return 0;
    let count = 0;
    for (const region of [...regions]) {
      if (!region.records.some((record) => record >= first && record < end)) continue;
      this.remove(region);
      count++;
    }
    return count;
  }

  /** Removes the oldest regions until at most `goal` bytes of code are left. Answers how many. */
  evict(goal: number): number {
    let count = 0;
    for (const region of this.#byEntry.values()) {
      if (this.size <= goal) break;
      if (region.slot < 0) continue;
      this.remove(region);
      count++;
    }
    return count;
  }

  /** Removes all. */
  clear(): void {
    for (const region of [...this.#byEntry.values()]) this.remove(region);
  }
}

/** Whether a region has instructions in a range of a host page. */
function overlaps({ pages, stretches }: Region, hostPage: number, from: number, length: number): boolean {
  for (const [page, host] of pages) {
    if (host !== hostPage) continue;
    const start = page * PAGE + from;
    for (let i = 0; i < stretches.length; i += 2)
      if (stretches[i]! < start + length && stretches[i + 1]! > start) return true;
  }
  return false;
}

function stretchesOf({ blocks }: RegionPlan): Float64Array {
  return Float64Array.from(
    blocks.flatMap(({ place, steps }) => (steps.length === 0 ? [] : [place, steps.at(-1)!.next])),
  );
}

/** Records of those steps that `which` is true of. */
function recordsOf({ blocks }: RegionPlan, which: (step: RegionStep) => boolean): Int32Array {
  return Int32Array.from(blocks.flatMap(({ steps }) => steps.filter(which).map(({ rec }) => rec)));
}
