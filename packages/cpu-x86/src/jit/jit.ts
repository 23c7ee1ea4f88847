import { type WasmMemory, type WasmTable, wasmHost } from '@sterna/core';
import type { DecodeCache } from '../decode/decode-cache.ts';
import type { HandlerSpec } from '../decode/handler-spec.ts';
import type { HandlerTables } from '../decode/handlers.ts';
import { Handler, REC } from '../interp/records.ts';
import { cellAddress } from '../state/layout.ts';
import { counterOf, TLB, TLB_PLACE } from '../state/memory-map.ts';
import { EffectsTable } from './effects.ts';
import { type CodeView, RegionFormer, type RegionPlan } from './former.ts';
import { JitStatistics } from './jit-statistics.ts';
import { exitRecords, printRegion } from './print-region.ts';
import { RegionModule } from './region-module.ts';

/** How the JIT works. */
export interface JitOptions {
  /** Executions of a branch target in the interpreter after which it is translated; 0 switches translation off. */
  readonly threshold: number;
  /** Most bytes of translated code that are kept. */
  readonly cacheBytes: number;
}

/** What is used unless somebody says otherwise. */
export const JIT_DEFAULTS: JitOptions = { threshold: 8000, cacheBytes: 48 << 20 };

/** Regions translated between two slices: a slice must not wait long. */
const REGIONS_PER_PAUSE = 16;
const PAGE = 4096;

/** A translated region. */
interface Region {
  readonly plan: RegionPlan;
  readonly slot: number;
  /** Handler that the entry had. */
  readonly original: number;
  readonly bytes: number;
  alive: boolean;
}

/** A place that the interpreter found to be executed often. */
interface HotPlace {
  readonly record: number;
  readonly epoch: number;
  readonly pcPage: bigint;
  readonly tlb: number;
}

/**
 * Translates what the interpreter reports to be hot. A region is a function with the signature of the interpreter's own
 * handlers: it is entered because the handler number in its entry's record is its slot in the table of handlers.
 */
export class Jit {
  readonly statistics = new JitStatistics();
  readonly #memory: WasmMemory;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #u32: Int32Array;
  readonly #cache: DecodeCache;
  readonly #tables: HandlerTables;
  readonly #table: WasmTable;
  readonly #core: Readonly<Record<string, unknown>>;
  readonly #former: RegionFormer;
  readonly #effects: readonly [EffectsTable, EffectsTable];
  #options: JitOptions;
  #hot: HotPlace[] = [];
  readonly #byEntry = new Map<number, Region>();
  /** Regions by host page of their code. */
  readonly #byPage = new Map<number, Set<Region>>();
  readonly #free: number[] = [];
  #nextSlot: number;
  #size = 0;

  constructor(
    memory: WasmMemory,
    cache: DecodeCache,
    tables: HandlerTables,
    table: WasmTable,
    core: Readonly<Record<string, unknown>>,
    options: JitOptions,
  ) {
    this.#memory = memory;
    this.#bytes = new Uint8Array(memory.buffer);
    this.#view = new DataView(memory.buffer);
    this.#u32 = new Int32Array(memory.buffer);
    this.#cache = cache;
    this.#tables = tables;
    this.#table = table;
    this.#core = core;
    this.#former = new RegionFormer(cache, memory.buffer);
    this.#effects = [new EffectsTable(false, tables.hotEnd), new EffectsTable(true, tables.hotEnd)];
    this.#nextSlot = tables.count;
    this.#options = options;
    cache.onInvalidate = (host, length) => this.#invalidate(host, length);
    cache.onClear = () => this.#dropAll();
    const wanted = (globalThis as { STERNA_JIT?: number }).STERNA_JIT;
    (globalThis as { STERNA_LAST_JIT?: unknown }).STERNA_LAST_JIT = this;
    this.options = wanted === undefined ? options : { ...options, threshold: wanted };
  }

