import { Exit } from '../../src/index.ts';
import type { Bench } from './bench.ts';
import type { Program } from './program.ts';
import { Random } from './random.ts';

/** How a processor's slices are cut. */
export type Slicing = 'one' | 'random' | 'whole';

/** What a comparison found. */
export interface Mismatch {
  readonly program: Program;
  /** Instruction counts between which the states began to differ. */
  readonly from: number;
  readonly to: number;
  readonly lines: readonly string[];
  readonly names: readonly [string, string];
}

/** A processor with the way it is run. */
export interface Runner {
  readonly bench: Bench;
  readonly slicing: Slicing;
}

/** Longest stretch without comparing. */
const STRIDE = 3000;
/** Events with which a run is given up as never ending. */
const MOST_EVENTS = 100_000;

/** One processor running one program up to given instruction counts. */
class Run {
  readonly bench: Bench;
  readonly #slicing: Slicing;
  readonly #random: Random;
  #events = 0;
  /** Exits in order, but for those that only say that the slice is over. */
  readonly trace: number[] = [];
  over = false;

  constructor(runner: Runner, program: Program) {
    this.bench = runner.bench;
    this.#slicing = runner.slicing;
    this.#random = new Random(program.seed ^ 0x5bd1e995);
    this.bench.load(program);
  }

  /** Runs to an instruction count, or to the end, or to where nothing more happens. */
  to(count: number): void {
    const { bench } = this;
    while (!this.over && bench.total < count) {
      const left = count - bench.total;
      const slice = this.#slicing === 'one' ? 1 : this.#slicing === 'whole' ? left : this.#random.between(1, 40);
      const before = bench.total;
      const exit = bench.run(Math.min(slice, left));
      if (++this.#events > MOST_EVENTS) {
        this.over = true;
        this.trace.push(-1);
      }
      switch (exit) {
        case Exit.BUDGET:
        case Exit.REQUEST:
          // a device may have ended the slice; at the end of a budget either reason may be given
          break;
        case Exit.PAGE_WAIT:
          this.trace.push(exit, bench.total);
          bench.setMissing(undefined);
          break;
        case Exit.HALT:
          this.trace.push(exit, bench.total);
          // asleep: what comes next comes at once
          return;
        default:
          this.trace.push(exit, bench.total);
          this.over = true;
      }
      if (exit === Exit.BUDGET && bench.total === before && slice > 0 && this.#events > MOST_EVENTS / 2)
        this.over = true;
    }
  }

  get halted(): boolean {
    return this.bench.cpu.halted;
  }
}

/**
 * Runs a program on two processors and compares them after every stretch. Undefined when they agree.
 *
 * @param stride - most instructions between comparisons
 */
export function compare(
  program: Program,
  reference: Runner,
  candidate: Runner,
  stride: number = STRIDE,
): Mismatch | undefined {
  const names = [
    `${reference.bench.name} (${reference.slicing})`,
    `${candidate.bench.name} (${candidate.slicing})`,
  ] as const;
  const cuts = new Random(program.seed ^ 0x27d4eb2f);
  let last = 0;
  const fail = (to: number, lines: readonly string[]): Mismatch => ({ program, from: last, to, lines, names });
  let a: Run;
  let b: Run;
  try {
    a = new Run(reference, program);
    b = new Run(candidate, program);
    let next = 0;
    for (;;) {
      const happening = program.happenings[next];
      const step = cuts.between(1, Math.min(stride, cuts.pick([12, 100, 400, 400, stride])));
      const target = Math.min(program.limit, last + step, happening?.at ?? Number.POSITIVE_INFINITY);
      a.to(target);
      b.to(target);
      if (a.bench.lost || b.bench.lost) return undefined;
      const lines = a.bench.difference(b.bench) ?? [];
      if (a.trace.join() !== b.trace.join()) lines.push(`exits ${a.trace.join(' ')}  |  ${b.trace.join(' ')}`);
      if (lines.length > 0) return fail(target, lines);
      last = target;
      if (a.over || target >= program.limit) return undefined;
      if (happening !== undefined && (target >= happening.at || a.halted)) {
        next++;
        for (const { bench } of [a, b]) bench.happen(happening);
      } else if (a.halted && !a.bench.cpu.hasWork()) return undefined;
    }
  } catch (error) {
    return fail(program.limit, [
      `stopped by ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
    ]);
  }
}
