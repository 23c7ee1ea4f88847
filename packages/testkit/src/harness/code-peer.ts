import type { CodeCounter, CodeTracer, CountedInstruction, CpuInstrumentation, GuestInstruction } from '@sterna/core';

/** A guest's code in the test's hands: what it says is executed is what instruments are told. */
export class CodePeer implements CpuInstrumentation {
  readonly #counters = new Set<Map<GuestInstruction, number>>();
  readonly #tracers = new Set<CodeTracer>();

  /** Counts and traces that were begun and not ended. */
  get watchers(): number {
    return this.#counters.size + this.#tracers.size;
  }

  /** Executes an instruction. */
  execute(instruction: GuestInstruction, times = 1): void {
    for (const counts of this.#counters) counts.set(instruction, (counts.get(instruction) ?? 0) + times);
    for (const tracer of this.#tracers) for (let i = 0; i < times; i++) tracer.instruction(instruction, 0);
  }

  /** The instruction before reads or writes memory, below 4 GiB. */
  access(address: number, bytes: number, isWrite: boolean): void {
    for (const tracer of this.#tracers) tracer.access?.(address, 0, bytes, isWrite, 0);
  }

  count(): CodeCounter {
    const counts = new Map<GuestInstruction, number>();
    this.#counters.add(counts);
    return {
      read: (): readonly CountedInstruction[] => [...counts].map(([it, executions]) => ({ ...it, executions })),
      [Symbol.dispose]: () => void this.#counters.delete(counts),
    };
  }

  trace(tracer: CodeTracer): Disposable {
    this.#tracers.add(tracer);
    return { [Symbol.dispose]: () => void this.#tracers.delete(tracer) };
  }
}
