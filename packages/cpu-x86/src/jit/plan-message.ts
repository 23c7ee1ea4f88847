import type { HandlerSpec } from '../decode/handler-spec.ts';
import { REC } from '../interp/records.ts';
import type { Effects } from './effects.ts';
import type { Block, BlockEnd, RegionPlan, RegionStep } from './former.ts';
import type { PlannedRegion } from './print-module.ts';
import type { Masks } from './region-machine.ts';

/**
 * Plans as one array of numbers, with copies of the records. Doubles hold every host address and every place exactly, and
 * the array's buffer can be handed to another thread without a copy.
 */
type Numbers = number[];

const WAYS: readonly Effects['way'][] = ['inline', 'call', 'stop'];
const TRANSFERS: readonly Effects['transfer'][] = ['none', 'jump', 'branch', 'address'];
const ENDS: readonly BlockEnd['kind'][] = ['fall', 'branch', 'jump', 'address', 'stop', 'left'];
const FLAGS = [
  'readsFlags',
  'readsCarry',
  'keepsCarry',
  'setsFlags',
  'changesFlags',
  'unsureFlags',
  'leaves',
  'changesMode',
] as const satisfies readonly (keyof Effects)[];
const WORDS = REC.size / 4;

/** Writes regions. `memory` has their records. */
export function encodeRegions(regions: readonly PlannedRegion[], memory: DataView): Float64Array<ArrayBuffer> {
  const out: Numbers = [regions.length];
  for (const { plan, shadow, exits } of regions) {
    out.push(plan.entry, plan.key, plan.instructions, shadow);
    encodeMap(out, plan.pages);
    encodeMap(out, exits);
    out.push(plan.blocks.length);
    for (const block of plan.blocks) {
      out.push(block.place, block.steps.length);
      for (const step of block.steps) encodeStep(out, step, memory);
      encodeEnd(out, block.end);
    }
  }
  return Float64Array.from(out);
}

function encodeMap(out: Numbers, map: ReadonlyMap<number, number>): void {
  out.push(map.size);
  for (const [key, value] of map) out.push(key, value);
}

function encodeStep(out: Numbers, step: RegionStep, memory: DataView): void {
  const { effects } = step;
  out.push(step.rec, step.page, step.spec.id, step.next, step.unsureFlags ? 1 : 0);
  out.push(...step.unsure, ...step.reads, ...step.writes);
  out.push(WAYS.indexOf(effects.way), TRANSFERS.indexOf(effects.transfer));
  out.push(...effects.reads, ...effects.writes, ...effects.unsure);
  let flags = 0;
  FLAGS.forEach((name, i) => {
    if (effects[name]) flags |= 1 << i;
  });
  out.push(flags);
  for (let i = 0; i < WORDS; i++) out.push(memory.getInt32(step.rec + i * 4, true));
}

function encodeEnd(out: Numbers, end: BlockEnd): void {
  out.push(ENDS.indexOf(end.kind));
  switch (end.kind) {
    case 'fall':
      out.push(end.next);
      break;
    case 'branch':
      out.push(end.taken, end.next, end.likely === undefined ? -1 : end.likely ? 1 : 0);
      break;
    case 'jump':
      out.push(end.taken);
      break;
    case 'address':
      out.push(end.places.length, ...end.places);
      break;
    case 'stop':
      out.push(end.record, end.page);
      break;
    default:
  }
}

/** Reads regions, putting their records at their addresses in `memory`. `specs` are the handlers by id, less `firstId`. */
export function decodeRegions(
  numbers: Float64Array,
  memory: DataView,
  specs: readonly HandlerSpec[],
  firstId: number,
): PlannedRegion[] {
  return new Reader(numbers, memory, specs, firstId).regions();
}

class Reader {
  readonly #numbers: Float64Array;
  readonly #memory: DataView;
  readonly #specs: readonly HandlerSpec[];
  readonly #firstId: number;
  #at = 0;

  constructor(numbers: Float64Array, memory: DataView, specs: readonly HandlerSpec[], firstId: number) {
    this.#numbers = numbers;
    this.#memory = memory;
    this.#specs = specs;
    this.#firstId = firstId;
  }

  regions(): PlannedRegion[] {
    return this.#list(() => {
      const [entry, key, instructions, shadow] = [this.#next(), this.#next(), this.#next(), this.#next()];
      const pages = this.#map();
      const exits = this.#map();
      const blocks = this.#list(() => this.#block());
      const plan: RegionPlan = { entry, key, instructions, pages, blocks };
      return { plan, shadow, exits };
    });
  }

  #next(): number {
    return this.#numbers[this.#at++]!;
  }

  #list<T>(item: () => T): T[] {
    const count = this.#next();
    const items: T[] = [];
    for (let i = 0; i < count; i++) items.push(item());
    return items;
  }

  #map(): Map<number, number> {
    return new Map(this.#list(() => [this.#next(), this.#next()] as const));
  }

  #masks(): Masks {
    return [this.#next(), this.#next()];
  }

  #block(): Block {
    const place = this.#next();
    const steps = this.#list(() => this.#step());
    return { place, steps, end: this.#end() };
  }

  #step(): RegionStep {
    const [rec, page, id, next, unsureFlags] = [
      this.#next(),
      this.#next(),
      this.#next(),
      this.#next(),
      this.#next() !== 0,
    ];
    const [unsure, reads, writes] = [this.#masks(), this.#masks(), this.#masks()];
    const effects = this.#effects();
    for (let i = 0; i < WORDS; i++) this.#memory.setInt32(rec + i * 4, this.#next(), true);
    return { rec, page, spec: this.#specs[id - this.#firstId]!, next, unsureFlags, unsure, reads, writes, effects };
  }

  #effects(): Effects {
    const way = WAYS[this.#next()]!;
    const transfer = TRANSFERS[this.#next()]!;
    const [reads, writes, unsure] = [this.#masks(), this.#masks(), this.#masks()];
    const bits = this.#next();
    const flags = Object.fromEntries(FLAGS.map((name, i) => [name, ((bits >>> i) & 1) !== 0]));
    return { way, transfer, reads, writes, unsure, ...(flags as Record<(typeof FLAGS)[number], boolean>), why: '' };
  }

  #end(): BlockEnd {
    const kind = ENDS[this.#next()]!;
    switch (kind) {
      case 'fall':
        return { kind, next: this.#next() };
      case 'branch': {
        const [taken, next, likely] = [this.#next(), this.#next(), this.#next()];
        return { kind, taken, next, likely: likely < 0 ? undefined : likely === 1 };
      }
      case 'jump':
        return { kind, taken: this.#next() };
      case 'address':
        return { kind, places: this.#list(() => this.#next()) };
      case 'stop':
        return { kind, record: this.#next(), page: this.#next() };
      default:
        return { kind };
    }
  }
}
