import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { interpreterBytes, provideInterpreter } from '../cpu.ts';

/** Files of a folder and its subfolders whose text decides what is printed, in a fixed order. */
function* sources(folder: string): Generator<string> {
  const entries = readdirSync(folder, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1));
  for (const entry of entries) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* sources(path);
    else if (/\.[jt]s$/.test(entry.name) && !entry.name.endsWith('.d.ts')) yield path;
  }
}

/** Hash of everything the printed interpreter depends on: this package, the builder, the memory map and the engine. */
function contentHash(): string {
  const hash = createHash('sha256').update(process.versions.v8);
  const here = dirname(import.meta.dirname);
  const builder = dirname(fileURLToPath(import.meta.resolve('@sterna/wasm')));
  const core = dirname(fileURLToPath(import.meta.resolve('@sterna/core')));
  for (const folder of [here, builder])
    for (const path of sources(folder)) hash.update(path.slice(folder.length)).update(readFileSync(path));
  for (const path of sources(join(core, 'memory'))) if (/layout\.[jt]s$/.test(path)) hash.update(readFileSync(path));
  return hash.digest('hex').slice(0, 16);
}

/** `node_modules/.cache/sterna` of the nearest enclosing project that has node_modules, or undefined. */
function cacheFolder(): string | undefined {
  for (let folder = import.meta.dirname; ; folder = dirname(folder)) {
    const modules = join(folder, 'node_modules');
    if (existsSync(modules)) return join(modules, '.cache', 'sterna');
    if (folder === dirname(folder)) return undefined;
  }
}

/**
 * Makes the interpreter module ready: takes it from the cache, or prints it (about half a second) and writes it there for
 * the next process. Call it once before the first CPU is created; a cache that cannot be read or written is no error.
 */
export function prepareInterpreter(): void {
  const folder = cacheFolder();
  if (folder === undefined) {
    interpreterBytes();
    return;
  }
  const path = join(folder, `interpreter-${contentHash()}.wasm`);
  try {
    provideInterpreter(new Uint8Array(readFileSync(path)));
    return;
  } catch {
    // not there yet
  }
  const bytes = interpreterBytes();
  try {
    mkdirSync(folder, { recursive: true });
    const temporary = `${path}.${process.pid}`;
    writeFileSync(temporary, bytes);
    renameSync(temporary, path);
  } catch {
    // a read-only installation prints it every time
  }
}
