import type { GuestInstruction } from '@sterna/core';
import { REC } from '../interp/records.ts';
import type { CodePlaces } from './code-places.ts';
import type { Instrumented } from './instrumented.ts';
import { RegionCounts } from './region-counts.ts';

/** Slices after which what was counted is fetched: long before 32 bits are not enough for it. */
const SLICES = 1 << 14;

/** An instruction and how often it was begun. */
export interface Count {
  readonly instruction: GuestInstruction;
  executions: number;
}

/** How often the instructions of a machine's guest were executed. */
export class CodeCounts {
  readonly regions: RegionCounts = new RegionCounts((record, executions) => this.add(record, executions));
  readonly #engine: Instrumented;
  /** Finds the instructions of records as they are now. */
  places: CodePlaces | undefined;
  readonly #counts = new Map<number, Count>();
  #slices = 0;

  constructor(engine: Instrumented) {
    this.#engine = engine;
  }

  /** Adds executions of a record. */
  add(record: number, executions: number): void {
    const place = this.places?.of(record);
    if (place === undefined) return;
    const count = this.#counts.get(place.key);
    // the memory may have other code by now
    if (count === undefined || count.instruction.name !== place.instruction.name)
      this.#counts.set(place.key, { instruction: place.instruction, executions });
    else count.executions += executions;
  }

  /** Everything so far. */
  read(): Iterable<Count> {
    this.harvest();
    return this.#counts.values();
  }

  beforeSlice(): void {
    if (++this.#slices % SLICES === 0) this.harvest();
  }

  /** Fetches what the interpreter and regions have counted. */
  harvest(): void {
    this.regions.harvest();
    const { cache } = this.#engine;
    for (let run = 0; run < cache.runs; run++) this.recordsDropped(cache.runStart(run), cache.runEnd(run));
  }

  /** Fetches what was counted of some records. */
  recordsDropped(first: number, end: number): void {
    for (let record = first; record < end; record += REC.size) {
      const executions = this.regions.takeRecord(record);
      if (executions !== 0) this.add(record, executions);
    }
  }
}
