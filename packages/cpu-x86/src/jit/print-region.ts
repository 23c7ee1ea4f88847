import type { Label, Local, TypeTable, Val } from '@sterna/wasm';
import type { DecodeCache } from '../decode/decode-cache.ts';
import { REC } from '../interp/records.ts';
import { counterOf, TLB, TLB_PLACE } from '../state/memory-map.ts';
import type { Block, RegionPlan, RegionStep } from './former.ts';
import { blocksInLoops, type FlowOrder, orderOf } from './graph.ts';
import { jumpHash } from './jump-hash.ts';
import { dirtyRegisters, flagLiveness, Live, liveBefore, longestPaths } from './liveness.ts';
import type { RegionLinker } from './region-base.ts';
import { RegionExit } from './region-exit.ts';
import type { FlagState } from './region-flags.ts';
import { type Masks, RegionMachine } from './region-machine.ts';
import { File } from './region-registers.ts';
import { regionPage } from './slow-paths.ts';

const BLOCK = 0x02;
const LOOP = 0x03;
const PAGE = 4096;
/** Places that an address is compared with one after the other; more are looked up. */
const CHAIN = 2;

/** What the printer needs to know of records outside the region. */
export interface ExitRecords {
  /** Record of a place in the page of the entry, or 0 when it is not decoded. */
  peek(place: number): number;
}

/** What a region counts; nothing by default. */
export interface CountOptions {
  /** Ways out, by reason. */
  readonly exits: boolean;
  /** Entries of each region, at `entryCounter`. */
  readonly entries: boolean;
  /** Executions of each block, in memory 1. */
  readonly blocks: boolean;
}

/** Address of the counter of a region's entries, by its shadow record. */
export function entryCounter(shadow: number): number {
  return counterOf(shadow + REC.size);
}

const COUNT_NOTHING: CountOptions = { exits: false, entries: false, blocks: false };

/** Writes the function of a region. `shadow` is a record that executes the entry's instruction without entering the region. */
export function printRegion(
  types: TypeTable,
  linker: RegionLinker,
  memory: ArrayBufferLike,
  plan: RegionPlan,
  shadow: number,
  exits: ExitRecords,
  count: CountOptions = COUNT_NOTHING,
  counters = 0,
): RegionMachine {
  return new RegionPrinter(types, linker, memory, plan, shadow, exits, count, counters).print();
}

class RegionPrinter {
  readonly #m: RegionMachine;
  readonly #plan: RegionPlan;
  readonly #blocks: readonly Block[];
  readonly #shadow: number;
  readonly #exits: ExitRecords;
  readonly #options: CountOptions;
  /** See {@link PlannedRegion.counters}. */
  readonly #counters: number;
  readonly #index = new Map<number, number>();
  readonly #edges: number[][];
  readonly #order: FlowOrder;
  readonly #live: { before: Uint8Array; after: Uint8Array };
  readonly #dirty: readonly Masks[];
  readonly #cost: Int32Array;
  /** Blocks that are executed many times in one go. */
  readonly #looping: ReadonlySet<number>;
  readonly #used: Masks = [0, 0];
  readonly #written: Masks = [0, 0];
  readonly #labels = new Map<number, Label>();
  readonly #loops = new Map<number, Label>();
  /** The block where all computed jumps with many targets meet, if there are several, and the local that has the target. */
  readonly #hub: number;
  #hubTarget: Local<'i64'> | undefined;

