import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';

/** A program that is not ours: its official place and the version our lists were made for. */
export interface Source {
  readonly url: string;
  readonly commit: string;
  readonly folder: string;
}

/**
 * Brings the sources of a suite to its folder with git. Nothing is built: how to build it, its own README says.
 *
 * @throws Error with git's words when the version cannot be had.
 */
export function fetchSource({ url, commit, folder }: Source): void {
  if (existsSync(folder)) return;
  mkdirSync(folder, { recursive: true });
  const git = (...args: string[]): void => {
    const { status, stderr } = spawnSync('git', ['-C', folder, ...args], { encoding: 'utf8' });
    if (status !== 0) throw new Error(`git ${args.join(' ')}: ${stderr.trim()}`);
  };
  git('init', '--quiet');
  git('fetch', '--quiet', '--depth', '1', url, commit);
  git('checkout', '--quiet', 'FETCH_HEAD');
}
