/** State tables of a plugin against those that were published last. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ConfigError, type DeviceType, isVmStateTable, SternaError, type VmStateTable } from '@sterna/core';
import {
  type DumpedTable,
  diffVmState,
  dumpVmState,
  parseVmStateDump,
  type VmStateDiff,
  type VmStateDump,
  type VmStateSemver,
  vmStateDumpText,
} from '@sterna/migration';
import { DeviceHarness } from '@sterna/testkit';
import type { LoadedPlugin } from './plugin-folder.ts';

/** File beside package.json with the tables that were published last. */
export const TABLES_FILE = 'vmstate.json';

/** The tables of all devices that can be made on the bench. */
export async function pluginTables({ plugin, manifest, options }: LoadedPlugin): Promise<VmStateDump> {
  const tables = new Map<string, DumpedTable>();
  for (const type of plugin.devices) {
    const { name, vmstate } = type.descriptor;
    if (!isVmStateTable(vmstate)) continue;
    tables.set(name, { table: vmstate as VmStateTable<object>, ...(await stateOf(type, options[name])) });
  }
  return dumpVmState(`${manifest.name ?? plugin.name}@${manifest.version ?? '0.0.0'}`, tables);
}

/** A table may ask its device for lengths; one that cannot be made here is dumped without. */
async function stateOf(type: DeviceType, options: LoadedPlugin['options'][string] = {}): Promise<{ device?: object }> {
  try {
    await using harness = new DeviceHarness(type, options);
    return { device: harness.device.state };
  } catch (error) {
    if (error instanceof ConfigError) return {};
    throw error;
  }
}

/** What became of the tables. */
export interface TablesVerdict {
  readonly diff: VmStateDiff;
  /** `name@version` that was published. */
  readonly published: string;
  /** The least version that may be published now. */
  readonly leastVersion: string;
  /** The version in package.json is at least that. */
  readonly enough: boolean;
}

/**
 * Compares with `vmstate.json`.
 *
 * @returns undefined when there is no such file: nothing was published
 */
export async function checkTables(loaded: LoadedPlugin): Promise<TablesVerdict | undefined> {
  const { folder, manifest } = loaded;
  const path = folder === undefined ? undefined : join(folder, TABLES_FILE);
  if (path === undefined || !existsSync(path)) return undefined;
  const published = parseVmStateDump(readFileSync(path, 'utf8'), TABLES_FILE);
  const now = await pluginTables(loaded);
  const diff = diffVmState(published, { ...now, vmschkmachine: published.vmschkmachine });
  const { Name: name } = published.vmschkmachine;
  const before = /@(\d+\.\d+\.\d+)$/.exec(name)?.[1] ?? '0.0.0';
  const leastVersion = diff.devices.length === 0 ? before : raised(before, diff.semver);
  return { diff, published: name, leastVersion, enough: compare(manifest.version ?? '0.0.0', leastVersion) >= 0 };
}

/** Below 1.0 a breaking change raises the second number and every other the third, as npm's ranges read them. */
function raised(version: string, semver: VmStateSemver): string {
  const [major = 0, minor = 0, patch = 0] = version.split('.').map(Number);
  if (major === 0) return semver === 'major' ? `0.${minor + 1}.0` : `0.${minor}.${patch + 1}`;
  if (semver === 'major') return `${major + 1}.0.0`;
  return semver === 'minor' ? `${major}.${minor + 1}.0` : `${major}.${minor}.${patch + 1}`;
}

function compare(a: string, b: string): number {
  const [x, y] = [a, b].map((version) => version.split(/[.+-]/).map(Number));
  for (let i = 0; i < 3; i++) if (x![i] !== y![i]) return (x![i] ?? 0) - (y![i] ?? 0);
  return 0;
}

/** Writes the tables as those that are published. @throws SternaError `STERNA_ERR_HOST_IO` */
export async function recordTables(loaded: LoadedPlugin): Promise<string> {
  if (loaded.folder === undefined)
    throw new ConfigError(
      'STERNA_ERR_OPTION_VALUE',
      `--record writes into a plugin's folder, which ${loaded.spec} is not`,
    );
  const path = join(loaded.folder, TABLES_FILE);
  try {
    writeFileSync(path, vmStateDumpText(await pluginTables(loaded)));
  } catch (cause) {
    throw new SternaError('STERNA_ERR_HOST_IO', `cannot write ${path}: ${(cause as Error).message}`, { cause });
  }
  return path;
}
