import type { DecodeCache } from '../decode/decode-cache.ts';
import type { HandlerSpec } from '../decode/handler-spec.ts';
import { Handler, REC } from '../interp/records.ts';
import { CPU_MAP, counterOf, JUMP_PROFILE } from '../state/memory-map.ts';
import { type Effects, FIELD } from './effects.ts';
import type { EffectsTable } from './effects-table.ts';
import type { Masks, Step } from './region-machine.ts';

/** Most instructions in a region, and in a function that is taken into one at its call. */
const MAX_INSTRUCTIONS = 128;
const MAX_CALLEE = 40;
/** Most pages a region may span beside that of its entry. */
const MAX_PAGES = 3;
/** A block belongs to a region when it is executed at least this often per execution of the entry. */
const WARM = 1 / 32;
/** Most places that a computed jump is expected to lead to, and the part of its executions that makes one of them. */
const MAX_TARGETS = 32;
const TARGET_SHARE = 1 / 256;
/** Most places that a return is compared with. */
const MAX_RETURNS = 4;
const PAGE = 4096;
const CALLS: ReadonlySet<string> = new Set(['call', 'call_indirect']);

/** An instruction of a region with what it does. */
export interface RegionStep extends Step {
  readonly effects: Effects;
  readonly reads: Masks;
  readonly writes: Masks;
  /** Place of the instruction after it. */
  readonly next: number;
}

/** How a block ends. Places are offsets from the start of the entry's page. */
export type BlockEnd =
  /** Goes on at a place. */
  | { readonly kind: 'fall'; readonly next: number }
  /** The last step jumps to `taken` when its condition holds, else goes on at `next`. */
  | { readonly kind: 'branch'; readonly taken: number; readonly next: number; readonly likely: boolean | undefined }
  | { readonly kind: 'jump'; readonly taken: number }
  /** The last step jumps to an address, which may be one of `places`. */
  | { readonly kind: 'address'; readonly places: readonly number[] }
  /** The interpreter goes on at a record in a page. */
  | { readonly kind: 'stop'; readonly record: number; readonly page: number }
  /** The last step always leaves. */
  | { readonly kind: 'left' };

/** A basic block. */
export interface Block {
  readonly place: number;
  readonly steps: readonly RegionStep[];
  readonly end: BlockEnd;
}

/** What is to be translated. */
export interface RegionPlan {
  /** Record of the entry. */
  readonly entry: number;
  readonly key: number;
  readonly blocks: readonly Block[];
  readonly instructions: number;
  /** Host page addresses by page, counted from the entry's. */
  readonly pages: ReadonlyMap<number, number>;
}

/** What the former asks about the guest. */
export interface CodeView {
  /** Low half of the linear address of the entry's page. */
  readonly linear: number;
  /** Host address of the page that lies `page` pages after the entry's, or 0 when that is not known. */
  hostPage(page: number): number;
  /** The interpreter's own handler of a record, without what was joined to it. */
  specOf(record: number): HandlerSpec | undefined;
}

/** What a record does, wherever it is executed. */
type Known = Pick<RegionStep, 'spec' | 'effects' | 'reads' | 'writes' | 'unsure'> & { readonly length: number };

/** A place decoded for a region: one instruction, or why there is none. */
type Found = RegionStep | { readonly stop: number; readonly page: number } | undefined;

/** Chooses the blocks of a region: from the entry along what the profile shows to be executed. */
export class RegionFormer {
  readonly #cache: DecodeCache;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #u32: Uint32Array;
  readonly #known = new Map<number, Known>();
  // of the region being formed
  #key = 0;
  #effects!: EffectsTable;
  #code!: CodeView;
  #pages = new Map<number, number>();
  #found = new Map<number, Found>();
  #targets = new Map<number, readonly number[]>();
  #warm = 0;

  constructor(cache: DecodeCache, memory: ArrayBufferLike) {
    this.#cache = cache;
    this.#bytes = new Uint8Array(memory);
    this.#view = new DataView(memory);
    this.#u32 = new Uint32Array(memory);
  }

