import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { assemble } from '../asm/assembler.ts';
import { cacheDirectory, writeFileAtomic } from './cache.ts';

/** Directory with our guests' sources, from `src/node` as well as from `dist/node`. */
const SOURCES = fileURLToPath(new URL('../../guests/', import.meta.url));
const built = new Map<string, Uint8Array<ArrayBuffer>>();

/** Values for `%define`s of a guest's source. */
export type GuestDefines = Readonly<Record<string, string | number>>;

/** How the tiny guest is booted: `pvh` and `multiboot` with `-kernel`, `rom` with `-bios`. */
export type TinyForm = 'pvh' | 'multiboot' | 'rom';

const FORM_DEFINES = { pvh: 'FORM_PVH', multiboot: 'FORM_MULTIBOOT', rom: 'FORM_ROM' } as const;
const FORM_SUFFIXES = { pvh: 'elf', multiboot: 'multiboot', rom: 'rom' } as const;

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

/**
 * The tiny bare-metal guest; its source says what it does and which words its command line takes.
 *
 * @param commandLine - only for `rom`, which has no other way to get one
 * @throws AssemblerError if the command line contains a double quote
 */
export function buildTinyGuest(form: TinyForm, commandLine = ''): Uint8Array<ArrayBuffer> {
  return buildGuest('tiny', {
    [FORM_DEFINES[form]]: 1,
    ...(form === 'rom' ? { ROM_CMDLINE: `"${commandLine}"` } : {}),
  });
}

/** The same as a file in the cache, named by its content, for `-kernel` or `-bios`. */
export function tinyGuestFile(form: TinyForm, commandLine = ''): string {
  return guestFile('tiny', FORM_SUFFIXES[form], buildTinyGuest(form, commandLine));
}

/** Options of {@link patternGuestFile}. */
export interface PatternOptions {
  /** Where the region begins and ends, in MiB; 1 and 100 as in QEMU's tests. */
  readonly firstMiB?: number;
  readonly lastMiB?: number;
  /** PAUSE instructions after each pass over the region; 0 by default. */
  readonly pause?: number;
  /** Suspends itself once. */
  readonly suspend?: boolean;
}

/** The guest with a byte in every page that only counts up, as a file in the cache for `-bios`. */
export function patternGuestFile({
  firstMiB = 1,
  lastMiB = 100,
  pause = 0,
  suspend = false,
}: PatternOptions = {}): string {
  const defines = { FIRST_MIB: firstMiB, LAST_MIB: lastMiB, PAUSE: pause, ...(suspend ? { SUSPEND: 1 } : {}) };
  return guestFile('pattern', 'rom', buildGuest('pattern', defines));
}

function guestFile(name: string, suffix: string, bytes: Uint8Array): string {
  const hash = createHash('sha256').update(bytes).digest('hex').slice(0, 16);
  const path = join(cacheDirectory(), 'guests', `${name}-${hash}.${suffix}`);
  if (!existsSync(path)) writeFileAtomic(path, bytes);
  return path;
}
