import type { CodeCounter, CodeTracer, CpuInstrumentation, GuestInstruction } from '@sterna/core';
import type { InstrumentMode } from './areas.ts';
import { CodeCounts } from './code-counts.ts';
import { CodePlaces } from './code-places.ts';
import type { Instrumented } from './instrumented.ts';
import { TraceBuffer } from './trace-buffer.ts';

/** What there is while somebody counts or traces. */
interface Running {
  readonly mode: InstrumentMode;
  readonly places: CodePlaces;
  readonly trace: TraceBuffer | undefined;
  /** Undoes it. */
  readonly end: () => void;
}

/**
 * Instrumentation of all vCPUs of a machine: another interpreter, and regions that count. What changes takes effect with the
 * next slice. While there is a trace nothing is translated, and counts come from the trace.
 */
export class X86Instrumentation implements CpuInstrumentation {
  readonly #engine: Instrumented;
  readonly #memory: ArrayBufferLike;
  readonly #counters = new Set<object>();
  readonly #tracers = new Set<CodeTracer>();
  #counts: CodeCounts | undefined;
  #running: Running | undefined;

  /** @internal */
  constructor(engine: Instrumented, memory: ArrayBufferLike) {
    this.#engine = engine;
    this.#memory = memory;
  }

  count(): CodeCounter {
    const own = {};
    // what was counted before is others'
    const before = new Map<GuestInstruction, number>();
    for (const { instruction, executions } of this.#counts?.read() ?? []) before.set(instruction, executions);
    this.#counters.add(own);
    return {
      read: () =>
        [...(this.#counters.has(own) ? (this.#counts?.read() ?? []) : [])]
          .map(({ instruction, executions }) => ({
            ...instruction,
            executions: executions - (before.get(instruction) ?? 0),
          }))
          .filter(({ executions }) => executions > 0),
      [Symbol.dispose]: () => void this.#counters.delete(own),
    };
  }

  trace(tracer: CodeTracer): Disposable {
    this.#tracers.add(tracer);
    return { [Symbol.dispose]: () => void this.#tracers.delete(tracer) };
  }

  /** Puts the interpreter in place that is wanted. */
  beforeSlice(): void {
    const mode = this.#tracers.size > 0 ? 'trace' : this.#counters.size > 0 ? 'count' : undefined;
    if (mode !== this.#running?.mode) {
      this.#running?.end();
      this.#running = undefined;
      if (this.#counters.size === 0) this.#counts = undefined;
      if (mode !== undefined) this.#running = this.#begin(mode);
    }
    this.#counts?.beforeSlice();
  }

  /** Tells of what was traced so far. */
  drain(): void {
    this.#running?.trace?.drain(this.#engine.currentIndex);
  }

  #begin(mode: InstrumentMode): Running {
    const { cache, jit } = this.#engine;
    const places = new CodePlaces(this.#engine, this.#memory);
    if (this.#counters.size > 0) this.#counts ??= new CodeCounts(this.#engine);
    const counts = this.#counts;
    if (counts !== undefined) counts.places = places;
    const count = (record: number): void => counts?.add(record, 1);
    const trace = mode === 'trace' ? new TraceBuffer(places, this.#tracers, count) : undefined;
    const regions = mode === 'count' ? counts?.regions : undefined;
    const { options } = jit;
    if (mode === 'trace') jit.options = { ...options, threshold: 0 };
    this.#engine.replaceInterpreter(mode, regions, regions?.memory ?? trace?.memory);
    const { onDrop, onClear } = cache;
    cache.onRun = (run) => places.decoded(run);
    cache.onDrop = (first, end, hostPage) => {
      this.drain();
      trace?.forget();
      onDrop(first, end, hostPage);
      if (regions !== undefined) counts!.recordsDropped(first, end);
      places.dropped(first, end);
    };
    cache.onClear = () => {
      this.drain();
      trace?.forget();
      if (regions !== undefined) counts!.harvest();
      onClear();
      regions?.clear();
      places.clear();
    };
    const end = (): void => {
      this.#engine.replaceInterpreter(undefined);
      cache.onRun = () => {};
      cache.onDrop = onDrop;
      cache.onClear = onClear;
      if (mode === 'trace') jit.options = options;
    };
    return { mode, places, trace, end };
  }
}
