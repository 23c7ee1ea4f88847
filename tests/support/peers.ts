import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { hasApt } from '@sterna/guests/node';

/** The project's root. */
export const ROOT: string = join(import.meta.dirname, '../..');
/** Material beside the project: golden streams, oracle tools. */
export const SHARED: string = join(ROOT, '../shared');

const CI = process.env['CI'] !== undefined && process.env['CI'] !== '';

/** Whether a program answers to `--version` or is on the path. */
export function hasProgram(name: string): boolean {
  return spawnSync('sh', ['-c', `command -v ${name}`]).status === 0;
}

/**
 * Reasons why a test cannot run here; empty when it can. With CI set nothing may be missing, so the test runs and fails.
 */
export function missing(needs: {
  readonly apt?: boolean;
  readonly shared?: boolean;
  readonly programs?: readonly string[];
}): string {
  if (CI) return '';
  const reasons: string[] = [];
  if (needs.apt === true && !hasApt()) reasons.push('no apt to fetch a Debian kernel with');
  if (needs.shared === true && !existsSync(SHARED)) reasons.push('../shared is not there');
  for (const program of needs.programs ?? []) if (!hasProgram(program)) reasons.push(`${program} is not installed`);
  return reasons.join('; ');
}
