import { closeSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import type { CharBackend, CharFrontend } from '../../chardev/char-backend.ts';
import { InputQueue } from '../../chardev/input-queue.ts';
import { SternaError } from '../../errors.ts';
import { DescriptorReceiver } from './descriptor-receiver.ts';
import { connectSocket, describeSocket, listenSocket, type SocketSpec } from './socket-address.ts';

/** Bytes the socket may keep unsent before the frontend has to wait. */
const HIGH_WATER = 64 * 1024;

/**
 * A character backend over a unix or tcp socket, as client or server. One peer is served at a time; further clients of
 * a server wait until the one before is gone. Without a peer the guest's bytes are dropped, like on an open cable.
 */
export class SocketBackend implements CharBackend {
  readonly id: string;
  readonly #spec: SocketSpec;
  readonly #input: InputQueue;
  #server: Server | undefined;
  #peer: Socket | undefined;
  /** How the peer is read, once somebody wants its bytes. */
  #reader: { pause(): void; resume(): void; close(): void } | undefined;
  readonly #waitingPeers: Socket[] = [];
  #writable: (() => void)[] = [];
  #retry: NodeJS.Timeout | undefined;
  #firstPeer: (() => void) | undefined;
  #closed = false;

  private constructor(id: string, spec: SocketSpec) {
    this.id = id;
    this.#spec = spec;
    this.#input = new InputQueue(() => this.#reader?.resume());
  }

  /**
   * Connects or listens. A server with `wait` resolves when its first client has come; a client with `reconnect`
   * resolves at once and keeps trying.
   *
   * @throws SternaError `STERNA_ERR_CHARDEV` with the address and the host's reason.
   */
  static async open(id: string, spec: SocketSpec, onWait: (where: string) => void = () => {}): Promise<SocketBackend> {
    const backend = new SocketBackend(id, spec);
    if (!spec.server) {
      if (spec.reconnectMs > 0) backend.#connectAgain(0);
      else backend.#take(await connected(connectSocket(spec), id, spec));
      return backend;
    }
    const first = new Promise<void>((resolve) => {
      backend.#firstPeer = resolve;
    });
    await backend.#listen();
    if (spec.wait) {
      onWait(describeSocket(spec));
      await first;
    }
    return backend;
  }

  /** A backend for a connection that somebody else has accepted; it ends with it. */
  static adopt(id: string, socket: Socket): SocketBackend {
    const backend = new SocketBackend(id, { kind: 'fd', fd: -1, server: false, wait: false, reconnectMs: 0 });
    backend.#take(socket);
    return backend;
  }

  get connected(): boolean {
    return this.#peer !== undefined;
  }

  /** Port a tcp server listens at, for a server at port 0. */
  get listeningPort(): number | undefined {
    const address = this.#server?.address();
    return typeof address === 'object' && address !== null ? address.port : undefined;
  }

  attach(frontend: CharFrontend | undefined): void {
    this.#input.attach(frontend);
    if (frontend === undefined || this.#peer === undefined) return;
    frontend.event?.('opened');
    if (this.#input.empty) this.#read(this.#peer, frontend);
  }

  write(bytes: Uint8Array): number {
    const peer = this.#peer;
    if (peer === undefined) return bytes.length;
    const taken = Math.min(bytes.length, HIGH_WATER - peer.writableLength);
    if (taken <= 0) return 0;
    peer.write(bytes.slice(0, taken));
    return taken;
  }

  onWritable(callback: () => void): void {
    if (this.#peer === undefined || this.#peer.writableLength < HIGH_WATER / 2) queueMicrotask(callback);
    else this.#writable.push(callback);
  }

  acceptInput(): void {
    this.#input.deliver();
  }

  /** Breaks the connection with the peer at once, whoever waits for it. A server takes the next one. */
  yank(): void {
    this.#peer?.destroy();
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#retry);
    for (const waiting of this.#waitingPeers.splice(0)) waiting.destroy();
    const peer = this.#peer;
    const server = this.#server;
    // Closing a server also removes its unix socket file.
    const ended = server === undefined ? undefined : new Promise<void>((resolve) => server.close(() => resolve()));
    if (peer !== undefined) await flushed(peer);
    await ended;
  }

  async #listen(): Promise<void> {
    // A second client stays unread until it is its turn.
    const server = createServer({ pauseOnConnect: true, noDelay: true }, (peer) => {
      if (this.#peer === undefined) this.#take(peer);
      else this.#queue(peer);
    });
    this.#server = server;
    await listenSocket(server, this.#spec);
    server.on('error', () => {});
  }

  #queue(peer: Socket): void {
    peer.on('error', () => peer.destroy());
    this.#waitingPeers.push(peer);
  }

  #take(peer: Socket): void {
    this.#peer = peer;
    peer.pause();
    peer.on('drain', () => {
      for (const callback of this.#writable.splice(0)) callback();
    });
    peer.on('error', () => peer.destroy());
    peer.on('close', () => this.#lost(peer));
    this.#firstPeer?.();
    this.#firstPeer = undefined;
    const { frontend } = this.#input;
    frontend?.event?.('opened');
    if (frontend !== undefined) this.#read(peer, frontend);
  }

  /** Reads on. How a peer is read is decided by the first frontend that wants its bytes. */
  #read(peer: Socket, frontend: CharFrontend): void {
    this.#reader ??= this.#descriptorReader(peer, frontend) ?? this.#plainReader(peer);
    this.#reader.resume();
  }

  #plainReader(peer: Socket) {
    peer.on('data', (chunk: Buffer) => {
      if (!this.#input.push(chunk)) peer.pause();
    });
    return { pause: () => peer.pause(), resume: () => peer.resume(), close: () => {} };
  }

  #descriptorReader(peer: Socket, frontend: CharFrontend): DescriptorReceiver | undefined {
    if (frontend.descriptors === undefined || peer.remoteFamily !== undefined) return undefined;
    const receiver = DescriptorReceiver.for(peer, {
      data: (bytes) => {
        if (!this.#input.push(bytes)) receiver?.pause();
      },
      descriptors: (fds) => {
        const taker = this.#input.frontend?.descriptors;
        if (taker === undefined) for (const fd of fds) closeSync(fd);
        else taker.call(this.#input.frontend, fds);
      },
      // Node's side finds the end too, after what is still to be written.
      end: () => {
        receiver?.close();
        peer.resume();
      },
    });
    return receiver;
  }

  #lost(peer: Socket): void {
    if (this.#peer !== peer) return;
    this.#peer = undefined;
    this.#reader?.close();
    this.#reader = undefined;
    this.#input.clear();
    this.#input.frontend?.event?.('closed');
    for (const callback of this.#writable.splice(0)) callback();
    if (this.#closed) return;
    const next = this.#waitingPeers.shift();
    if (next !== undefined) this.#take(next);
    else if (!this.#spec.server && this.#spec.reconnectMs > 0) this.#connectAgain(this.#spec.reconnectMs);
  }

  #connectAgain(delayMs: number): void {
    this.#retry = setTimeout(() => {
      const socket = connectSocket(this.#spec);
      socket.once('connect', () => (this.#closed ? socket.destroy() : this.#take(socket)));
      socket.once('error', () => {
        socket.destroy();
        if (!this.#closed && this.#peer === undefined) this.#connectAgain(this.#spec.reconnectMs);
      });
    }, delayMs);
  }
}

function connected(socket: Socket, id: string, spec: SocketSpec): Promise<Socket> {
  if (spec.kind === 'fd') return Promise.resolve(socket);
  return new Promise((resolve, reject) => {
    const fail = (cause: Error) => {
      reject(
        new SternaError(
          'STERNA_ERR_CHARDEV',
          `chardev ${id}: cannot connect to ${describeSocket(spec)}: ${cause.message}`,
          { cause },
        ),
      );
    };
    socket.once('error', fail);
    socket.once('connect', () => {
      socket.off('error', fail);
      resolve(socket);
    });
  });
}

/** Ends a connection after what was written, but waits no longer than a moment for a peer that does not read. */
function flushed(peer: Socket): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => peer.destroy(), 500);
    peer.once('close', () => {
      clearTimeout(timer);
      resolve();
    });
    // Unread bytes at the end would reset the connection and with it what we wrote last.
    peer.resume();
    peer.end(() => setImmediate(() => peer.destroy()));
  });
}
