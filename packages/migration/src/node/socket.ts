import { lstat, unlink } from 'node:fs/promises';
import net from 'node:net';
import { TransportError } from '../errors.ts';
import type { MigrationListener } from '../transport/channel.ts';
import { formatMigrationAddress, type MigrationAddress } from '../transport/uri.ts';
import { SocketListener } from './socket-listener.ts';
import type { TlsAcceptor } from './tls-server.ts';

/** An internet or unix socket address. */
export type SocketAddress = Extract<MigrationAddress, { type: 'inet' | 'unix' }>;

/**
 * Listens for connections; with `tls` for those that can be secured, while others are refused. A stale socket file is
 * replaced.
 *
 * @param connections - How many belong to one migration.
 * @throws TransportError
 */
export async function listenSocket(
  address: SocketAddress,
  tls?: TlsAcceptor,
  connections = 1,
): Promise<MigrationListener> {
  if (address.type === 'unix') await removeStaleSocket(address.path);
  const server = net.createServer({ allowHalfOpen: true, pauseOnConnect: true });
  const options = address.type === 'unix' ? { path: address.path } : inetOptions(address);
  return listening(server, { ...options, backlog: connections }, address, tls);
}

/** Listens on a socket that was inherited, e.g. from a service manager. */
export function listenDescriptor(fd: number): Promise<MigrationListener> {
  const address: MigrationAddress = { transport: 'socket', type: 'fd', str: String(fd) };
  return listening(net.createServer({ allowHalfOpen: true, pauseOnConnect: true }), { fd, backlog: 1 }, address);
}

function inetOptions({ host, port }: Extract<MigrationAddress, { type: 'inet' }>): net.ListenOptions {
  return host === '' ? { port } : { host, port };
}

function listening(
  server: net.Server,
  options: net.ListenOptions & { fd?: number },
  address: MigrationAddress,
  tls?: TlsAcceptor,
): Promise<MigrationListener> {
  const name = formatMigrationAddress(address);
  return new Promise((resolve, reject) => {
    const failed = (error: Error) =>
      reject(new TransportError(`cannot listen at ${name}: ${error.message}`, { cause: error }));
    server.once('error', failed);
    server.listen(options, () => {
      server.removeListener('error', failed);
      resolve(new SocketListener(server, address, tls, (options.backlog ?? 1) - 1));
    });
  });
}

async function removeStaleSocket(path: string): Promise<void> {
  const found = await lstat(path).catch(() => undefined);
  if (found?.isSocket()) await unlink(path).catch(() => {});
}