  /** How it works; may be changed between slices. */
  get options(): JitOptions {
    return this.#options;
  }
  set options(options: JitOptions) {
    this.#options = options;
    this.#u32[cellAddress('hotCount') >>> 2] = options.threshold;
    if (options.threshold === 0) {
      this.#hot = [];
      this.#uninstallAll();
    }
  }

  /** The interpreter reports a record whose counter has reached the threshold. */
  report(record: number): void {
    const tlb = this.#u32[cellAddress('tlbArea') >>> 2]! + (this.#u32[cellAddress('cpl') >>> 2] === 3 ? TLB_PLACE.user : TLB_PLACE.kernel);
    this.#hot.push({
      record,
      epoch: this.#epoch,
      pcPage: this.#view.getBigUint64(cellAddress('pcPage'), true),
      tlb,
    });
  }

  get #epoch(): number {
    return this.#u32[cellAddress('cacheEpoch') >>> 2]!;
  }

  /** Translates some of the places that were reported. Called between slices. */
  work(): void {
    if (this.#hot.length === 0) return;
    const start = this.statistics.begin();
    const module = new RegionModule();
    const made: { plan: RegionPlan; shadow: number }[] = [];
    const batch = this.#hot.splice(0, REGIONS_PER_PAUSE);
    for (const place of batch) {
      if (place.epoch !== this.#epoch) continue;
      const plan = this.#plan(place);
      if (plan === undefined) {
        this.statistics.refused++;
        continue;
      }
      const shadow = this.#shadow(plan.entry);
      // the cache is full: it will be cleared soon
      if (shadow === 0) continue;
      module.add(printRegion(module.builder, module, this.#memory.buffer, plan, shadow, exitRecords(this.#cache, plan)));
      made.push({ plan, shadow });
    }
    if (made.length > 0) {
      const bytes = module.build();
      const instance = new wasmHost.Instance(new wasmHost.Module(bytes), { env: { memory: this.#memory }, core: this.#core });
      const each = Math.ceil(bytes.length / made.length);
      made.forEach(({ plan }, i) => this.#install(plan, instance.exports[String(i)], each));
      this.statistics.modules++;
      this.statistics.regions += made.length;
      this.statistics.instructions += made.reduce((n, m) => n + m.plan.instructions, 0);
      this.statistics.codeBytes += bytes.length;
    }
    this.statistics.end(start);
    if (this.#size > this.#options.cacheBytes) this.#evict();
  }

  #plan({ record, pcPage, tlb }: HotPlace): RegionPlan | undefined {
    const run = this.#cache.runOf(record);
    if (run < 0 || this.#byEntry.has(record)) return undefined;
    const key = this.#cache.runKey(run);
    // 16-bit code and stacks stay with the interpreter
    if ((key & 3) !== 2 && (key & 7) !== 5) return undefined;
    const page0 = this.#cache.runPage(run);
    const view: CodeView = {
      hostPage: (page) => (page === 0 ? page0 : this.#hostPage(pcPage + BigInt(page * PAGE), tlb, (key & 3) === 2)),
      specOf: (rec) => this.#specOf(rec),
    };
    if (this.#view.getUint16(record, true) === Handler.CROSS || this.#view.getUint16(record, true) === Handler.LINK) return undefined;
    // the second half of an instruction that crosses pages is no entry
    if (this.#cache.peek(page0 + (this.#view.getUint16(record + REC.pos, true) & 0xfff), key) !== record) return undefined;
    return this.#former.form(record, key, this.#effects[(key & 3) === 2 ? 1 : 0]!, view);
  }

  /** Host address of a linear page by the execute tags, or 0. */
  #hostPage(linear: bigint, tlb: number, code64: boolean): number {
    const page = code64 ? BigInt.asUintN(64, linear) : BigInt.asUintN(32, linear);
    const at = tlb + (Number((page >> 7n) & BigInt((TLB.entries - 1) * TLB.stride)) >>> 0);
    if (this.#view.getBigUint64(at + TLB.exec, true) !== page) return 0;
    return (Number(page & 0xffff_ffffn) + this.#u32[(at + TLB.addend) >>> 2]!) >>> 0;
  }

  /** The definition behind a record whatever was joined to it or translated at it. */
  #specOf(record: number): HandlerSpec | undefined {
    const handler = this.#byEntry.get(record)?.original ?? this.#view.getUint16(record, true);
    if (handler < Handler.first) return undefined;
    let spec = this.#tables.handlers[handler - Handler.first];
    while (spec?.first !== undefined) spec = spec.first;
    return spec;
  }

  /** A copy of the entry's record followed by a link to the next one; 0 when there is no room. */
  #shadow(entry: number): number {
    const at = this.#cache.allocate(2);
    if (at === 0) return 0;
    this.#bytes.copyWithin(at, entry, entry + REC.size);
    const spec = this.#specOf(entry)!;
    // the handler of this instruction alone
    this.#view.setUint16(at, this.#alone(spec), true);
    const pos = this.#view.getUint16(entry + REC.pos, true);
    this.#cache.writeLink(at + REC.size, (pos & 0xfff) + (pos >>> 12));
    return at;
  }

  /** Handler of a definition without the branch that may be done with it. */
  #alone(spec: HandlerSpec): number {
    if (spec.fused < 0) return spec.id;
    return this.#tables.handlers.find((h) => h.fused < 0 && h.first === undefined && h.key === spec.key.slice(0, spec.key.lastIndexOf(' + j')))!.id;
  }

  #install(plan: RegionPlan, code: unknown, bytes: number): void {
    const slot = this.#free.pop() ?? this.#nextSlot++;
    while (slot >= this.#table.length) this.#table.grow(1024);
    this.#table.set(slot, code);
    const region: Region = { plan, slot, original: this.#view.getUint16(plan.entry, true), bytes, alive: true };
    this.#view.setUint16(plan.entry, slot, true);
    this.#byEntry.set(plan.entry, region);
    for (const host of plan.pages.values()) {
      let set = this.#byPage.get(host);
      if (set === undefined) {
        set = new Set();
        this.#byPage.set(host, set);
      }
      set.add(region);
    }
    this.#size += bytes;
  }

  #remove(region: Region): void {
    if (!region.alive) return;
    region.alive = false;
    this.#byEntry.delete(region.plan.entry);
    if (this.#view.getUint16(region.plan.entry, true) === region.slot) {
      this.#view.setUint16(region.plan.entry, region.original, true);
      this.#u32[counterOf(region.plan.entry) >>> 2] = 0;
    }
    for (const host of region.plan.pages.values()) this.#byPage.get(host)?.delete(region);
    this.#table.set(region.slot, null);
    this.#free.push(region.slot);
    this.#size -= region.bytes;
  }

  /** Code in a range of host memory changed: regions with instructions there are void. */
  #invalidate(host: number, length: number): void {
    const page = host - (host % PAGE);
    const regions = this.#byPage.get(page);
    if (regions === undefined) return;
    for (const region of [...regions]) {
      if (!overlaps(region.plan, page, host - page, length)) continue;
      this.statistics.invalidated++;
      this.#remove(region);
    }
  }

  /** The oldest half goes. */
  #evict(): void {
    const goal = this.#options.cacheBytes / 2;
    for (const region of this.#byEntry.values()) {
      if (this.#size <= goal) break;
      this.statistics.evicted++;
      this.#remove(region);
    }
  }

  #uninstallAll(): void {
    for (const region of [...this.#byEntry.values()]) this.#remove(region);
  }

  /** All records are void. */
  #dropAll(): void {
    this.#hot = [];
    this.#uninstallAll();
    this.#byPage.clear();
  }
}

/** Whether a region has instructions in a range of a host page. */
function overlaps(plan: RegionPlan, hostPage: number, from: number, length: number): boolean {
  for (const [page, host] of plan.pages) {
    if (host !== hostPage) continue;
    const start = page * PAGE + from;
    for (const b of plan.blocks) {
      const last = b.steps[b.steps.length - 1];
      if (last !== undefined && b.place < start + length && last.next > start) return true;
    }
  }
  return false;
}

