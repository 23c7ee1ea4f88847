import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { SternaError } from '@sterna/core';

/**
 * Writes the process id to a file. A file of a process that has ended is replaced.
 *
 * @returns Removes the file, unless somebody else has replaced it since.
 * @throws SternaError `STERNA_ERR_HOST_IO` when the process named in it still runs, or the file cannot be written.
 */
export function writePidfile(name: string): () => void {
  // The process may change its directory afterwards.
  const path = resolve(name);
  const other = readPid(path);
  if (other !== undefined && other !== process.pid && isRunning(other)) {
    throw new SternaError(
      'STERNA_ERR_HOST_IO',
      `cannot create pid file ${name}: process ${other}, named in it, is running`,
    );
  }
  try {
    writeFileSync(path, `${process.pid}\n`);
  } catch (cause) {
    throw new SternaError('STERNA_ERR_HOST_IO', `cannot create pid file ${name}: ${(cause as Error).message}`, {
      cause,
    });
  }
  return () => {
    if (readPid(path) === process.pid) rmSync(path, { force: true });
  };
}

function readPid(path: string): number | undefined {
  try {
    const pid = Number(readFileSync(path, 'utf8').trim());
    return Number.isInteger(pid) && pid > 0 ? pid : undefined;
  } catch {
    return undefined;
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
