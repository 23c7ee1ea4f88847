import { lstatSync, mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SternaError } from '@sterna/core';

/**
 * The directory for sockets of this user: `$XDG_RUNTIME_DIR/sterna`, else `sterna-UID` among the temporary files.
 *
 * @throws SternaError `STERNA_ERR_HOST_IO` when it belongs to somebody else or others may use it.
 */
export function runtimeDirectory(environment: Readonly<Record<string, string | undefined>> = process.env): string {
  const base = environment['XDG_RUNTIME_DIR'];
  const uid = process.getuid?.() ?? 0;
  const path = base !== undefined && base !== '' ? join(base, 'sterna') : join(tmpdir(), `sterna-${uid}`);
  mkdirSync(path, { recursive: true, mode: 0o700 });
  const stat = lstatSync(path);
  if (!stat.isDirectory() || stat.uid !== uid || (stat.mode & 0o077) !== 0) {
    throw new SternaError(
      'STERNA_ERR_HOST_IO',
      `${path} must be a directory of this user that others cannot use (mode 0700)`,
    );
  }
  return path;
}

/** Path of the QMP socket that `sterna run` publishes for a machine. @throws SternaError for a name that is no file name. */
export function publishedSocket(name: string, environment?: Readonly<Record<string, string | undefined>>): string {
  if (!/^[\w.+-]{1,64}$/.test(name) || name.startsWith('.')) {
    throw new SternaError(
      'STERNA_ERR_OPTION_VALUE',
      `'${name}' cannot be a machine's name: up to 64 letters, digits, '-', '_', '+' and '.' are allowed`,
    );
  }
  return join(runtimeDirectory(environment), `${name}.qmp`);
}
