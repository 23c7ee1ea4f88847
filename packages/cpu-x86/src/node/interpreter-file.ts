import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Files of a folder and its subfolders whose text decides what is printed, in a fixed order. */
function* sources(folder: string): Generator<string> {
  const entries = readdirSync(folder, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1));
  for (const entry of entries) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* sources(path);
    else if (/\.[jt]s$/.test(entry.name) && !entry.name.endsWith('.d.ts')) yield path;
  }
}

/** Hash of everything the printed interpreter depends on: this package, the builder and the memory map. */
function contentHash(): string {
  const hash = createHash('sha256');
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

/** Where a packed package has the interpreter that was printed from its own files. */
const shipped = dirname(import.meta.dirname);

function write(folder: string, name: string, bytes: Uint8Array): void {
  mkdirSync(folder, { recursive: true });
  const temporary = join(folder, `${name}.${process.pid}`);
  writeFileSync(temporary, bytes);
  renameSync(temporary, join(folder, name));
}

let name: string | undefined;
let bytes: Uint8Array<ArrayBuffer> | undefined;

function fileName(): string {
  name ??= `interpreter-${contentHash()}.wasm`;
  return name;
}

/** The interpreter as these sources print it, from the package or the cache; undefined when neither has it. */
export function readInterpreter(): Uint8Array<ArrayBuffer> | undefined {
  const cache = cacheFolder();
  for (const folder of cache === undefined ? [shipped] : [shipped, cache]) {
    try {
      bytes ??= new Uint8Array(readFileSync(join(folder, fileName())));
    } catch {
      // not there
    }
  }
  return bytes;
}

/** Writes it to the cache for the next process. */
export function cacheInterpreter(printed: Uint8Array): void {
  try {
    const cache = cacheFolder();
    if (cache !== undefined) write(cache, fileName(), printed);
  } catch {
    // a read-only installation without the file prints it every time
  }
}

/** Writes it beside the compiled files, for the tarball, and removes those of earlier builds. */
export function packInterpreter(printed: Uint8Array): void {
  for (const entry of readdirSync(shipped)) if (/^interpreter-.*\.wasm/.test(entry)) rmSync(join(shipped, entry));
  write(shipped, fileName(), printed);
}
