import { existsSync, lstatSync, unlinkSync } from 'node:fs';
import { connect, type ListenOptions, type NetConnectOpts, type Server, Socket } from 'node:net';
import { dirname } from 'node:path';
import type { ChardevSpec } from '../../chardev/chardev-spec.ts';
import { SternaError } from '../../errors.ts';

/** The socket kinds of a character backend. */
export type SocketSpec = Extract<ChardevSpec, { readonly kind: 'unix' | 'tcp' | 'fd' }>;

/** Text of an address for messages, in the form the user writes it. */
export function describeSocket(spec: SocketSpec): string {
  switch (spec.kind) {
    case 'unix':
      return `unix:${spec.path}`;
    case 'tcp':
      return `tcp:${spec.host.includes(':') ? `[${spec.host}]` : spec.host}:${spec.port}`;
    case 'fd':
      return `fd:${spec.fd}`;
  }
}

/** Starts a connection; the result emits `connect` or `error`. An inherited descriptor is connected already. */
export function connectSocket(spec: SocketSpec): Socket {
  if (spec.kind === 'fd') return new Socket({ fd: spec.fd, readable: true, writable: true });
  const options: NetConnectOpts =
    spec.kind === 'unix' ? { path: spec.path } : { host: spec.host || '127.0.0.1', port: spec.port, noDelay: true };
  return connect(options);
}

/**
 * Listens at the address. A unix socket file left behind by an earlier process is replaced, as QEMU does.
 *
 * @throws SternaError `STERNA_ERR_CHARDEV` when the address cannot be used.
 */
export function listenSocket(server: Server, spec: SocketSpec): Promise<void> {
  const where = describeSocket(spec);
  return new Promise((resolve, reject) => {
    server.once('listening', resolve);
    server.once('error', (cause) => {
      // The host answers EACCES for a missing directory too.
      const missing = spec.kind === 'unix' && !existsSync(dirname(spec.path));
      const reason = missing ? 'there is no such directory' : cause.message;
      reject(new SternaError('STERNA_ERR_CHARDEV', `cannot listen at ${where}: ${reason}`, { cause }));
    });
    if (spec.kind === 'unix') removeStaleSocket(spec.path);
    server.listen(listenOptions(spec));
  });
}

function listenOptions(spec: SocketSpec): ListenOptions & { fd?: number } {
  // QEMU listens with a backlog of one; clients beyond the first wait their turn either way.
  switch (spec.kind) {
    case 'unix':
      return { path: spec.path, backlog: 8 };
    case 'tcp':
      return { port: spec.port, backlog: 8, ...(spec.host === '' ? {} : { host: spec.host }) };
    case 'fd':
      return { fd: spec.fd };
  }
}

/** Removes the file of a unix socket, and nothing that is another kind of file. */
export function removeStaleSocket(path: string): void {
  try {
    if (lstatSync(path).isSocket()) unlinkSync(path);
  } catch {
    // Not there, or not ours to remove: listening says what is wrong.
  }
}
