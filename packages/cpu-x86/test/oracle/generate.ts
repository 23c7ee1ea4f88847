import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { VECTOR } from './vectors.ts';

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

const FOLDER = join(tmpdir(), 'sterna-oracle-2');

function argumentsOf(options: GenerateOptions): string[] {
  const args = ['--count', String(options.count), '--seed', String(options.seed)];
  if (options.isa !== undefined) args.push('--isa', options.isa);
  if (options.modes !== undefined) args.push('--modes', options.modes);
  if (options.only !== undefined) args.push('--only', options.only);
  return args;
}

/** Files of a set of vectors, without their endings. Long patterns are told apart by a checksum. */
function baseOf(options: GenerateOptions): string {
  const text = argumentsOf(options).join('');
  let sum = 0;
  for (const c of text) sum = (Math.imul(sum, 31) + c.charCodeAt(0)) >>> 0;
  return join(FOLDER, `${text.replace(/[^a-z0-9]+/gi, '-').slice(0, 80)}-${sum.toString(16)}`);
}

/** The compiled oracle; made on first use, under another name first in case several processes want it. */
function program(): string {
  const path = join(FOLDER, 'oracle');
  if (existsSync(path)) return path;
  const fresh = `${path}-${process.pid}`;
  const flags = ['-O2', '-static-pie', '-fno-stack-protector', '-fcf-protection=none'];
  execFileSync('gcc', [...flags, '-o', fresh, join(ORACLE_SOURCES, 'oracle.c')]);
  renameSync(fresh, path);
  return path;
}

/** Writes MXCSR_MASK into the vectors' images: without it the oracle takes MXCSR for the oldest kind, which has no DAZ. */
function knowDaz(path: string): void {
  const bytes = readFileSync(path);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const first = 16 + view.getUint32(12, true) * 16;
  for (let at = first; at < bytes.length; at += VECTOR.size) view.setUint32(at + VECTOR.fx + 28, 0xffff, true);
  writeFileSync(path, bytes);
}

/** Makes vectors and runs them on this host's processor; both files are kept in the temporary folder for the next time. */
export function generate(options: GenerateOptions): { nov: Uint8Array; nor: Uint8Array } {
  mkdirSync(FOLDER, { recursive: true });
  const base = baseOf(options);
  if (!existsSync(`${base}.nor`)) {
    const generator = join(ORACLE_SOURCES, 'gen.py');
    execFileSync('python3', [generator, `${base}.nov`, ...argumentsOf(options)], { stdio: 'ignore' });
    knowDaz(`${base}.nov`);
    execFileSync(program(), ['run', `${base}.nov`, `${base}.nor`], { stdio: 'ignore' });
  }
  return { nov: readFileSync(`${base}.nov`), nor: readFileSync(`${base}.nor`) };
}

/** Removes the files of a set of vectors. */
export function discard(options: GenerateOptions): void {
  for (const ending of ['nov', 'nor']) rmSync(`${baseOf(options)}.${ending}`, { force: true });
}
