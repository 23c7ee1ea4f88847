import { lstat, unlink } from 'node:fs/promises';
import net from 'node:net';
import { type TlsError, TransportError, transportFailure } from '../errors.ts';
import type { MigrationChannel, MigrationListener } from '../transport/channel.ts';
import { formatMigrationAddress, type MigrationAddress } from '../transport/uri.ts';
import { SocketReader } from './socket-reader.ts';
import { StreamChannel } from './stream-channel.ts';
import type { TlsAcceptor } from './tls-server.ts';

/** An internet or unix socket address. */
export type SocketAddress = Extract<MigrationAddress, { type: 'inet' | 'unix' }>;

/** A channel over a connected socket. */
export function socketChannel(name: string, socket: net.Socket): MigrationChannel {
  socket.setNoDelay(true);
  return new StreamChannel({ name, readable: socket, writable: socket, failure: transportFailure });
}

/**
 * Listens for one connection; with `tls` for one that can be secured, while others are refused. A stale socket file is
 * replaced.
 *
 * @throws TransportError
 */
export async function listenSocket(address: SocketAddress, tls?: TlsAcceptor): Promise<MigrationListener> {
  if (address.type === 'unix') await removeStaleSocket(address.path);
  const server = net.createServer({ allowHalfOpen: true, pauseOnConnect: true });
  return listening(server, address.type === 'unix' ? { path: address.path } : inetOptions(address), address, tls);
}

/** Listens on a socket that was inherited, e.g. from a service manager. */
export function listenDescriptor(fd: number): Promise<MigrationListener> {
  const address: MigrationAddress = { transport: 'socket', type: 'fd', str: String(fd) };
  return listening(net.createServer({ allowHalfOpen: true, pauseOnConnect: true }), { fd }, address);
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
    server.listen({ ...options, backlog: 1 }, () => {
      server.removeListener('error', failed);
      resolve(new SocketListener(server, address, tls));
    });
  });
}

class SocketListener implements MigrationListener {
  readonly uri: string;
  readonly #accepted: Promise<net.Socket>;
  readonly #tls: TlsAcceptor | undefined;
  readonly #server: net.Server;
  #closed: (error: Error) => void = () => {};

  constructor(server: net.Server, address: MigrationAddress, tls: TlsAcceptor | undefined) {
    this.#server = server;
    this.#tls = tls;
    const bound = server.address();
    this.uri =
      'type' in address && address.type === 'inet' && bound !== null && typeof bound === 'object'
        ? formatMigrationAddress({ ...address, port: bound.port })
        : formatMigrationAddress(address);
    this.#accepted = new Promise((resolve, reject) => {
      this.#closed = reject;
      let found = false;
      const take = (socket: net.Socket) => {
        // One stream is expected; whoever comes later is not part of it.
        if (found) socket.destroy();
        else resolve(socket);
        found = true;
      };
      server.on('connection', (socket) => {
        // Until somebody accepts it; an early error is found by the first read.
        socket.on('error', () => {});
        if (tls === undefined || found) take(socket);
        else tls.secure(this.uri, socket).then(take, (error: TlsError) => tls.refused(error));
      });
      server.once('error', reject);
    });
    this.#accepted.catch(() => {});
  }
  async accept(): Promise<MigrationChannel> {
    const accepted = await this.#accepted;
    if (this.#tls !== undefined) return socketChannel(this.uri, accepted);
    const reader = new SocketReader(accepted);
    const { socket } = reader;
    socket.setNoDelay(true);
    return new StreamChannel({ name: this.uri, readable: socket, reader, writable: socket, failure: transportFailure });
  }
  async close(): Promise<void> {
    this.#closed(new TransportError(`${this.uri} was closed`));
    this.#server.close();
  }
}

async function removeStaleSocket(path: string): Promise<void> {
  const found = await lstat(path).catch(() => undefined);
  if (found?.isSocket()) await unlink(path).catch(() => {});
}
