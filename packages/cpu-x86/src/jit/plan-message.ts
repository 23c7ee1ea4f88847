import type { HandlerSpec } from '../decode/handler-spec.ts';
import { REC } from '../interp/records.ts';
import type { Effects } from './effects.ts';
import { EFFECTS_WORDS, effectsWords, readEffects } from './effects-words.ts';
import type { Block, BlockEnd, RegionPlan, RegionStep } from './former.ts';
import type { PlannedRegion } from './print-module.ts';
import type { Masks } from './region-machine.ts';

const ENDS: readonly BlockEnd['kind'][] = ['fall', 'branch', 'jump', 'address', 'stop', 'left'];
const WORDS = REC.size / 4;

/**
 * Writes regions as one array of 32-bit numbers, with copies of their records, for another thread. It is kept small: touching
 * fresh memory is what sending it costs most. `memory` has the records.
 */
export function encodeRegions(regions: readonly PlannedRegion[], memory: DataView): Int32Array<ArrayBuffer> {
  return new Writer(memory).message(regions);
}

/** Where messages are written, one after the other: fresh memory is slow. */
let scratch = new Int32Array(1 << 15);

class Writer {
  readonly #memory: DataView;
  readonly #effects = new Map<Effects, number>();
  #numbers = scratch;
  #length = 0;

  constructor(memory: DataView) {
    this.#memory = memory;
  }

  message(regions: readonly PlannedRegion[]): Int32Array<ArrayBuffer> {
    for (const { plan } of regions) {
      for (const { steps } of plan.blocks)
        for (const { effects } of steps)
          if (!this.#effects.has(effects)) this.#effects.set(effects, this.#effects.size);
    }
    this.#put(this.#effects.size);
    for (const effects of this.#effects.keys()) for (const word of effectsWords(effects)) this.#put(word);
    this.#put(regions.length);
    for (const region of regions) this.#putRegion(region);
    return this.#numbers.slice(0, this.#length);
  }

  /** A number of 32 bits, signed or not. */
  #put(value: number): void {
    if (this.#length === this.#numbers.length) {
      const larger = new Int32Array(this.#length * 2);
      larger.set(this.#numbers);
      this.#numbers = larger;
      scratch = larger;
    }
    this.#numbers[this.#length++] = value;
  }

  /** A place: an offset from the start of the entry's page, to which a branch may add all of 32 bits. */
  #putPlace(place: number): void {
    const half = Math.floor(place / 2);
    this.#put(half);
    this.#put(place - half * 2);
  }

  #putRegion({ plan, shadow, exits, counters }: PlannedRegion): void {
    this.#put(plan.entry);
    this.#put(plan.key);
    this.#put(plan.instructions);
    this.#put(shadow);
    this.#put(counters);
    this.#put(plan.pages.size);
    for (const [page, host] of plan.pages) {
      this.#put(page);
      this.#put(host);
    }
    this.#put(exits.size);
    for (const [place, record] of exits) {
      this.#putPlace(place);
      this.#put(record);
    }
    this.#put(plan.blocks.length);
    for (const block of plan.blocks) {
      this.#putPlace(block.place);
      this.#put(block.steps.length);
      for (const step of block.steps) this.#putStep(step);
      this.#putEnd(block.end);
    }
  }

  #putStep(step: RegionStep): void {
    this.#put(step.rec);
    this.#put(step.page);
    this.#put(step.spec.id * 2 + (step.unsureFlags ? 1 : 0));
    this.#putPlace(step.next);
    // registers themselves, without the stand-ins that effects have: 16 bits each
    for (const [gpr, xmm] of [step.unsure, step.reads, step.writes]) this.#put((gpr & 0xffff) | (xmm << 16));
    this.#put(this.#effects.get(step.effects)!);
    for (let i = 0; i < WORDS; i++) this.#put(this.#memory.getInt32(step.rec + i * 4, true));
  }