  /** Forms the region of an entry. Returns undefined when nothing can be translated there. */
  form(entry: number, key: number, effects: EffectsTable, code: CodeView): RegionPlan | undefined {
    this.#key = key;
    this.#effects = effects;
    this.#code = code;
    this.#found = new Map();
    this.#targets = new Map();
    this.#pages = new Map([[0, code.hostPage(0)]]);
    this.#warm = Math.max(1, this.#count(entry) * WARM);
    const start = this.#view.getUint16(entry + REC.pos, true) & 0xfff;
    const { leaders, returns, instructions } = this.#explore(start);
    const blocks = this.#blocks(start, leaders, returns);
    const first = blocks[0];
    if (first === undefined || first.steps.length === 0) return undefined;
    // a single call of the interpreter is not worth a region
    if (blocks.every((b) => b.steps.every((s) => s.effects.way === 'call'))) return undefined;
    const used = new Set(blocks.flatMap((b) => b.steps.flatMap((s) => [s.page, Math.floor((s.next - 1) / PAGE)])));
    for (const { end } of blocks) if (end.kind === 'stop') used.add(end.page);
    const pages = new Map([...this.#pages].filter(([page]) => page === 0 || used.has(page)));
    return { entry, key, blocks, instructions, pages };
  }

  #count(record: number): number {
    return this.#u32[counterOf(record) >>> 2]!;
  }

  /** Host address of a place, or 0. */
  #hostOf(place: number): number {
    const page = Math.floor(place / PAGE);
    let host = this.#pages.get(page);
    if (host === undefined) {
      if (this.#pages.size > MAX_PAGES) return 0;
      host = this.#code.hostPage(page);
      if (host === 0) return 0;
      this.#pages.set(page, host);
    }
    return host + (place - page * PAGE);
  }

  /** Record of a place, or 0. */
  #recordAt(place: number): number {
    const host = this.#hostOf(place);
    return host === 0 ? 0 : this.#cache.peek(host, this.#key);
  }

