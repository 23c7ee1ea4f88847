import {
  type CpuTranslator,
  type HotSpot,
  type WasmMemory,
  type WasmModule,
  type WasmTable,
  wasmHost,
} from '@sterna/core';
import type { DecodeCache } from '../decode/decode-cache.ts';
import type { HandlerSpec } from '../decode/handler-spec.ts';
import type { HandlerTables } from '../decode/handlers.ts';
import type { RegionCounts } from '../instrument/region-counts.ts';
import { Handler, REC } from '../interp/records.ts';
import { cellAddress } from '../state/layout.ts';
import { counterOf, TLB, TLB_PLACE } from '../state/memory-map.ts';
import { EffectsTable } from './effects-table.ts';
import { type CodeView, RegionFormer, type RegionPlan } from './former.ts';
import { JIT_DEFAULTS, type JitHost, type JitOptions } from './jit-options.ts';
import { describeJit } from './jit-report.ts';
import { JitStatistics } from './jit-statistics.ts';
import { encodeRegions } from './plan-message.ts';
import { type PlannedRegion, printRegions } from './print-module.ts';
import { entryCounter, exitRecords } from './print-region.ts';
import { type Region, RegionStore } from './region-store.ts';
import type { RegionTranslator, TranslatedRegions } from './region-translator.ts';

/** Most guest instructions translated between two slices, and milliseconds that it may take: a slice must not wait long. */
const INSTRUCTIONS_PER_PAUSE = 256;
const TRANSLATE_MS = 4;
/** The same in the first pause. */
const FIRST_PAUSE = 32;
/** Milliseconds of choosing regions after which the rest waits for the next pause. */
const FORM_MS = 1.5;
/** The other thread gets so many places at a time, or what there is after so many slices. */
const PLACES_PER_JOB = 24;
const MAX_WAIT = 40;
/** Guest instructions in such a job, about. */
const INSTRUCTIONS_PER_JOB = 768;
/** Most jobs that another thread has at a time. */
const MAX_JOBS = 4;
const PAGE = 4096;

/** A place that the interpreter found to be executed often. */
interface HotPlace {
  readonly record: number;
  readonly epoch: number;
  readonly pcPage: bigint;
  readonly tlb: number;
}

/** A region chosen but not translated. */
interface Chosen {
  readonly region: Region;
  readonly planned: PlannedRegion;
}

/**
 * Translates what the interpreter reports to be hot. A region is a function with the signature of the interpreter's own
 * handlers: it is entered because the handler number in its entry's record is its slot in the table of handlers.
 *
 * The regions are chosen between two slices. Then they are printed and compiled at once or, with a {@link RegionTranslator}, by
 * another thread, and installed when they are there unless their code has changed meanwhile. When that is does not matter to
 * the guest: a region does exactly what the interpreter does.
 */
export class Jit implements CpuTranslator {
  readonly statistics = new JitStatistics();
  readonly #memory: WasmMemory;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #u32: Uint32Array;
  readonly #cache: DecodeCache;
  readonly #tables: HandlerTables;
  #core: Readonly<Record<string, unknown>>;
  readonly #former: RegionFormer;
  readonly #effects: readonly [EffectsTable, EffectsTable];
  readonly #store: RegionStore;
  readonly #translator: RegionTranslator | undefined;
  #options: JitOptions = JIT_DEFAULTS;
  #hot: HotPlace[] = [];
  /** What is translated next, together. */
  #chosen: Chosen[] = [];
  /** Guest instructions to be translated here in the next pause. */
  #pace = INSTRUCTIONS_PER_PAUSE;
  #jobs = 0;
  /** Slices since places were last given to the other thread, while there were some. */
  #waited = 0;
  #disposed = false;
  #counts: RegionCounts | undefined;

  /**
   * @param effects what the interpreter's instructions do, as `learnEffects` writes it
   * @internal
   */
  constructor(
    memory: WasmMemory,
    cache: DecodeCache,
    tables: HandlerTables,
    table: WasmTable,
    core: Readonly<Record<string, unknown>>,
    effects: ArrayBuffer,
    options: JitOptions,
    host: JitHost = {},
  ) {
    this.#memory = memory;
    this.#bytes = new Uint8Array(memory.buffer);
    this.#view = new DataView(memory.buffer);
    this.#u32 = new Uint32Array(memory.buffer);
    this.#cache = cache;
    this.#tables = tables;
    this.#core = core;
    this.#former = new RegionFormer(cache, memory.buffer);
    const count = tables.handlers.length;
    this.#effects = [new EffectsTable(effects, count, false), new EffectsTable(effects, count, true)];
    this.#store = new RegionStore(memory.buffer, table, tables.count);
    this.#translator = host.translator;
    if (host.now !== undefined) this.statistics.now = host.now;
    this.#store.onRemove = (region) => this.#counts?.regionRemoved(region);
    cache.onInvalidate = (address, length) => {
      this.statistics.invalidated += this.#store.invalidate(address, length);
    };
    cache.onDrop = (first, end, hostPage) => {
      this.statistics.invalidated += this.#store.recordsDropped(first, end, hostPage);
    };
    cache.onClear = () => {
      this.#former.forget();
      this.#dropAll();
    };
    this.options = options;
  }

