import {
  type CodeTracer,
  type CpuInstrumentation,
  defineDevice,
  type GuestInstruction,
  Hooks,
  HostFiles,
  Instrumentation,
  Logger,
  prop,
} from '@sterna/core';
import { Cache } from './cache.ts';
import { hex, percent, reportTo, table } from './report.ts';

const LINE = 64;
/** Bits of an address above the low half that count: more are copies of the highest one. */
const HIGH = 0xffff;

/** An instruction with its address as a number, and how often it had to wait. */
interface Place {
  readonly address: number;
  fetchMisses: number;
  dataMisses: number;
}

/** Two caches of the first level, for instructions and for data, by linear address; one pair for all vCPUs. */
export class CacheModel implements CodeTracer, Disposable {
  readonly instructions: Cache;
  readonly data: Cache;
  readonly #places = new Map<GuestInstruction, Place>();
  #here: Place | undefined;
  #trace: Disposable | undefined;

  constructor(instructions: Cache, data: Cache) {
    this.instructions = instructions;
    this.data = data;
  }

  /** Begins to look on. */
  begin(instrumentation: CpuInstrumentation): void {
    this.#trace = instrumentation.trace(this);
  }

  instruction(instruction: GuestInstruction): void {
    let place = this.#places.get(instruction);
    if (place === undefined) {
      place = { address: Number(instruction.address & 0xffff_ffff_ffffn), fetchMisses: 0, dataMisses: 0 };
      this.#places.set(instruction, place);
    }
    this.#here = place;
    if (this.instructions.access(place.address, instruction.length) > 0) place.fetchMisses++;
  }

  access(low: number, high: number, bytes: number): void {
    const missed = this.data.access((high & HIGH) * 0x1_0000_0000 + low, bytes);
    if (missed > 0 && this.#here !== undefined) this.#here.dataMisses++;
  }

  /** Rates, and the instructions that missed most. */
  report(limit: number): string {
    const rate = (name: string, { accesses, misses }: Cache) => [name, accesses, misses, percent(misses, accesses)];
    const top = [...this.#places]
      .sort(([, a], [, b]) => b.fetchMisses + b.dataMisses - a.fetchMisses - a.dataMisses)
      .slice(0, limit)
      .map(([{ address, name }, { fetchMisses, dataMisses }]) => [hex(address), name, fetchMisses, dataMisses]);
    return (
      table([
        ['cache', 'accesses', 'misses', 'rate'],
        rate('instructions', this.instructions),
        rate('data', this.data),
      ]) + table([['address', 'instruction', 'fetch misses', 'data misses'], ...top])
    );
  }

  [Symbol.dispose](): void {
    this.#trace?.[Symbol.dispose]();
    this.#trace = undefined;
  }
}

/** Models a cache for instructions and one for data. */
export const cacheModel = defineDevice({
  name: 'cache-model',
  bus: 'sysbus',
  description: 'Instrument: caches of the first level, and who misses them',
  properties: {
    'icache-size': prop.size({ default: 32 * 1024, help: 'Bytes of the cache for instructions' }),
    'icache-ways': prop.u32({ default: 8, help: 'Its ways' }),
    'dcache-size': prop.size({ default: 32 * 1024, help: 'Bytes of the cache for data' }),
    'dcache-ways': prop.u32({ default: 8, help: 'Its ways' }),
    'line-size': prop.u32({ default: LINE, help: 'Bytes of a line of both' }),
    limit: prop.u32({ default: 20, help: 'Instructions to be listed' }),
    file: prop.optionalString({ help: 'Host file for the report; without one it is logged' }),
  },
  inject: [Instrumentation, Hooks, HostFiles, Logger],
  create({ limit, file, ...sizes }, instrumentation, hooks, files, logger) {
    const line = sizes['line-size'];
    const model = new CacheModel(
      new Cache(sizes['icache-size'], sizes['icache-ways'], line),
      new Cache(sizes['dcache-size'], sizes['dcache-ways'], line),
    );
    return { model, limit, outlets: { file, hooks, files, logger }, instrumentation };
  },
  realize({ model, limit, outlets, instrumentation }) {
    model.begin(instrumentation);
    reportTo(outlets, 'cache-model', () => model.report(limit));
  },
  unrealize: ({ model }) => model[Symbol.dispose](),
  vmstate: 'stateless',
});
