import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { cpioCharDevice, cpioDirectory, cpioFile, writeCpio } from '@sterna/guests';
import { cacheDirectory, writeFileAtomic } from '@sterna/guests/node';

const SOURCES = join(import.meta.dirname, 'programs');

/** Width of a program's code. */
export type Bits = 32 | 64;

/** Where figures are kept together. */
export type Group = 'integer' | 'floating point' | 'memory and string' | 'system work';

/** A whole program of the suite. */
export interface Program {
  /** Name of its source in `bench/programs`. */
  readonly name: string;
  readonly group: Group;
  /** Units of work of one round, chosen so that {@link ROUNDS} rounds take about 2 s under QEMU TCG. */
  readonly scale: number;
}

/** Rounds of one run. The first shows the start, the last ones the steady state. */
export const ROUNDS = 4;

/** The suite. */
export const PROGRAMS: readonly Program[] = [
  { name: 'intmix', group: 'integer', scale: 120 },
  { name: 'coremark', group: 'integer', scale: 100 },
  { name: 'sieve', group: 'integer', scale: 200 },
  { name: 'qsort', group: 'integer', scale: 40 },
  { name: 'sha256', group: 'integer', scale: 100 },
  { name: 'bytecode', group: 'integer', scale: 12 },
  { name: 'gzip', group: 'integer', scale: 40 },
  { name: 'nbody', group: 'floating point', scale: 240 },
  { name: 'mandelbrot', group: 'floating point', scale: 75 },
  { name: 'x87', group: 'floating point', scale: 300 },
  { name: 'memory', group: 'memory and string', scale: 250 },
  { name: 'strings', group: 'memory and string', scale: 180 },
  { name: 'syscalls', group: 'system work', scale: 800 },
  { name: 'forkexec', group: 'system work', scale: 160 },
  { name: 'signals', group: 'system work', scale: 700 },
  { name: 'faults', group: 'system work', scale: 130 },
  { name: 'pipes', group: 'system work', scale: 230 },
];

/** The suite as built: one static file with all programs. */
export interface Suite {
  readonly bits: Bits;
  readonly path: string;
}

const COMMON = ['-O2', '-std=gnu11', '-Wall', '-Wextra', '-Werror', '-ffp-contract=off'];
const TARGET: Readonly<Record<Bits, readonly string[]>> = {
  64: ['-m64'],
  // v86's processor has SSE2; without these words GCC would use the x87 for all floating point.
  32: ['-m32', '-march=pentium4', '-msse2', '-mfpmath=sse'],
};

/** Folder for what is built or fetched for measurements. */
export function benchCache(): string {
  const directory = join(cacheDirectory(), 'bench');
  mkdirSync(directory, { recursive: true });
  return directory;
}

/**
 * Builds the suite with GCC, once for each state of its sources.
 *
 * @throws Error with GCC's message; the 32-bit one needs `gcc-multilib`, which `tools/peers/install.sh` installs.
 */
export function buildSuite(bits: Bits): Suite {
  const files = readdirSync(SOURCES).sort();
  const hash = createHash('sha256').update(JSON.stringify([COMMON, TARGET]));
  for (const file of files) hash.update(file).update(readFileSync(join(SOURCES, file)));
  const path = join(benchCache(), `suite${bits}-${hash.digest('hex').slice(0, 16)}`);
  if (existsSync(path)) return { bits, path };
  const work = `${path}.${process.pid}`;
  mkdirSync(work);
  try {
    const objects = files
      .filter((file) => file.endsWith('.c'))
      .map((file) => {
        const object = join(work, `${file}.o`);
        const unit = file === 'x87.c' ? ['-mfpmath=387'] : [];
        gcc([...COMMON, ...TARGET[bits], ...unit, '-c', join(SOURCES, file), '-o', object]);
        return object;
      });
    gcc([`-m${bits}`, '-static', '-s', ...objects, '-lm', '-o', join(work, 'suite')]);
    renameSync(join(work, 'suite'), path);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return { bits, path };
}

function gcc(args: readonly string[]): void {
  const { status, stderr, error } = spawnSync('gcc', args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`gcc failed: ${error?.message ?? stderr}`);
}

/** Checksums that this host's processor computes, for each program and scale; the 80-bit ones included. */
export function expectedChecksum(suite: Suite, program: Program, scale: number, rounds: number): string {
  const path = join(
    benchCache(),
    `${suite.path.slice(suite.path.lastIndexOf('/') + 1)}.sums`,
    `${program.name}-${scale}-${rounds}`,
  );
  if (existsSync(path)) return readFileSync(path, 'latin1');
  const text = execFileSync(suite.path, [program.name, String(scale), String(rounds)], { encoding: 'latin1' });
  const sum = /BENCH \S+ end ([0-9a-f]{16})/.exec(text)?.[1];
  if (sum === undefined) throw new Error(`${program.name} did not end on the host: ${text}`);
  writeFileAtomic(path, sum);
  return sum;
}

/**
 * The initramfs that runs the suite: `init` is one build, `/suite64` and `/suite32` are there as given.
 *
 * @param suites - builds; the first one is `init`, so it must be one the kernel's own width can run
 */
export function suiteInitrd(suites: readonly Suite[]): string {
  const archive = writeCpio([
    cpioDirectory('dev'),
    cpioCharDevice('dev/console', 5, 1),
    ...suites.map(({ bits, path }) => cpioFile(`suite${bits}`, readFileSync(path), 0o755)),
    cpioFile('init', readFileSync(suites[0]!.path), 0o755),
  ]);
  const hash = createHash('sha256').update(archive).digest('hex').slice(0, 16);
  const path = join(benchCache(), `suite-${hash}.cpio`);
  if (!existsSync(path)) writeFileAtomic(path, archive);
  return path;
}
