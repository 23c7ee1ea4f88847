import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { assemble } from '../asm/assembler.ts';

/** Directory with our guests' sources, from `src/node` as well as from `dist/node`. */
const SOURCES = fileURLToPath(new URL('../../guests/', import.meta.url));
const built = new Map<string, Uint8Array<ArrayBuffer>>();

/** Values for `%define`s of a guest's source. */
export type GuestDefines = Readonly<Record<string, string | number>>;

/**
 * Assembles one of our guests; the same guest with the same defines is assembled once per process.
 *
 * @param name - file name without `.asm`
 * @throws AssemblerError for defines the source does not take
 */
export function buildGuest(name: string, defines: GuestDefines = {}): Uint8Array<ArrayBuffer> {
  const key = JSON.stringify([name, Object.entries(defines).sort()]);
  let bytes = built.get(key);
  if (bytes === undefined) {
    const file = `${name}.asm`;
    const include = (other: string): string => readFileSync(join(SOURCES, other), 'utf8');
    bytes = assemble(include(file), { file, defines, include }).bytes;
    built.set(key, bytes);
  }
  return bytes.slice();
}

/** The `ticker` program, a static Linux x86-64 ELF file. */
export function buildTicker(): Uint8Array<ArrayBuffer> {
  return buildGuest('ticker');
}
