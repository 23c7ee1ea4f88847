import { execFile } from 'node:child_process';
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { SternaError } from '@sterna/core';
import { cacheDirectory, writeFileAtomic } from './cache.ts';

const run = promisify(execFile);

/** A Debian package unpacked in the cache. Nothing is installed and no dependency is followed. */
export interface UnpackedPackage {
  readonly name: string;
  readonly version: string;
  /** The `Depends` field as written in the package, or an empty text. */
  readonly depends: string;
  /** Directory that holds the package's files, laid out as they would be below `/`. */
  readonly root: string;
}

/** Options of {@link fetchDebianPackage}. */
export interface FetchOptions {
  /** Ask apt even if the cache has the package, and replace it. */
  readonly refresh?: boolean;
  /** Receives one line for each step that takes time. */
  readonly log?: (line: string) => void;
}

/** Whether this system has the tools to fetch Debian packages: `apt-get` and `dpkg-deb`. */
export function hasApt(): boolean {
  return onPath('apt-get') && onPath('dpkg-deb');
}

/**
 * Fetches a package of Debian (amd64) by name with apt, whose signature checks apply, and unpacks it into the cache.
 * A package already there is returned at once, without asking the network.
 *
 * The system's own package lists are tried first. Where they are missing or out of date, lists of our own are kept in
 * the cache: the system is never changed, and root is not needed.
 *
 * @throws SternaError `STERNA_ERR_PACKAGE_SOURCE` without apt; `STERNA_ERR_PACKAGE_FETCH` with apt's reason
 */
export async function fetchDebianPackage(name: string, options: FetchOptions = {}): Promise<UnpackedPackage> {
  if (!/^[a-z0-9][a-z0-9+.-]+$/.test(name))
    throw new SternaError('STERNA_ERR_PACKAGE_FETCH', `${JSON.stringify(name)} is not a Debian package name`);
  const packages = join(cacheDirectory(), 'packages');
  const root = join(packages, name);
  const known = readRecord(root);
  if (known !== undefined && options.refresh !== true) return known;
  if (!hasApt())
    throw new SternaError(
      'STERNA_ERR_PACKAGE_SOURCE',
      `package ${name} is needed, and this system has no apt-get and dpkg-deb to fetch it with; ` +
        'use a Debian system, or name the files yourself',
    );

  mkdirSync(packages, { recursive: true });
  const work = mkdtempSync(join(packages, '.fetch-'));
  try {
    options.log?.(`fetching Debian package ${name}`);
    const archive = await download(name, work, options);
    const tree = join(work, 'tree');
    await dpkgDeb(name, ['-x', archive, tree]);
    const fields = await dpkgDeb(name, ['-f', archive, 'Version', 'Depends']);
    const record: UnpackedPackage = {
      name,
      version: /^Version: (.*)$/m.exec(fields)?.[1] ?? '',
      depends: /^Depends: (.*)$/m.exec(fields)?.[1] ?? '',
      root,
    };
    replaceTree(tree, root, join(work, 'old'), options.refresh === true);
    // The record is written last: a tree without one is not taken for a package.
    writeFileAtomic(`${root}.json`, `${JSON.stringify({ name, version: record.version, depends: record.depends })}\n`);
    return record;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function readRecord(root: string): UnpackedPackage | undefined {
  if (!existsSync(`${root}.json`) || !existsSync(root)) return undefined;
  return { ...(JSON.parse(readFileSync(`${root}.json`, 'utf8')) as Omit<UnpackedPackage, 'root'>), root };
}

/** Another process may have unpacked the same package meanwhile; its tree is as good as ours. */
function replaceTree(tree: string, root: string, old: string, refresh: boolean): void {
  if (existsSync(root) && (refresh || !existsSync(`${root}.json`))) renameSync(root, old);
  try {
    renameSync(tree, root);
  } catch (error) {
    if (!existsSync(root)) throw error;
  }
}

async function download(name: string, directory: string, options: FetchOptions): Promise<string> {
  // On another architecture the system's lists do not hold amd64 packages.
  let failure = process.arch === 'x64' ? await apt(['download', name], directory) : 'not an amd64 system';
  if (failure !== undefined && hasPrivateLists()) failure = await apt([...privateLists(), 'download', name], directory);
  if (failure !== undefined) {
    options.log?.('updating package lists');
    // Without this mode a source that cannot be reached is only a warning, and the reason would be lost.
    const updateFailure = await apt([...privateLists(), '-o', 'APT::Update::Error-Mode=any', 'update'], directory);
    failure = await apt([...privateLists(), 'download', name], directory);
    if (failure !== undefined && updateFailure !== undefined) failure = updateFailure;
  }
  const archive = readdirSync(directory).find((file) => file.endsWith('.deb'));
  if (failure === undefined && archive !== undefined) return join(directory, archive);
  throw new SternaError('STERNA_ERR_PACKAGE_FETCH', `package ${name}: ${explain(failure ?? 'apt-get left no file')}`);
}

/** Runs apt-get; returns the reason of a failure. */
async function apt(args: readonly string[], cwd: string): Promise<string | undefined> {
  const settings = ['-q', '-y', '-o', 'Acquire::Retries=2', '-o', 'Acquire::http::Timeout=30'];
  try {
    await run('apt-get', [...settings, ...args], { cwd, env: { ...process.env, LC_ALL: 'C' }, maxBuffer: 1 << 24 });
    return undefined;
  } catch (error) {
    return reasonOf(error);
  }
}

function hasPrivateLists(): boolean {
  const lists = join(cacheDirectory(), 'apt', 'lists');
  return existsSync(lists) && readdirSync(lists).some((file) => /_Packages(\.|$)/.test(file));
}

function privateLists(): string[] {
  const base = join(cacheDirectory(), 'apt');
  for (const directory of ['lists/partial', 'cache/archives/partial'])
    mkdirSync(join(base, directory), { recursive: true });
  const settings = [
    `Dir::State::lists=${join(base, 'lists')}`,
    `Dir::Cache=${join(base, 'cache')}`,
    'APT::Architecture=amd64',
    'APT::Update::Post-Invoke::=',
    // apt's unprivileged user can seldom write below a cache in somebody's home.
    ...(process.getuid?.() === 0 ? ['APT::Sandbox::User=root'] : []),
  ];
  return settings.flatMap((setting) => ['-o', setting]);
}

async function dpkgDeb(name: string, args: readonly string[]): Promise<string> {
  try {
    return (await run('dpkg-deb', [...args], { maxBuffer: 1 << 24 })).stdout;
  } catch (error) {
    throw new SternaError('STERNA_ERR_PACKAGE_FETCH', `package ${name}: dpkg-deb: ${reasonOf(error)}`, {
      cause: error,
    });
  }
}

function reasonOf(error: unknown): string {
  const { stderr = '', message = '' } = error as { stderr?: string; message?: string };
  const lines = stderr.split('\n').filter((line) => /^(E|Err|W)[: ]|error:/.test(line));
  return (lines.length > 0 ? lines : [stderr.trim() || message]).slice(0, 4).join('; ');
}

function explain(reason: string): string {
  if (/resolv|connect|unreachable|timed out/i.test(reason)) return `no network: ${reason}`;
  if (/Unable to locate package/i.test(reason))
    return `this system's apt sources do not have it (not Debian?): ${reason}`;
  return reason;
}

function onPath(program: string): boolean {
  return (process.env['PATH'] ?? '').split(delimiter).some((directory) => {
    try {
      accessSync(join(directory, program), constants.X_OK);
      return directory !== '';
    } catch {
      return false;
    }
  });
}
