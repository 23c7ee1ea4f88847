import { appendFileSync, writeFileSync } from 'node:fs';
import { SternaError } from '../errors.ts';
import type { HostFiles } from '../machine/services.ts';

/** Files of the host. Errors are `SternaError`s with code `STERNA_ERR_HOST_IO`. */
export const nodeHostFiles: HostFiles = {
  write: (path, bytes) => attempt('write', path, () => writeFileSync(path, bytes)),
  append: (path, bytes) => attempt('append to', path, () => appendFileSync(path, bytes)),
};

function attempt(what: string, path: string, action: () => void): void {
  try {
    action();
  } catch (cause) {
    throw new SternaError('STERNA_ERR_HOST_IO', `cannot ${what} ${path}: ${(cause as Error).message}`, { cause });
  }
}
