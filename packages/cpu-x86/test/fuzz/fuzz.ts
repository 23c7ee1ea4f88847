import { Bench, type CpuFactory, interpreter, translating, translatingLate } from './bench.ts';
import { compare, type Mismatch, type Slicing } from './compare.ts';
import { type GenerateProgramOptions, generateProgram } from './generate.ts';
import type { Program } from './program.ts';
import { shrink } from './shrink.ts';

/** Engines by name. */
export const ENGINES: Readonly<Record<string, CpuFactory>> = {
  interp: interpreter,
  jit: translating(2),
  'jit-late': translatingLate(2),
};

/** How to fuzz. */
export interface FuzzOptions extends GenerateProgramOptions {
  /** First seed; each program has the next one. */
  readonly seed: number;
  readonly programs: number;
  /** Stops after this long even if programs are left. */
  readonly milliseconds?: number;
  readonly candidate: CpuFactory;
  readonly candidateName: string;
  /** Slices of the candidate; drawn for each program when absent. */
  readonly slicing?: Slicing;
  /** Stops after this many failures. */
  readonly failures?: number;
  /** Told of each failure once it is minimal. */
  readonly onFailure?: (mismatch: Mismatch) => void;
  /** Told of each program before it runs, also of each smaller one that is tried. */
  readonly onProgram?: (seed: number) => void;
  /** Makes failing programs smaller; costs many runs. */
  readonly shrink?: boolean;
}

/** What was done. */
export interface FuzzResult {
  readonly programs: number;
  readonly instructions: number;
  readonly failures: readonly Mismatch[];
}

/** Runs random programs on the interpreter and a candidate. */
export function fuzz(options: FuzzOptions): FuzzResult {
  const reference = new Bench('interpreter', interpreter);
  let candidate = new Bench(options.candidateName, options.candidate);
  const failures: Mismatch[] = [];
  const until =
    options.milliseconds === undefined ? Number.POSITIVE_INFINITY : performance.now() + options.milliseconds;
  let programs = 0;
  let instructions = 0;
  while (programs < options.programs && performance.now() < until && failures.length < (options.failures ?? 1)) {
    const seed = options.seed + programs++;
    options.onProgram?.(seed);
    const program = generateProgram(seed, options);
    const slicing = options.slicing ?? slicingOf(seed, options.candidate === interpreter);
    const found = compare(program, { bench: reference, slicing: 'whole' }, { bench: candidate, slicing });
    instructions += reference.total;
    if (found !== undefined) {
      const smallest = options.shrink === false ? found : minimize(program, found, options, slicing);
      failures.push(smallest);
      options.onFailure?.(smallest);
      candidate = new Bench(options.candidateName, options.candidate);
    }
  }
  return { programs, instructions, failures };
}

function slicingOf(seed: number, interpreted: boolean): Slicing {
  if (interpreted) return seed & 1 ? 'one' : 'random';
  return seed & 1 ? 'whole' : 'random';
}

/** The smallest program that still fails, on fresh processors every time so that it does so on its own. */
function minimize(program: Program, found: Mismatch, options: FuzzOptions, slicing: Slicing): Mismatch {
  const once = (p: Program): Mismatch | undefined =>
    compare(
      p,
      { bench: new Bench('interpreter', interpreter), slicing: 'whole' },
      { bench: new Bench(options.candidateName, options.candidate), slicing },
    );
  const fresh = once(program);
  if (fresh === undefined)
    return { ...found, lines: ['(only after the programs before it: not on fresh processors)', ...found.lines] };
  // what fails in another way is another failure
  const crash = (m: Mismatch): boolean => m.lines[0]!.startsWith('stopped');
  let last = fresh;
  shrink({ ...program, limit: Math.min(program.limit, fresh.to) }, (p) => {
    options.onProgram?.(program.seed);
    const m = once(p);
    if (m === undefined || crash(m) !== crash(fresh)) return false;
    last = m;
    return true;
  });
  return pinpoint(last, (p, stride) =>
    compare(
      p,
      { bench: new Bench('interpreter', interpreter), slicing: 'whole' },
      { bench: new Bench(options.candidateName, options.candidate), slicing },
      stride,
    ),
  );
}

/** Finds the first instruction count at which the states differ, comparing as often as does not hide it. */
function pinpoint(found: Mismatch, run: (p: Program, stride: number) => Mismatch | undefined): Mismatch {
  let best = found;
  for (const stride of [1, 3, 10, 30, 100]) {
    const m = run(found.program, stride);
    if (m !== undefined && m.to <= best.to && m.to - m.from < best.to - best.from) return m;
  }
  // with the usual stretches: fewer and fewer instructions
  for (let limit = best.to - 1; limit > best.from; limit--) {
    const m = run({ ...found.program, limit }, 400);
    if (m === undefined) break;
    best = m;
  }
  return best;
}
