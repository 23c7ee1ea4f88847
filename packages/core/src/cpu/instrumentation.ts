import { type Service, service } from '../container/service.ts';
import { SternaError } from '../errors.ts';

/** An instruction of the guest. */
export interface GuestInstruction {
  /** Linear address at which it was executed first. */
  readonly address: bigint;
  /** Bytes of it. */
  readonly length: number;
  /** What it does, by the name that the CPU's manuals give it, in small letters. */
  readonly name: string;
  /** Whether it may lead elsewhere than to the instruction behind it. */
  readonly transfers: boolean;
}

/** An instruction with how often it was begun. */
export interface CountedInstruction extends GuestInstruction {
  /** An instruction that repeats itself counts as often as the CPU's own counter of instructions advances. */
  readonly executions: number;
}

/** Counts executions while it lives. */
export interface CodeCounter extends Disposable {
  /** All instructions executed since the count began, in no particular order. Ask for it between slices. */
  read(): readonly CountedInstruction[];
}

/** Is told of everything that a guest executes, in order, some time later but before the machine's loop turns. */
export interface CodeTracer {
  /** An instruction begins. The same instruction at the same address is the same object again, as a rule. */
  instruction(instruction: GuestInstruction, cpu: number): void;
  /** It reads or writes memory: halves of the linear address, and bytes. What the CPU reads for itself is left out. */
  access?(low: number, high: number, bytes: number, isWrite: boolean, cpu: number): void;
}

/**
 * Looks at what CPUs execute. While nobody counts or traces it costs nothing; the guest sees nothing of it, not even in its
 * count of instructions. Counting slows a guest down by a part, tracing by one or two orders of magnitude.
 */
export interface CpuInstrumentation {
  /** Begins to count. Several may count at a time. */
  count(): CodeCounter;
  /** Begins to trace; dispose of the answer to end it. Several may trace at a time. */
  trace(tracer: CodeTracer): Disposable;
}

/** Instrumentation of all CPUs of a machine. */
export const Instrumentation: Service<CpuInstrumentation> = service('Instrumentation');

/**
 * The instrumentation of several CPUs as one. CPUs that share one are asked once.
 *
 * @param cpus - Gives the CPUs when they exist.
 */
export function instrumentationOf(
  cpus: () => readonly { readonly instrumentation?: CpuInstrumentation }[],
): CpuInstrumentation {
  const all = (): CpuInstrumentation[] => {
    const found = new Set(cpus().flatMap(({ instrumentation }) => instrumentation ?? []));
    if (found.size === 0) throw new SternaError('STERNA_ERR_UNSUPPORTED', 'this CPU cannot be instrumented');
    return [...found];
  };
  return {
    count() {
      const counters = all().map((one) => one.count());
      return {
        read: () => counters.flatMap((counter) => counter.read()),
        [Symbol.dispose]: () => {
          for (const counter of counters) counter[Symbol.dispose]();
        },
      };
    },
    trace(tracer) {
      const traces = all().map((one) => one.trace(tracer));
      return {
        [Symbol.dispose]: () => {
          for (const trace of traces) trace[Symbol.dispose]();
        },
      };
    },
  };
}
