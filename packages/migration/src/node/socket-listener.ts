import type net from 'node:net';
import { type TlsError, TransportError } from '../errors.ts';
import type {
  IncomingConnection,
  ListeningAddress,
  MigrationChannel,
  MigrationListener,
} from '../transport/channel.ts';
import { formatMigrationAddress, type MigrationAddress } from '../transport/uri.ts';
import { PlainConnection, SecuredConnection } from './incoming-connection.ts';
import { InputThreads } from './multifd-input.ts';
import type { TlsAcceptor } from './tls-server.ts';

/** A listening socket whose connections are taken one by one. */
export class SocketListener implements MigrationListener {
  readonly uri: string;
  readonly address: ListeningAddress | undefined;
  readonly #server: net.Server;
  readonly #threads: InputThreads;
  readonly #arrived: IncomingConnection[] = [];
  #error: Error | undefined;
  #wake: () => void = () => {};

  /** @param multifd - How many channels are expected beside the main one. */
  constructor(server: net.Server, address: MigrationAddress, tls: TlsAcceptor | undefined, multifd: number) {
    this.#server = server;
    this.#threads = new InputThreads(tls === undefined ? multifd : 0);
    const bound = server.address();
    this.uri =
      'type' in address && address.type === 'inet' && bound !== null && typeof bound === 'object'
        ? formatMigrationAddress({ ...address, port: bound.port })
        : formatMigrationAddress(address);
    this.address = listeningAddress(bound);
    server.on('error', (error) => this.#end(error));
    server.on('connection', (socket) => {
      // Until somebody uses it; an early error is found by the first read.
      socket.on('error', () => {});
      if (tls === undefined) this.#add(new PlainConnection(this.uri, socket, this.#threads));
      else
        tls.secure(this.uri, socket).then(
          (secured) => this.#add(new SecuredConnection(this.uri, secured)),
          (error: TlsError) => tls.refused(error),
        );
    });
  }

  async accept(): Promise<MigrationChannel> {
    return (await this.next()).main();
  }

  async next(): Promise<IncomingConnection> {
    for (;;) {
      const next = this.#arrived.shift();
      if (next !== undefined) return next;
      if (this.#error !== undefined) throw this.#error;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** Whoever comes later, or was not taken, is no part of the migration. */
  async close(): Promise<void> {
    this.#end(new TransportError(`${this.uri} was closed`));
    this.#server.close();
    this.#threads[Symbol.dispose]();
    for (const connection of this.#arrived.splice(0)) connection.drop();
  }

  #add(connection: IncomingConnection): void {
    if (this.#error !== undefined) connection.drop();
    else this.#arrived.push(connection);
    this.#wake();
  }

  #end(error: Error): void {
    this.#error ??= error;
    this.#wake();
  }
}

function listeningAddress(bound: ReturnType<net.Server['address']>): ListeningAddress | undefined {
  if (bound === null) return undefined;
  if (typeof bound === 'string') return { type: 'unix', path: bound };
  const { address, port, family } = bound;
  return {
    type: 'inet',
    host: address,
    port: String(port),
    ...(family === 'IPv6' ? { ipv6: true as const } : { ipv4: true as const }),
  };
}
