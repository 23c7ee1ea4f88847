import type { GuestInstruction } from '@sterna/core';
import { REC } from '../interp/records.ts';
import { cellAddress } from '../state/layout.ts';
import type { Instrumented } from './instrumented.ts';

/** Where the instruction of a record is, and what it is. */
export interface CodePlace {
  /** The same for all records of an instruction: by its host address and its mode. */
  readonly key: number;
  /** Low half of the linear address of its page, at which it was decoded. */
  readonly low: number;
  readonly instruction: GuestInstruction;
}

/** Finds the instructions of records, from the time they are decoded until they are dropped. */
export class CodePlaces {
  readonly #engine: Instrumented;
  readonly #view: DataView;
  /** Linear address of the page of each run. */
  readonly #linear = new Map<number, bigint>();
  readonly #places = new Map<number, CodePlace>();

  constructor(engine: Instrumented, memory: ArrayBufferLike) {
    this.#engine = engine;
    this.#view = new DataView(memory);
  }

  /** A run was decoded for the code at the page that the CPU is in. */
  decoded(run: number): void {
    this.#linear.set(run, this.#view.getBigUint64(cellAddress('pcPage'), true));
  }

  /** The place of a record, or undefined when it stands for no instruction. */
  of(record: number): CodePlace | undefined {
    let place = this.#places.get(record);
    if (place === undefined) {
      place = this.#find(record);
      if (place !== undefined) this.#places.set(record, place);
    }
    return place;
  }

  /** These records are about to become void. */
  dropped(first: number, end: number): void {
    for (let record = first; record < end; record += REC.size) this.#places.delete(record);
  }

  /** All records are. */
  clear(): void {
    this.#linear.clear();
    this.#places.clear();
  }

  #find(record: number): CodePlace | undefined {
    const { cache, jit } = this.#engine;
    const run = cache.runOf(record);
    const kind = jit.instructionAt(record);
    if (run < 0 || kind === undefined) return undefined;
    const pos = this.#view.getUint16(record + REC.pos, true);
    const offset = pos & 0xfff;
    const cross = cache.runCrossing(run);
    const first = cross > 0 ? cache.runOf(cross) : run;
    const page = first < 0 ? 0 : cache.runPage(first);
    const linear = this.#linear.get(run) ?? 0n;
    const address = BigInt.asUintN(64, linear + BigInt(offset));
    const key = (page + offset) * 4 + (cache.runKey(run) & 3);
    return { key, low: Number(linear & 0xffff_ffffn), instruction: { address, length: pos >>> 12, ...kind } };
  }
}
