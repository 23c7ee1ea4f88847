import { existsSync, readFileSync, statSync } from 'node:fs';
import { isAbsolute, join, resolve } from 'node:path';
import { ConfigError, type Plugin } from '@sterna/core';
import { importFrom, loadPlugin } from '@sterna/core/node';
import type { ConformanceOptions } from '@sterna/testkit';

/** What of a package.json is looked at. */
export interface PluginManifest {
  readonly name?: string;
  readonly version?: string;
  readonly description?: string;
  readonly license?: string;
  readonly keywords?: readonly string[];
  readonly peerDependencies?: Readonly<Record<string, string>>;
  /** Sterna's own part. */
  readonly sterna?: {
    /** Module whose default export has conformance options by device name. */
    readonly conformance?: string;
  };
}

/** A plugin that is loaded, and where it came from. */
export interface LoadedPlugin {
  readonly spec: string;
  readonly plugin: Plugin;
  /** Folder with the package.json; undefined for a single file or an installed package. */
  readonly folder: string | undefined;
  readonly manifest: PluginManifest;
  /** Options of the conformance kit, by device name. */
  readonly options: Readonly<Record<string, ConformanceOptions>>;
}

/**
 * Loads a plugin: a folder with a package.json (its sources, where they are), a file, or an installed package.
 *
 * @throws ConfigError `STERNA_ERR_PLUGIN_LOAD` or `STERNA_ERR_PLUGIN_VERSION`
 */
export async function loadPluginFolder(spec: string, cwd: string = process.cwd()): Promise<LoadedPlugin> {
  const path = isAbsolute(spec) ? spec : resolve(cwd, spec);
  const folder = existsSync(join(path, 'package.json')) && statSync(path).isDirectory() ? path : undefined;
  if (folder === undefined)
    return { spec, plugin: await loadPlugin(spec, cwd), folder: undefined, manifest: {}, options: {} };
  const manifest = readManifest(folder);
  const plugin = await loadPlugin(entryOf(folder, manifest, spec), folder);
  const given = manifest.sterna?.conformance;
  const options = given === undefined ? {} : ((await importFrom(resolve(folder, given), folder))['default'] ?? {});
  // The kit says what is wrong with options of another shape.
  return { spec, plugin, folder, manifest, options: options as LoadedPlugin['options'] };
}

function readManifest(folder: string): PluginManifest {
  const path = join(folder, 'package.json');
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as PluginManifest;
  } catch (cause) {
    throw new ConfigError('STERNA_ERR_PLUGIN_LOAD', `${path}: ${(cause as Error).message}`, { cause });
  }
}

/** The sources where they are, since nothing has to be built to try them; else what was built. */
function entryOf(folder: string, manifest: PluginManifest, spec: string): string {
  for (const file of ['src/index.ts', 'index.ts', 'dist/index.js', 'index.js'])
    if (existsSync(join(folder, file))) return join(folder, file);
  throw new ConfigError(
    'STERNA_ERR_PLUGIN_LOAD',
    `${spec}: ${manifest.name ?? 'the package'} has no src/index.ts and no dist/index.js`,
  );
}