  /** How it works; may be changed between slices. */
  get options(): JitOptions {
    return this.#options;
  }
  /** Takes effect with the next slice; switching off drops all regions. */
  set options(options: JitOptions) {
    this.#options = options;
    this.#u32[cellAddress('hotCount') >>> 2] = options.threshold;
    if (options.threshold === 0) this.#dropAll();
  }

  /**
   * Another instance of the interpreter is in place: everything is translated again, for its functions.
   *
   * @internal
   * @param counts - keeps the counts of regions, which count then
   */
  restart(core: Readonly<Record<string, unknown>>, counts: RegionCounts | undefined): void {
    this.#dropAll();
    this.#store.keepsRecords = counts !== undefined;
    this.#core = core;
    this.#counts = counts;
  }

  /** Name of the instruction of a record, and whether it may lead elsewhere; undefined when it stands for none. */
  instructionAt(record: number): { readonly name: string; readonly transfers: boolean } | undefined {
    const spec = this.#specOf(record);
    if (spec === undefined) return undefined;
    const { transfer, changesMode } = this.#effects[1].of(spec, this.#view.getInt32(record + REC.imm, true));
    return { name: spec.name, transfers: transfer !== 'none' || changesMode };
  }

  /** The interpreter reports a record whose counter has reached the threshold. */
  report(record: number): void {
    const user = this.#u32[cellAddress('cpl') >>> 2] === 3;
    const tlb = this.#u32[cellAddress('tlbArea') >>> 2]! + (user ? TLB_PLACE.user : TLB_PLACE.kernel);
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
    if (this.#hot.length === 0 && this.#chosen.length === 0) return;
    const translator = this.#translator?.state === 'failed' ? undefined : this.#translator;
    // the printer's own code is slow at first: what comes up before the other thread is there waits for it
    if (translator?.state === 'starting' || this.#jobs >= MAX_JOBS) return;
    // few at a time would cost a module and a message each
    const few = this.#chosen.length === 0 && this.#hot.length < PLACES_PER_JOB;
    if (translator !== undefined && few && ++this.#waited < MAX_WAIT) return;
    this.#waited = 0;
    this.#sortHot();
    const start = this.statistics.begin();
    // our own code is slow until it has run a while
    const warm = FIRST_PAUSE + this.statistics.instructions / 8;
    const most = Math.min(warm, translator === undefined ? this.#pace : INSTRUCTIONS_PER_JOB);
    const instructions = this.#form(most, start);
    this.statistics.formMs += this.statistics.now() - start;
    const full = this.#chosen.length >= PLACES_PER_JOB || instructions >= most;
    if (translator === undefined) {
      this.#translate();
      const share = TRANSLATE_MS / Math.max(TRANSLATE_MS / 2, this.statistics.now() - start);
      if (instructions > 0) this.#pace = Math.min(INSTRUCTIONS_PER_PAUSE, Math.max(1, instructions * share));
    } else if (full || this.#hot.length === 0) this.#translate(translator);
    this.statistics.end(start);
  }

  /** Forgets everything; nothing is translated any more. */
  dispose(): void {
    this.#disposed = true;
    this.options = { ...this.#options, threshold: 0 };
  }

  describe(): string {
    const { state } = this.#translator ?? {};
    const where = state === undefined || state === 'failed' ? 'between slices' : `by another thread (${state})`;
    const { options, statistics } = this;
    return describeJit({ options, statistics, store: this.#store, where, inFlight: this.#jobs }, this.#u32);
  }

  hotSpots(): readonly HotSpot[] {
    if (!this.#options.hotSpots) return [];
    const spots: HotSpot[] = [];
    for (const { slot, address, instructions, shadow } of this.#store.all()) {
      const entries = this.#u32[entryCounter(shadow) >>> 2]!;
      if (slot >= 0) spots.push({ address, instructions, entries });
    }
    return spots.sort((a, b) => b.entries - a.entries);
  }

  /** Sorts the reported places by how often they were executed by now, the most first. */
  #sortHot(): void {
    const count = ({ record }: HotPlace): number => this.#u32[counterOf(record) >>> 2]!;
    if (this.#hot.length > 1) this.#hot.sort((a, b) => count(b) - count(a));
  }

  /**
   * Chooses regions for the reported places, until there are about so many instructions in all that is chosen, or time is up.
   * Answers how many there are.
   */
  #form(most: number, start: number): number {
    const { statistics } = this;
    let instructions = this.#chosen.reduce((n, { planned }) => n + planned.plan.instructions, 0);
    let done = 0;
    while (done < this.#hot.length && instructions < most) {
      const place = this.#hot[done]!;
      if (done > 0 && statistics.now() - start > FORM_MS) break;
      done++;
      if (place.epoch !== this.#epoch) continue;
      const plan = this.#plan(place);
      if (plan === undefined) {
        statistics.refused++;
        continue;
      }
      const shadow = this.#shadow(plan.entry);
      // the cache is full: it will be cleared soon
      if (shadow === 0) continue;
      instructions += plan.instructions;
      const address = place.pcPage + BigInt(this.#view.getUint16(plan.entry + REC.pos, true) & 0xfff);
      const region = this.#store.add(plan, shadow, address);
      const counters = this.#counts?.add(region, plan) ?? 0;
      this.#chosen.push({ region, planned: { plan, shadow, counters, exits: exitRecords(this.#cache, plan) } });
    }
    this.#hot.splice(0, done);
    return instructions;
  }

  /** Translates what is chosen: by the other thread, or here and now. */
  #translate(translator?: RegionTranslator): void {
    // code may have changed since
    const chosen = this.#chosen.filter(({ region }) => region.alive);
    this.statistics.late += this.#chosen.length - chosen.length;
    this.#chosen = [];
    if (chosen.length === 0) return;
    const regions = chosen.map(({ region }) => region);
    const planned = chosen.map((c) => c.planned);
    const { counters, hotSpots } = this.#options;
    const count = { exits: counters, entries: hotSpots, blocks: this.#counts !== undefined };
    if (translator === undefined) {
      const bytes = printRegions(planned, this.#memory.buffer, count);
      this.#install(regions, new wasmHost.Module(bytes), bytes.length);
      return;
    }
    this.#jobs++;
    translator.translate({ regions: encodeRegions(planned, this.#view), count }, (result) => {
      this.#jobs--;
      if (!this.#disposed) this.#receive(regions, result);
    });
  }

  #receive(regions: readonly Region[], result: TranslatedRegions | undefined): void {
    const start = this.statistics.begin();
    if (result === undefined) {
      // what cannot be done there may be done here, later
      for (const region of regions) this.#store.remove(region);
    } else if (!regions.some(({ alive }) => alive)) {
      this.statistics.late += regions.length;
    } else {
      this.statistics.threaded++;
      this.#install(regions, result.module, result.bytes);
    }
    this.statistics.end(start);
  }

  #install(regions: readonly Region[], module: WasmModule, bytes: number): void {
    const { statistics } = this;
    const { exports } = new wasmHost.Instance(module, {
      env: { memory: this.#memory, instrument: this.#counts?.memory },
      core: this.#core,
    });
    const each = Math.ceil(bytes / regions.length);
    regions.forEach((region, i) => {
      if (!this.#store.install(region, exports[String(i)], each)) {
        statistics.late++;
        return;
      }
      statistics.regions++;
      statistics.instructions += region.instructions;
    });
    statistics.modules++;
    statistics.codeBytes += bytes;
    // the oldest half goes
    if (this.#store.size > this.#options.cacheBytes)
      statistics.evicted += this.#store.evict(this.#options.cacheBytes / 2);
  }

  #plan({ record, pcPage, tlb }: HotPlace): RegionPlan | undefined {
    const run = this.#cache.runOf(record);
    if (run < 0 || this.#store.at(record) !== undefined) return undefined;
    const key = this.#cache.runKey(run);
    // 16-bit code and stacks stay with the interpreter
    if ((key & 3) !== 2 && (key & 7) !== 5) return undefined;
    const code64 = (key & 3) === 2;
    const page0 = this.#cache.runPage(run);
    const view: CodeView = {
      linear: Number(pcPage & 0xffff_ffffn),
      hostPage: (page) => (page === 0 ? page0 : this.#hostPage(pcPage + BigInt(page * PAGE), tlb, code64)),
      specOf: (rec) => this.#specOf(rec),
    };
    const handler = this.#view.getUint16(record, true);
    if (handler === Handler.CROSS || handler === Handler.LINK) return undefined;
    // the second half of an instruction that crosses pages is no entry
    const pos = this.#view.getUint16(record + REC.pos, true) & 0xfff;
    if (this.#cache.peek(page0 + pos, key) !== record) return undefined;
    return this.#former.form(record, key, this.#effects[code64 ? 1 : 0]!, view);
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
    const handler = this.#store.at(record)?.original ?? this.#view.getUint16(record, true);
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
    const key = spec.key.slice(0, spec.key.lastIndexOf(' + j'));
    return this.#tables.handlers.find((h) => h.fused < 0 && h.first === undefined && h.key === key)!.id;
  }

  /** Forgets all regions and what was to become one. */
  #dropAll(): void {
    // their counters are past the threshold: they would not be reported again
    for (const { record, epoch } of this.#hot) if (epoch === this.#epoch) this.#u32[counterOf(record) >>> 2] = 0;
    this.#hot = [];
    this.#chosen = [];
    this.#store.clear();
  }
}
