import type net from 'node:net';
import type { TLSSocket } from 'node:tls';
import { transportFailure } from '../errors.ts';
import type { MultifdInput } from '../multifd/incoming.ts';
import { InlineInput } from '../multifd/inline-input.ts';
import type { IncomingConnection, MigrationChannel } from '../transport/channel.ts';
import { duplicate } from './duplicate.ts';
import { nodeCodecs } from './multifd-codecs.ts';
import { type InputThreads, ThreadInputChannel } from './multifd-input.ts';
import { SecuredReader } from './secured-reader.ts';
import { SocketReader } from './socket-reader.ts';
import { StreamChannel } from './stream-channel.ts';

const MAGIC_SIZE = 4;

/** A channel over a connected socket. */
export function socketChannel(name: string, socket: net.Socket): MigrationChannel {
  socket.setNoDelay(true);
  return new StreamChannel({ name, readable: socket, writable: socket, failure: transportFailure });
}

/** A channel over a socket that was secured. */
export function securedChannel(name: string, socket: TLSSocket): MigrationChannel {
  socket.setNoDelay(true);
  const reader = new SecuredReader(socket);
  return new StreamChannel({ name, readable: socket, reader, writable: socket, failure: transportFailure });
}

/** An accepted socket of a server with `pauseOnConnect`. */
export class PlainConnection implements IncomingConnection {
  readonly #name: string;
  /** Owns the connection. */
  #socket: net.Socket;
  readonly #threads: InputThreads;
  /** What was looked at, and is still to be read. */
  #seen: Uint8Array | undefined;

  constructor(name: string, socket: net.Socket, threads: InputThreads) {
    this.#name = name;
    this.#socket = socket;
    this.#threads = threads;
  }

  async magic(): Promise<number | undefined> {
    // Hardly more than is looked at: whoever uses the connection reads it his own way.
    const look = this.#channel(MAGIC_SIZE);
    let seen = Buffer.alloc(0);
    while (seen.length < MAGIC_SIZE) {
      const some = await look.read().catch(() => undefined);
      if (some === undefined) return undefined;
      seen = Buffer.concat([seen, some]);
    }
    this.#seen = seen;
    return seen.readUInt32BE();
  }

  main(): MigrationChannel {
    return this.#channel();
  }

  multifd(): MultifdInput {
    const fd = duplicate((this.#socket as unknown as { readonly _handle: { readonly fd: number } })._handle.fd);
    if (fd === undefined) return new InlineInput(this.#channel(), nodeCodecs);
    // The thread closes its own descriptor; this one is of no use any more.
    this.drop();
    const taken = this.#seen ?? new Uint8Array();
    return new ThreadInputChannel(this.#threads.take(), { name: this.#name, fd, taken });
  }

  drop(): void {
    this.#socket.destroy();
  }

  #channel(size?: number): MigrationChannel {
    const reader = new SocketReader(this.#socket, this.#seen, size);
    this.#seen = undefined;
    const { socket } = reader;
    this.#socket = socket;
    socket.setNoDelay(true);
    return new StreamChannel({
      name: this.#name,
      readable: socket,
      reader,
      writable: socket,
      failure: transportFailure,
    });
  }
}

/** A connection that was secured on the machine's loop; it cannot be handed to a thread any more. */
export class SecuredConnection implements IncomingConnection {
  readonly #name: string;
  readonly #socket: TLSSocket;

  constructor(name: string, socket: TLSSocket) {
    this.#name = name;
    this.#socket = socket;
  }

  main(): MigrationChannel {
    return securedChannel(this.#name, this.#socket);
  }
  multifd(): MultifdInput {
    return new InlineInput(this.main(), nodeCodecs);
  }
  drop(): void {
    this.#socket.destroy();
  }
}