  constructor(
    types: TypeTable,
    linker: RegionLinker,
    memory: ArrayBufferLike,
    plan: RegionPlan,
    shadow: number,
    exits: ExitRecords,
    count: CountOptions,
    counters: number,
  ) {
    this.#options = count;
    this.#counters = counters;
    this.#plan = plan;
    const { blocks, hub } = withHub(plan.blocks);
    this.#blocks = blocks;
    this.#hub = hub;
    this.#shadow = shadow;
    this.#exits = exits;
    this.#m = new RegionMachine(
      types,
      `region_${plan.entry.toString(16)}`,
      { code64: (plan.key & 3) === 2 },
      linker,
      memory,
    );
    this.#m.floatLanes = true;
    this.#m.counters = count.exits;
    this.#m.manyPages = plan.pages.size > 1;
    plan.blocks.forEach((b, i) => {
      this.#index.set(b.place, i);
    });
    this.#edges = blocks.map((b, i) =>
      isComputed(b) && i !== hub && hub >= 0 ? [hub] : placesOf(b).flatMap((p) => this.#index.get(p) ?? []),
    );
    const edges = this.#edges;
    this.#order = orderOf({
      count: blocks.length,
      successors: (b) => edges[b]!,
      cut: (from, to) => {
        edges[from] = edges[from]!.filter((s) => s !== to);
      },
    });
    const successors = (b: number): readonly number[] => edges[b]!;
    this.#live = flagLiveness(blocks, this.#order, successors, (b) => this.#exitsAtEnd(b));
    this.#dirty = dirtyRegisters(blocks, this.#order, successors);
    // microcode may change translations
    const calls = blocks.some((b) => b.steps.some((step) => step.effects.way === 'call'));
    this.#looping = calls ? new Set() : blocksInLoops(this.#order, successors);
    this.#cost = longestPaths(blocks, this.#order, successors);
    for (const b of this.#order.order) {
      for (const s of blocks[b]!.steps) {
        for (const f of [File.gpr, File.xmm] as const) {
          this.#used[f] |= s.reads[f] | s.writes[f];
          this.#written[f] |= s.writes[f];
        }
      }
    }
  }

  /** Whether a block may leave the region when its last step is done, or check the budget there. */
  #exitsAtEnd(b: number): boolean {
    const { end } = this.#blocks[b]!;
    if (end.kind === 'stop' || end.kind === 'address') return true;
    if (end.kind === 'left') return false;
    return placesOf(this.#blocks[b]!).some((p) => {
      const s = this.#index.get(p);
      return s === undefined || !this.#edges[b]!.includes(s) || this.#order.position[s]! <= this.#order.position[b]!;
    });
  }

  print(): RegionMachine {
    const m = this.#m;
    m.epilogue = m.openBlock(BLOCK);
    m.flags = { at: 'cells' };
    if (this.#order.headers.has(0))
      m.flags = m.settleFlags(this.#live.before[0] !== 0, (this.#live.before[0]! & Live.carry) !== 0);
    this.#tree(0, m.flags);
    m.closeBlock();
    m.writeEpilogue(this.#written, this.#plan.entry, this.#shadow);
    m.unreachable();
    m.prefix(() => this.#prologue());
    return m;
  }

  #prologue(): void {
    const m = this.#m;
    const fail = (): void => {
      m.countExit(RegionExit.ENTRY);
      m.putCell('icLeft', m.ic);
      m.return(m.i32(this.#shadow));
    };
    m.set(m.ic, m.cell('icLeft'));
    m.if(m.or(m.ltS(m.ic, this.#cost[0]!), m.ne(m.cell('hostDebug'), 0)), fail, undefined, false);
    m.set(m.pcPage, m.cell('pcPage'));
    if (!m.mode.code64) m.if(m.ne(m.and(m.cell('flatSegments'), 0xf), 0xf), fail, undefined, false);
    this.#checkPages(fail);
    m.writeEntryChecks(fail);
    m.set(m.tlb, m.cell('tlbBase'));
    m.forgetPages();
    m.reload(this.#used);
    if (this.#options.entries) this.#countEntry();
  }

  /** The link behind the shadow record has a counter that nobody else uses. */
  #countEntry(): void {
    const m = this.#m;
    const at = entryCounter(this.#shadow);
    m.store('i32', 0, m.add(m.load('i32', 0, at), 1), at);
  }

  /** The other pages of the region must still be where they were. */
  #checkPages(fail: () => void): void {
    if (this.#plan.pages.size < 2) return;
    const m = this.#m;
    m.scope(() => {
      const place = m.select(m.eq(m.cell('cpl'), 3), m.i32(TLB_PLACE.user), TLB_PLACE.kernel);
      const base = m.let(m.add(m.cell('tlbArea'), place));
      for (const [page, host] of this.#plan.pages) {
        if (page === 0) continue;
        const linear = m.let(m.linearOf(0, page));
        const at = m.let(m.add(base, m.and(m.wrap(m.shrU(linear, 7)), (TLB.entries - 1) * TLB.stride)));
        const other = m.ne(m.load('i64', at, TLB.exec), linear);
        const moved = m.ne(m.add(m.wrap(linear), m.load('i32', at, TLB.addend)), host | 0);
        const ask = (): void =>
          m.if(m.eqz(m.call(m.linker.micro(regionPage), linear, m.i32(host))), fail, undefined, false);
        m.if(m.or(other, moved), ask, undefined, false);
      }
    });
  }

  /** Writes a block and everything it dominates. */
  #tree(b: number, flags: FlagState): void {
    const m = this.#m;
    const followers = this.#order.children[b]!.filter((c) => this.#order.merges.has(c)).sort(
      (x, y) => this.#order.position[y]! - this.#order.position[x]!,
    );
    const isLoop = this.#order.headers.has(b);
    if (isLoop) this.#loops.set(b, m.openBlock(LOOP));
    for (const f of followers) this.#labels.set(f, m.openBlock(BLOCK));
    this.#block(b, isLoop ? this.#entryFlags(b) : flags);
    for (const f of followers.reverse()) {
      m.closeBlock();
      this.#tree(f, this.#entryFlags(f));
    }
    if (isLoop) m.closeBlock();
  }

  /** Where the flags are at the start of a block with several ways to it. */
  #entryFlags(b: number): FlagState {
    const live = this.#live.before[b]!;
    return live === 0
      ? { at: 'nowhere' }
      : { at: 'locals', carryKnown: (live & Live.carry) !== 0, complete: (live & Live.all) !== 0 };
  }

  #block(b: number, flags: FlagState): void {
    const m = this.#m;
    const { steps, end } = this.#blocks[b]!;
    m.beginBlock();
    m.recentPages = this.#looping.has(b);
    m.flags = flags;
    m.dirty = [...this.#dirty[b]!];
    if (b === this.#hub) {
      this.#toAddress(b, end.kind === 'address' ? end.places : [], this.#hubTarget!, flags, flags);
      return;
    }
    if (steps.length > 0) m.set(m.ic, m.sub(m.ic, steps.length));
    const live = new Uint8Array(steps.length + 1);
    live[steps.length] = this.#live.after[b]!;
    for (let k = steps.length - 1; k >= 0; k--) live[k] = liveBefore(steps[k]!.effects, live[k + 1]!);
    let transfer: RegionMachine['transfer'];
    const early = this.#countBlock(b);
    steps.forEach((step, k) => {
      m.left = steps.length - k;
      m.early = early === 0 ? 0 : early + k * 4;
      m.ahead = steps.slice(k);
      m.flagsLive = live[k + 1] !== 0;
      if (step.effects.way === 'call') this.#call(step, end.kind === 'left' && k === steps.length - 1);
      else transfer = m.instruction(step);
    });
    m.endBlock();
    m.left = 0;
    if (end.kind === 'left') return;
    this.#end(b, end, transfer);
  }

  /** Counts an execution of a block. Answers where it is counted that its first step was not reached, or 0. */
  #countBlock(b: number): number {
    if (this.#counters === 0) return 0;
    const m = this.#m;
    const at = this.#counters + b * 8;
    m.store('i64', 0, m.add(m.load('i64', 0, at, 1), 1), at, 1);
    const { blocks } = this.#plan;
    const before = blocks.slice(0, b).reduce((n, { steps }) => n + steps.length, 0);
    return this.#counters + blocks.length * 8 + before * 4;
  }

  #call(step: RegionStep, last: boolean): void {
    const { spec, effects } = step;
    this.#m.callHandler(step, this.#notEntry(step.rec), spec.id, last, this.#used, effects.keepsFlags);
  }

  #end(b: number, end: Block['end'], transfer: RegionMachine['transfer']): void {
    const m = this.#m;
    const held = m.held;
    m.held = [];
    if (end.kind === 'stop') {
      m.countExit(RegionExit.STOP);
      m.exitTo(this.#notEntry(end.record), end.page);
    } else {
      const after = this.#live.after[b]!;
      const inside = this.#edges[b]!.some((s) => this.#live.before[s] !== 0);
      const exact = m.flags;
      const carry = this.#edges[b]!.some((s) => (this.#live.before[s]! & Live.carry) !== 0);
      const all = this.#edges[b]!.some((s) => (this.#live.before[s]! & Live.all) !== 0);
      const next: FlagState = inside ? m.settleFlags(all, carry) : after === 0 ? { at: 'nowhere' } : exact;
      // exits write the flags from where they were before
      const go = (place: number): void => this.#goTo(b, place, exact, next);
      if (end.kind === 'fall') go(end.next);
      else if (end.kind === 'jump') go(end.taken);
      else if (end.kind === 'branch') {
        if (transfer?.to !== 'offset' || transfer.cond === undefined) throw new Error('a branch without condition');
        const { dirty } = m;
        m.if(
          transfer.cond,
          () => go(end.taken),
          () => {
            m.dirty = dirty;
            go(end.next);
          },
          end.likely,
        );
        m.dirty = dirty;
      } else if (end.kind === 'address') {
        if (transfer?.to !== 'address') throw new Error('a jump without address');
        if (this.#edges[b]!.includes(this.#hub)) this.#toHub(b, transfer.target, exact, next);
        else this.#toAddress(b, end.places, transfer.target, exact, next);
      }
    }
    for (const v of held) m.release(v);
  }

  /** Goes on where an address says: at one of some places of the region, or outside. */
  #toAddress(b: number, places: readonly number[], target: Val<'i64'>, exact: FlagState, next: FlagState): void {
    const m = this.#m;
    const { dirty } = m;
    const inside = places.filter((p) => this.#edges[b]!.includes(this.#index.get(p) ?? -1));
    const arrive = (place: number): void => {
      m.dirty = [...dirty];
      this.#goTo(b, place, exact, next);
    };
    if (inside.length <= CHAIN) {
      for (const place of inside) m.if(m.eq(target, m.linearOf(place, 0)), () => arrive(place), undefined, true);
    } else {
      const { factor, shift, slots } = jumpHash(inside);
      const place = m.local('i32');
      m.set(place, m.sub(m.wrap(target), m.wrap(m.pcPage)));
      const cases = slots.map((p) => () => {
        if (p !== undefined) m.if(m.eq(target, m.linearOf(p, 0)), () => arrive(p), undefined, true);
      });
      m.switch(m.shrU(m.mul(place, factor), shift), cases);
      m.release(place);
    }
    m.dirty = [...dirty];
    m.flags = exact;
    m.countExit(RegionExit.ADDRESS);
    m.exitToAddress(target);
  }

  /** Goes on at the block that all computed jumps share. */
  #toHub(from: number, target: Val<'i64'>, exact: FlagState, next: FlagState): void {
    this.#hubTarget ??= this.#m.ownLocal('i64');
    this.#m.set(this.#hubTarget, target);
    this.#enter(from, this.#hub, exact, next, () => this.#m.exitToAddress(this.#hubTarget!));
  }

  /** Goes on at a place: a block of the region, or the interpreter. */
  #goTo(from: number, place: number, exact: FlagState, next: FlagState): void {
    const m = this.#m;
    const to = this.#index.get(place);
    if (to === undefined || !this.#edges[from]!.includes(to)) {
      m.flags = exact;
      m.countExit(RegionExit.PATH);
      this.#leaveTo(place);
    } else this.#enter(from, to, exact, next, () => this.#leaveTo(place));
  }

  /** Goes on at a block; `leave` goes there without the region, when the budget does not last. */
  #enter(from: number, to: number, exact: FlagState, next: FlagState, leave: () => void): void {
    const m = this.#m;
    if (this.#order.position[to]! <= this.#order.position[from]!) {
      const out = (): void => {
        m.flags = exact;
        m.countExit(RegionExit.BUDGET);
        leave();
      };
      m.if(m.ltS(m.ic, this.#cost[to]!), out, undefined, false);
      m.br(this.#loops.get(to)!);
    } else if (this.#order.merges.has(to)) m.br(this.#labels.get(to)!);
    else this.#tree(to, next);
  }

  #leaveTo(place: number): void {
    const m = this.#m;
    const page = Math.floor(place / PAGE);
    const record = this.#plan.pages.has(page) ? this.#exits.peek(place) : 0;
    if (record !== 0) m.exitTo(record, page);
    else m.exitToAddress(m.linearOf(place, 0));
  }

  /** A record to go on at in the interpreter; the entry's own would lead back here. */
  #notEntry(record: number): number {
    return record === this.#plan.entry ? this.#shadow : record;
  }
}

/** Whether a block ends with a jump to one of many places. */
function isComputed({ end }: Block): boolean {
  return end.kind === 'address' && end.places.length > CHAIN;
}

/**
 * The blocks with one more where computed jumps meet, when there are several. Each leading everywhere they would be loops with many
 * entries, of which structured code knows none.
 */
function withHub(blocks: readonly Block[]): { blocks: readonly Block[]; hub: number } {
  const computed = blocks.filter(isComputed);
  if (computed.length < 2) return { blocks, hub: -1 };
  const places = [...new Set(computed.flatMap(placesOf))];
  return { blocks: [...blocks, { place: NaN, steps: [], end: { kind: 'address', places } }], hub: blocks.length };
}

/** Places where a block may go on. */
function placesOf({ end }: Block): readonly number[] {
  switch (end.kind) {
    case 'fall':
      return [end.next];
    case 'jump':
      return [end.taken];
    case 'branch':
      return [end.taken, end.next];
    case 'address':
      return end.places;
    default:
      return [];
  }
}

/** The records of a cache for all places that {@link ExitRecords} of a plan are asked for. */
export function exitRecords(cache: DecodeCache, plan: RegionPlan): Map<number, number> {
  const records = new Map<number, number>();
  for (const block of plan.blocks) {
    for (const place of placesOf(block)) {
      const page = Math.floor(place / PAGE);
      const host = plan.pages.get(page);
      const record = host === undefined ? 0 : cache.peek(host + (place - page * PAGE), plan.key);
      if (record !== 0) records.set(place, record);
    }
  }
  return records;
}
