import { accessSync, constants, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * Directory for what is fetched or built once: `$STERNA_CACHE`; else `node_modules/.cache/sterna` of the workspace or
 * project this package is installed in; else `sterna` in the user's cache directory. Created on first use.
 */
export function cacheDirectory(): string {
  const chosen = process.env['STERNA_CACHE'];
  const directory = chosen !== undefined && chosen !== '' ? chosen : (projectCache() ?? userCache());
  mkdirSync(directory, { recursive: true });
  return directory;
}

/** Writes a file so that no reader ever sees a part of it, also when two processes write it at once. */
export function writeFileAtomic(path: string, data: Uint8Array | string): void {
  mkdirSync(dirname(path), { recursive: true });
  const partial = `${path}.${process.pid}.tmp`;
  writeFileSync(partial, data);
  renameSync(partial, path);
}

function userCache(): string {
  const base = process.env['XDG_CACHE_HOME'];
  return join(base !== undefined && base !== '' ? base : join(homedir(), '.cache'), 'sterna');
}

function projectCache(): string | undefined {
  const modules = installedIn() ?? workspaceModules();
  if (modules === undefined) return undefined;
  try {
    accessSync(modules, constants.W_OK);
  } catch {
    return undefined;
  }
  return join(modules, '.cache', 'sterna');
}

/** The `node_modules` that holds this package, when it runs as an installed dependency. */
function installedIn(): string | undefined {
  const parts = fileURLToPath(import.meta.url).split(sep);
  const at = parts.indexOf('node_modules');
  return at < 0 ? undefined : parts.slice(0, at + 1).join(sep);
}

/** The `node_modules` of the npm workspace around this file, when it runs from source. */
function workspaceModules(): string | undefined {
  let directory = dirname(fileURLToPath(import.meta.url));
  for (;;) {
    const manifest = join(directory, 'package.json');
    if (existsSync(manifest) && 'workspaces' in (JSON.parse(readFileSync(manifest, 'utf8')) as object)) {
      const modules = join(directory, 'node_modules');
      return existsSync(modules) ? modules : undefined;
    }
    const parent = dirname(directory);
    if (parent === directory) return undefined;
    directory = parent;
  }
}
