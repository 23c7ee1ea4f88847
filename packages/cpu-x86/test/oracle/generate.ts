import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

/** Folder of the oracle's sources, beside the repository. */
export const ORACLE_SOURCES: string = resolve(import.meta.dirname, '../../../../../shared/tools/native-oracle');

/** Options of the vector generator. */
export interface GenerateOptions {
  readonly count: number;
  readonly seed: number;
  readonly isa?: string;
  readonly modes?: string;
  readonly only?: string;
}

/** Whether vectors can be made here: the sources, a compiler and Python on an x86-64 Linux host. */
export function oracleAvailable(): boolean {
  if (process.platform !== 'linux' || process.arch !== 'x64' || !existsSync(join(ORACLE_SOURCES, 'oracle.c')))
    return false;
  try {
    execFileSync('gcc', ['--version'], { stdio: 'ignore' });
    execFileSync('python3', ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** Makes vectors and runs them on this host's processor; both files are kept in the temporary folder for the next time. */
export function generate(options: GenerateOptions): { nov: Uint8Array; nor: Uint8Array } {
  const folder = join(tmpdir(), 'sterna-oracle');
  mkdirSync(folder, { recursive: true });
  const program = join(folder, 'oracle');
  if (!existsSync(program)) {
    execFileSync('gcc', [
      '-O2',
      '-static-pie',
      '-fno-stack-protector',
      '-fcf-protection=none',
      '-o',
      program,
      join(ORACLE_SOURCES, 'oracle.c'),
    ]);
  }
  const args = ['--count', String(options.count), '--seed', String(options.seed)];
  if (options.isa !== undefined) args.push('--isa', options.isa);
  if (options.modes !== undefined) args.push('--modes', options.modes);
  if (options.only !== undefined) args.push('--only', options.only);
  const base = join(folder, args.join('').replace(/[^a-z0-9]+/gi, '-'));
  if (!existsSync(`${base}.nor`)) {
    execFileSync('python3', [join(ORACLE_SOURCES, 'gen.py'), `${base}.nov`, ...args], { stdio: 'ignore' });
    execFileSync(program, ['run', `${base}.nov`, `${base}.nor`], { stdio: 'ignore' });
  }
  return { nov: readFileSync(`${base}.nov`), nor: readFileSync(`${base}.nor`) };
}