  #isWarm(place: number): boolean {
    const record = this.#recordAt(place);
    return record !== 0 && this.#count(record) >= this.#warm;
  }

  /** The instruction at a place. */
  #at(place: number): Found {
    if (this.#found.has(place)) return this.#found.get(place);
    const found = this.#decode(place);
    this.#found.set(place, found);
    return found;
  }

  #decode(place: number): Found {
    let rec = this.#recordAt(place);
    if (rec === 0) return undefined;
    const page = Math.floor(place / PAGE);
    if (this.#view.getUint16(rec, true) === Handler.CROSS) {
      const cross = rec;
      rec = this.#view.getInt32(cross + REC.link, true);
      if (rec === 0 || this.#hostOf((page + 1) * PAGE) !== this.#view.getUint32(cross + REC.imm, true))
        return { stop: cross, page };
    }
    const known = this.#knownOf(rec);
    if (known === undefined || known.effects.way === 'stop') return { stop: rec, page };
    const { spec, effects, reads, writes, unsure, length } = known;
    return { rec, page, spec, effects, reads, writes, unsure, unsureFlags: effects.unsureFlags, next: place + length };
  }

  #knownOf(rec: number): Known | undefined {
    // dropped since
    if (this.#view.getUint16(rec, true) < Handler.first) return undefined;
    let known = this.#known.get(rec);
    if (known !== undefined) return known;
    const spec = this.#code.specOf(rec);
    if (spec === undefined) return undefined;
    const effects = this.#effects.of(spec, this.#view.getInt32(rec + REC.imm, true));
    known = {
      spec,
      effects,
      reads: this.#masks(effects.reads, rec),
      writes: this.#masks(effects.writes, rec),
      unsure: this.#masks(effects.unsure, rec),
      length: this.#view.getUint16(rec + REC.pos, true) >>> 12,
    };
    this.#known.set(rec, known);
    return known;
  }

  /** Forgets all records: the decode cache was cleared. */
  forget(): void {
    this.#known.clear();
  }

  /** Puts the record's registers in place of the stand-ins. */
  #masks([gpr, xmm]: Masks, rec: number): Masks {
    let g = gpr & 0xffff;
    const field = (at: number): number => this.#bytes[rec + at]!;
    const add = (bit: number, at: number): void => {
      if ((gpr >>> bit) & 1 && field(at) < 128) g |= 1 << (field(at) >> 3);
    };
    add(FIELD.gpr.reg1, REC.reg1);
    add(FIELD.gpr.reg2, REC.reg2);
    add(FIELD.gpr.index, REC.index);
    let x = xmm & ~((1 << FIELD.xmm.reg1) | (1 << FIELD.xmm.reg2));
    if ((xmm >>> FIELD.xmm.reg1) & 1) x |= 1 << (field(REC.reg1) >> 4);
    if ((xmm >>> FIELD.xmm.reg2) & 1) x |= 1 << (field(REC.reg2) >> 4);
    return [g, x];
  }

  /** Place that a relative branch leads to. */
  #target(step: RegionStep): number {
    return step.page * PAGE + this.#view.getInt32(step.rec + REC.imm, true);
  }

  /** Where a jump to an address is expected to lead, returns apart. */
  #expected(step: RegionStep): readonly number[] {
    return step.spec.name === 'ret' ? [] : this.#targetsOf(step);
  }

  /** Places that a computed jump has led to, most frequent first. */
  #targetsOf({ rec }: RegionStep): readonly number[] {
    let places = this.#targets.get(rec);
    if (places !== undefined) return places;
    const found: [place: number, count: number][] = [];
    let total = 0;
    for (let i = 0; i < JUMP_PROFILE.entries; i++) {
      const at = (CPU_MAP.jumpProfile + i * JUMP_PROFILE.stride) >>> 2;
      if (this.#u32[at] !== rec) continue;
      const count = this.#u32[at + JUMP_PROFILE.count / 4]!;
      found.push([(this.#u32[at + JUMP_PROFILE.target / 4]! - this.#code.linear) | 0, count]);
      total += count;
    }
    places = found
      .filter(([, count]) => count >= total * TARGET_SHARE)
      .sort((a, b) => b[1] - a[1])
      .slice(0, MAX_TARGETS)
      .map(([place]) => place);
    this.#targets.set(rec, places);
    return places;
  }

  /** Finds the places where blocks begin, best-executed first, within the size of a region. */
  #explore(start: number): { leaders: Set<number>; returns: number[]; instructions: number } {
    const leaders = new Set<number>([start]);
    const returns: number[] = [];
    const taken = new Set<number>();
    const queue: [place: number, weight: number][] = [[start, Number.POSITIVE_INFINITY]];
    const want = (place: number): void => {
      if (leaders.has(place) || !this.#isWarm(place)) return;
      leaders.add(place);
      queue.push([place, this.#count(this.#recordAt(place))]);
    };
    const wantCallee = (target: number, after: number): void => {
      const room = Math.min(MAX_CALLEE, MAX_INSTRUCTIONS - taken.size);
      if (!leaders.has(target) && this.#calleeSize(target, 0) > room) return;
      want(target);
      if (!leaders.has(target)) return;
      if (!returns.includes(after)) returns.push(after);
      want(after);
    };
    while (queue.length > 0 && taken.size < MAX_INSTRUCTIONS) {
      let best = 0;
      for (let i = 1; i < queue.length; i++) if (queue[i]![1] > queue[best]![1]) best = i;
      let [place] = queue.splice(best, 1)[0]!;
      for (;;) {
        if (taken.has(place)) {
          leaders.add(place);
          break;
        }
        if (taken.size >= MAX_INSTRUCTIONS) break;
        const step = this.#at(place);
        if (step === undefined || 'stop' in step) break;
        taken.add(place);
        const { transfer } = step.effects;
        if (this.#alwaysLeaves(step)) break;
        if (transfer === 'address' || transfer === 'jump') {
          for (const target of transfer === 'jump' ? [this.#target(step)] : this.#expected(step)) {
            if (CALLS.has(step.spec.name)) wantCallee(target, step.next);
            else want(target);
          }
          break;
        }
        if (transfer === 'branch') {
          want(this.#target(step));
          want(step.next);
          break;
        }
        place = step.next;
      }
    }
    return { leaders, returns: returns.filter((r) => leaders.has(r)), instructions: taken.size };
  }

  #alwaysLeaves(step: RegionStep): boolean {
    return step.effects.way === 'call' && (step.effects.changesMode || !this.#continues(step));
  }

  /** Whether decoding went on after an instruction. */
  #continues(step: RegionStep): boolean {
    const run = this.#cache.runOf(step.rec);
    if (run < 0) return false;
    return step.rec + REC.size < this.#cache.runEnd(run) || this.#cache.hasLink(run);
  }

  /** Instructions of a function until all its executed paths return, or infinity when it is not to be taken in. */
  #calleeSize(start: number, depth: number): number {
    const seen = new Set<number>();
    const todo = [start];
    for (let place = todo.pop(); place !== undefined; place = todo.pop()) {
      for (;;) {
        if (seen.has(place)) break;
        const step = this.#at(place);
        if (step === undefined || 'stop' in step || this.#alwaysLeaves(step) || seen.size > MAX_CALLEE)
          return Number.POSITIVE_INFINITY;
        seen.add(place);
        const { transfer } = step.effects;
        if (step.spec.name === 'ret') break;
        if (transfer === 'branch') {
          const target = this.#target(step);
          if (this.#isWarm(target)) todo.push(target);
          if (!this.#isWarm(step.next)) break;
        } else if (transfer !== 'none') {
          const targets = transfer === 'jump' ? [this.#target(step)] : this.#targetsOf(step);
          if (targets.length === 0) return Number.POSITIVE_INFINITY;
          if (!CALLS.has(step.spec.name)) {
            todo.push(...targets);
            break;
          }
          for (const target of targets) {
            if (target !== start && (depth > 0 || this.#calleeSize(target, depth + 1) > MAX_CALLEE))
              return Number.POSITIVE_INFINITY;
          }
        }
        place = step.next;
      }
    }
    return seen.size;
  }

  #blocks(start: number, leaders: ReadonlySet<number>, returns: readonly number[]): Block[] {
    const blocks: Block[] = [];
    let total = 0;
    for (const place of [start, ...[...leaders].filter((l) => l !== start)]) {
      const steps: RegionStep[] = [];
      let end: BlockEnd | undefined;
      let at = place;
      while (end === undefined) {
        if (at !== place && leaders.has(at)) end = { kind: 'fall', next: at };
        else if (total >= MAX_INSTRUCTIONS * 2) end = { kind: 'fall', next: at };
        else {
          const step = this.#at(at);
          if (step === undefined) end = { kind: 'fall', next: at };
          else if ('stop' in step) end = { kind: 'stop', record: step.stop, page: step.page };
          else {
            steps.push(step);
            total++;
            at = step.next;
            end = this.#endOf(step, leaders, returns);
          }
        }
      }
      // a block of nothing is an exit at its place
      if (steps.length > 0 || place === start) blocks.push({ place, steps, end });
    }
    return blocks;
  }

  #endOf(step: RegionStep, leaders: ReadonlySet<number>, returns: readonly number[]): BlockEnd | undefined {
    const { transfer } = step.effects;
    if (this.#alwaysLeaves(step)) return { kind: 'left' };
    if (transfer === 'address') {
      const places = step.spec.name === 'ret' ? returns.slice(0, MAX_RETURNS) : this.#targetsOf(step);
      return { kind: 'address', places: places.filter((p) => leaders.has(p)) };
    }
    if (transfer === 'jump') return { kind: 'jump', taken: this.#target(step) };
    if (transfer !== 'branch') return undefined;
    const taken = this.#target(step);
    const often = this.#countAt(taken);
    const seldom = this.#countAt(step.next);
    const likely = often > seldom * 8 ? true : seldom > often * 8 ? false : undefined;
    return { kind: 'branch', taken, next: step.next, likely };
  }

  #countAt(place: number): number {
    const record = this.#recordAt(place);
    return record === 0 ? 0 : this.#count(record);
  }
}