  #putEnd(end: BlockEnd): void {
    this.#put(ENDS.indexOf(end.kind));
    switch (end.kind) {
      case 'fall':
        this.#putPlace(end.next);
        break;
      case 'branch':
        this.#putPlace(end.taken);
        this.#putPlace(end.next);
        this.#put(end.likely === undefined ? -1 : end.likely ? 1 : 0);
        break;
      case 'jump':
        this.#putPlace(end.taken);
        break;
      case 'address':
        this.#put(end.places.length);
        for (const place of end.places) this.#putPlace(place);
        break;
      case 'stop':
        this.#put(end.record);
        this.#put(end.page);
        break;
      default:
    }
  }
}

/** Reads regions, putting their records at their addresses in `memory`. `specs` are the handlers by id, less `firstId`. */
export function decodeRegions(
  numbers: Int32Array,
  memory: DataView,
  specs: readonly HandlerSpec[],
  firstId: number,
): PlannedRegion[] {
  return new Reader(numbers, memory, specs, firstId).message();
}

class Reader {
  readonly #numbers: Int32Array;
  readonly #memory: DataView;
  readonly #specs: readonly HandlerSpec[];
  readonly #firstId: number;
  #effects: readonly Effects[] = [];
  #at = 0;

  constructor(numbers: Int32Array, memory: DataView, specs: readonly HandlerSpec[], firstId: number) {
    this.#numbers = numbers;
    this.#memory = memory;
    this.#specs = specs;
    this.#firstId = firstId;
  }

  message(): PlannedRegion[] {
    this.#effects = this.#list(() => this.#readEffects());
    return this.#list(() => this.#region());
  }

  #next(): number {
    return this.#numbers[this.#at++]!;
  }

  #place(): number {
    const half = this.#next();
    return half * 2 + this.#next();
  }

  #list<T>(item: () => T): T[] {
    const count = this.#next();
    const items: T[] = [];
    for (let i = 0; i < count; i++) items.push(item());
    return items;
  }

  #packedMasks(): Masks {
    const both = this.#next();
    return [both & 0xffff, both >>> 16];
  }

  #readEffects(): Effects {
    this.#at += EFFECTS_WORDS;
    return readEffects(this.#numbers, this.#at - EFFECTS_WORDS);
  }

  #region(): PlannedRegion {
    const [entry, key, instructions] = [this.#next(), this.#next(), this.#next()];
    const [shadow, counters] = [this.#next(), this.#next()];
    const pages = new Map(this.#list(() => [this.#next(), this.#next() >>> 0] as const));
    const exits = new Map(this.#list(() => [this.#place(), this.#next()] as const));
    const blocks = this.#list(() => this.#block());
    const plan: RegionPlan = { entry, key, instructions, pages, blocks };
    return { plan, shadow, exits, counters };
  }

  #block(): Block {
    const place = this.#place();
    const steps = this.#list(() => this.#step());
    return { place, steps, end: this.#end() };
  }

  #step(): RegionStep {
    const [rec, page, id, next] = [this.#next(), this.#next(), this.#next(), this.#place()];
    const [unsure, reads, writes] = [this.#packedMasks(), this.#packedMasks(), this.#packedMasks()];
    const effects = this.#effects[this.#next()]!;
    for (let i = 0; i < WORDS; i++) this.#memory.setInt32(rec + i * 4, this.#next(), true);
    const spec = this.#specs[(id >> 1) - this.#firstId]!;
    return { rec, page, spec, next, unsureFlags: (id & 1) !== 0, unsure, reads, writes, effects };
  }

  #end(): BlockEnd {
    const kind = ENDS[this.#next()]!;
    switch (kind) {
      case 'fall':
        return { kind, next: this.#place() };
      case 'branch': {
        const [taken, next, likely] = [this.#place(), this.#place(), this.#next()];
        return { kind, taken, next, likely: likely < 0 ? undefined : likely === 1 };
      }
      case 'jump':
        return { kind, taken: this.#place() };
      case 'address':
        return { kind, places: this.#list(() => this.#place()) };
      case 'stop':
        return { kind, record: this.#next(), page: this.#next() };
      default:
        return { kind };
    }
  }
}
