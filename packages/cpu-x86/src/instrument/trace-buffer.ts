import { type CodeTracer, type GuestInstruction, type WasmMemory, wasmHost } from '@sterna/core';
import { INSTRUMENT_PAGES, TRACE } from './areas.ts';
import type { CodePlaces } from './code-places.ts';

/** The memory that events are written to, in the order in which they happen, and those who are told of them. */
export class TraceBuffer {
  readonly memory: WasmMemory;
  readonly #u32: Uint32Array;
  readonly #places: CodePlaces;
  readonly #tracers: ReadonlySet<CodeTracer>;
  readonly #count: (record: number) => void;
  /** Instructions at another linear address than the one they were decoded at, by record. */
  readonly #elsewhere = new Map<number, { readonly low: number; readonly instruction: GuestInstruction }>();

  /** @param count - told of each instruction executed */
  constructor(places: CodePlaces, tracers: ReadonlySet<CodeTracer>, count: (record: number) => void) {
    const { Memory } = wasmHost as unknown as { Memory: new (pages: { initial: number }) => WasmMemory };
    this.memory = new Memory({ initial: INSTRUMENT_PAGES });
    this.#u32 = new Uint32Array(this.memory.buffer);
    this.#u32[TRACE.next >>> 2] = TRACE.first;
    this.#places = places;
    this.#tracers = tracers;
    this.#count = count;
  }

  /** Tells of the events so far, which are a vCPU's, and empties the buffer. */
  drain(cpu: number): void {
    const end = this.#u32[TRACE.next >>> 2]! >>> 2;
    this.#u32[TRACE.next >>> 2] = TRACE.first;
    for (let at = TRACE.first >>> 2; at < end; at += 4) {
      const what = this.#u32[at]!;
      const low = this.#u32[at + 2]!;
      const high = this.#u32[at + 3]!;
      if (this.#u32[at + 1] === TRACE.access) {
        const isWrite = (what & TRACE.write) !== 0;
        for (const tracer of this.#tracers) tracer.access?.(low, high, what & ~TRACE.write, isWrite, cpu);
        continue;
      }
      this.#count(what);
      const instruction = this.#instruction(what, low, high);
      if (instruction !== undefined) for (const tracer of this.#tracers) tracer.instruction(instruction, cpu);
    }
  }

  /** Records are about to become void. */
  forget(): void {
    this.#elsewhere.clear();
  }

  #instruction(record: number, low: number, high: number): GuestInstruction | undefined {
    const place = this.#places.of(record);
    if (place === undefined || place.low === low) return place?.instruction;
    let other = this.#elsewhere.get(record);
    if (other?.low !== low) {
      const page = (BigInt(high) << 32n) | BigInt(low);
      const address = page + (place.instruction.address & 0xfffn);
      other = { low, instruction: { ...place.instruction, address } };
      this.#elsewhere.set(record, other);
    }
    return other.instruction;
  }
}
