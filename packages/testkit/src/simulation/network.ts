/**
 * A simulated network: listeners, connections of two directions each, and every
 * way in which they break.
 *
 * A connection behaves as TCP does. A write is done when its bytes are in the
 * buffers between the two ends, which says nothing about their arrival; when
 * these are full, writers wait. Each direction has a delay and a speed of its
 * own, so several connections between two machines overtake each other.
 */

import {
  type ConnectOptions,
  formatMigrationAddress,
  type IncomingConnection,
  InlineInput,
  type MigrationAddress,
  type MigrationChannel,
  type MigrationListener,
  type MigrationTransport,
  TransportError,
} from '@sterna/migration';
import type { Dice } from './dice.ts';
import type { Lane, SimLoop } from './loop.ts';

/** How the network is when nothing breaks. */
export interface NetworkShape {
  readonly latencyMs: number;
  readonly bytesPerMs: number;
  /** Bytes a direction holds between its ends. */
  readonly buffer: number;
  /** Readers get what has arrived in pieces of any size. */
  readonly shortReads: boolean;
  /** Bytes on their way are lost when an end gives up; otherwise they arrive before the news. */
  readonly lossyReset: boolean;
  readonly connectMs: number;
}

/** From the one that connected, or to it. */
export type Direction = 'there' | 'back';

/** One direction of a connection. */
export class SimLink {
  /** Bytes a writer has got rid of. */
  sent = 0;
  /** Bytes a reader could have read. */
  delivered = 0;
  readonly #lane: Lane;
  readonly #shape: NetworkShape;
  readonly #random: Dice;
  #bytesPerMs: number;
  #inside = 0;
  /** Moment at which the wire is free again, in ns. */
  #freeAt = 0;
  readonly #wire: (Uint8Array | 'end')[] = [];
  #held = false;
  /** Deliveries that came while the link was held. */
  #due = 0;
  #silent = false;
  readonly #arrived: Uint8Array[] = [];
  #ended = false;
  #noMoreWrites = false;
  /** Writes under way. */
  #writing = 0;
  #readError: Error | undefined;
  #writeError: Error | undefined;
  #readers: (() => void)[] = [];
  #writers: (() => void)[] = [];
  /** The next mark comes first. */
  readonly #marks: { readonly at: number; readonly callback: () => void }[] = [];
  /** Everything that a writer may think to have written. */
  readonly written: Uint8Array[] = [];

  constructor(lane: Lane, shape: NetworkShape, random: Dice) {
    this.#lane = lane;
    this.#shape = shape;
    this.#random = random;
    this.#bytesPerMs = shape.bytesPerMs;
  }

  async write(bytes: Uint8Array): Promise<void> {
    if (this.#writeError) {
      // Who wrote cannot know that none of it has left.
      this.written.push(bytes.slice());
      throw this.#writeError;
    }
    if (this.#noMoreWrites) throw new TransportError('write after the end of the channel');
    this.#writing++;
    try {
      await this.#send(bytes);
    } finally {
      if (--this.#writing === 0 && this.#noMoreWrites) this.#put('end', 0);
    }
  }

  async #send(bytes: Uint8Array): Promise<void> {
    for (let from = 0; from < bytes.length; ) {
      const room = this.#shape.buffer - this.#inside;
      if (room <= 0) {
        await new Promise<void>((resolve) => this.#writers.push(resolve));
        if (this.#writeError) throw this.#writeError;
        continue;
      }
      const part = bytes.slice(from, from + room);
      from += part.length;
      this.#inside += part.length;
      this.sent += part.length;
      this.written.push(part);
      this.#put(part, part.length / this.#bytesPerMs);
    }
  }

  async read(): Promise<Uint8Array | undefined> {
    for (;;) {
      const chunk = this.#arrived[0];
      if (chunk !== undefined) return this.#take(chunk);
      if (this.#readError) throw this.#readError;
      if (this.#ended) return undefined;
      await new Promise<void>((resolve) => this.#readers.push(resolve));
    }
  }

  /** The next bytes, which stay; undefined at an end before that. */
  async peek(length: number): Promise<Uint8Array | undefined> {
    for (;;) {
      const bytes = new Uint8Array(length);
      let at = 0;
      for (const chunk of this.#arrived) {
        bytes.set(chunk.subarray(0, length - at), at);
        at += Math.min(chunk.length, length - at);
      }
      if (at === length) return bytes;
      if (this.#readError) throw this.#readError;
      if (this.#ended) return undefined;
      await new Promise<void>((resolve) => this.#readers.push(resolve));
    }
  }

  end(): void {
    if (this.#noMoreWrites) return;
    this.#noMoreWrites = true;
    // What is being written comes before it.
    if (this.#writing === 0) this.#put('end', 0);
  }

  /** Both ends find out at once what happened; bytes on their way are gone. */
  fail(reader: Error, writer: Error): void {
    this.#arrived.length = 0;
    this.#wire.length = 0;
    this.#due = 0;
    this.#readError ??= reader;
    this.#writeError ??= writer;
    this.#wake();
  }
  /** Only the writer finds out. */
  failWriter(error: Error): void {
    this.#writeError ??= error;
    this.#wake();
  }
  /** The reader finds out, behind what has arrived already. */
  failReader(error: Error): void {
    this.#wire.length = 0;
    this.#due = 0;
    this.#readError ??= error;
    this.#wake();
  }
  /** Nothing arrives any more, and nobody is told. */
  silence(): void {
    this.#silent = true;
  }
  /** Nothing arrives until {@link SimLink.release}. */
  hold(): void {
    this.#held = true;
  }
  release(): void {
    this.#held = false;
    for (; this.#due > 0; this.#due--) this.#deliver();
  }
  slowDown(bytesPerMs: number): void {
    this.#bytesPerMs = bytesPerMs;
  }
  /** The process at that end is dead: what it waits for never comes. */
  abandonReader(): void {
    this.#readers = [];
  }
  abandonWriter(): void {
    this.#writers = [];
  }
  /** Calls back when exactly so many bytes have arrived. */
  watch(delivered: number, callback: () => void): void {
    this.#marks.push({ at: delivered, callback });
    this.#marks.sort((a, b) => a.at - b.at);
  }

  #put(item: Uint8Array | 'end', wireMs: number): void {
    this.#wire.push(item);
    this.#freeAt = Math.max(this.#freeAt, this.#lane.monotonicNs()) + wireMs * 1e6;
    this.#lane.after((this.#freeAt - this.#lane.monotonicNs()) / 1e6 + this.#shape.latencyMs, () => {
      if (this.#held) this.#due++;
      else this.#deliver();
    });
  }

  #deliver(): void {
    const item = this.#wire.shift();
    if (item === undefined || this.#silent) return;
    if (item === 'end') {
      this.#ended = true;
      this.#wake();
      return;
    }
    const mark = this.#marks[0];
    if (mark === undefined || item.length < mark.at - this.delivered) {
      this.#arrive(item);
      return;
    }
    // The callback may break the link between two bytes.
    const upTo = Math.max(0, mark.at - this.delivered);
    this.#arrive(item.subarray(0, upTo));
    this.#marks.shift();
    this.#wire.unshift(item.subarray(upTo));
    mark.callback();
    if (this.#held) this.#due++;
    else this.#deliver();
  }

  #arrive(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.delivered += bytes.length;
    this.#arrived.push(bytes);
    this.#wake();
  }

  #take(chunk: Uint8Array): Uint8Array {
    const short = this.#shape.shortReads && this.#random.percent(35);
    const length = short ? this.#random.spread(chunk.length) : chunk.length;
    if (length === chunk.length) this.#arrived.shift();
    else this.#arrived[0] = chunk.subarray(length);
    this.#inside -= length;
    this.#wake();
    return chunk.subarray(0, length);
  }

  #wake(): void {
    for (const resolve of this.#readers.splice(0)) resolve();
    for (const resolve of this.#writers.splice(0)) resolve();
  }
}

/** What the calls of a dead process come to; one for each, since whoever waits for a promise is kept alive by it. */
const never = (): Promise<never> => new Promise(() => {});

/** One end of a connection. */
export class SimChannel implements MigrationChannel {
  readonly name: string;
  readonly bidirectional = true;
  /** Whether its owner has let go of it. */
  freed = false;
  readonly lane: Lane;
  readonly #connection: SimConnection;
  readonly #out: SimLink;
  readonly #in: SimLink;

  constructor(name: string, lane: Lane, connection: SimConnection, out: SimLink, incoming: SimLink) {
    this.name = name;
    this.lane = lane;
    this.#connection = connection;
    this.#out = out;
    this.#in = incoming;
  }
  write(bytes: Uint8Array): Promise<void> {
    return this.lane.frozen ? never() : this.#out.write(bytes);
  }
  read(): Promise<Uint8Array | undefined> {
    return this.lane.frozen ? never() : this.#in.read();
  }
  /** The next bytes, which are not taken; undefined when the connection has ended before. */
  peek(length: number): Promise<Uint8Array | undefined> {
    return this.lane.frozen ? never() : this.#in.peek(length);
  }
  async end(): Promise<void> {
    this.#out.end();
  }
  abort(reason: Error): void {
    if (this.freed) return;
    this.freed = true;
    this.#in.fail(reason, reason);
    this.#out.failWriter(reason);
    this.#connection.gaveUp(this.#out, this.#in);
  }
  /** Its process is dead. */
  abandon(): void {
    this.freed = true;
    this.#in.abandonReader();
    this.#out.abandonWriter();
  }
  async close(): Promise<void> {
    if (this.freed) return;
    this.freed = true;
    const closed = new TransportError('the channel was closed');
    this.#out.end();
    this.#out.failWriter(closed);
    this.#in.fail(closed, new TransportError('the other end has closed the channel'));
  }
}

/** A connection with its two ends. */
export class SimConnection {
  readonly there: SimLink;
  readonly back: SimLink;
  readonly ends: readonly [connected: SimChannel, accepted: SimChannel];
  readonly #lane: Lane;
  readonly #shape: NetworkShape;

  constructor(name: string, network: Lane, lanes: readonly [Lane, Lane], shape: NetworkShape, random: Dice) {
    this.#lane = network;
    this.#shape = shape;
    this.there = new SimLink(network, shape, random);
    this.back = new SimLink(network, shape, random);
    this.ends = [
      new SimChannel(`${name}:out`, lanes[0], this, this.there, this.back),
      new SimChannel(`${name}:in`, lanes[1], this, this.back, this.there),
    ];
  }

  /** Both ends are told at once. */
  reset(): void {
    const error = new TransportError('the connection was reset');
    this.there.fail(error, error);
    this.back.fail(error, error);
  }
  /** What an end has written ends here, and it may not write more; the other direction goes on. */
  finish(direction: Direction): void {
    const link = this[direction];
    link.end();
    link.failWriter(new TransportError('the other end does not listen any more'));
  }
  /** Nothing arrives any more in either direction, and nobody is told. */
  silence(): void {
    this.there.silence();
    this.back.silence();
  }

  /** An end has given up: the other learns it when the news arrives. */
  gaveUp(out: SimLink, incoming: SimLink): void {
    const error = new TransportError('the other end has given up');
    if (this.#shape.lossyReset) out.failReader(error);
    this.#lane.after(this.#shape.latencyMs, () => {
      out.failReader(error);
      incoming.failWriter(error);
    });
  }
}

/** A connection whose first bytes tell what it is. */
function incoming(channel: SimChannel): IncomingConnection {
  return {
    magic: () =>
      channel.peek(4).then(
        (bytes) => bytes && new DataView(bytes.buffer).getUint32(0),
        () => undefined,
      ),
    main: () => channel,
    multifd: () => new InlineInput(channel),
    drop: () => channel.abort(new TransportError('nobody wants this connection')),
  };
}

interface Listening {
  readonly lane: Lane;
  readonly backlog: SimChannel[];
  readonly acceptors: { resolve: (channel: SimChannel) => void; reject: (error: Error) => void }[];
}

/** The network between the simulated machines. */
export class SimNetwork {
  readonly connections: SimConnection[] = [];
  /** So many attempts to connect are refused. */
  refusals = 0;
  /** So many attempts are never answered. */
  unanswered = 0;
  /** Told of a connection, and which of the multifd channels it is; undefined: the main one. */
  onConnection: (connection: SimConnection, multifd: number | undefined) => void = () => {};
  /** Time that the bytes of each multifd channel take beside the others', in ms. */
  extraMs: readonly number[] = [];
  readonly #lane: Lane;
  readonly #shape: NetworkShape;
  readonly #random: Dice;
  readonly #listeners = new Map<string, Listening>();

  constructor(loop: SimLoop, shape: NetworkShape, random: Dice) {
    this.#lane = loop.lane('network');
    this.#shape = shape;
    this.#random = random;
  }

  /** The network as a process sees it. */
  transport(lane: Lane): MigrationTransport {
    return {
      connect: (address, signal, options) => this.#connect(lane, formatMigrationAddress(address), signal, options),
      listen: async (address) => this.#listen(lane, address),
    };
  }
  /** Addresses that living processes listen at. */
  get listening(): string[] {
    return [...this.#listeners].flatMap(([address, { lane }]) => (lane.frozen ? [] : [address]));
  }
  /** The process is gone; its connections break, unless the whole host went dark. */
  processEnded(lane: Lane, dark: boolean): void {
    for (const [address, listening] of this.#listeners) if (listening.lane === lane) this.#listeners.delete(address);
    for (const connection of this.connections) {
      for (const [at, end] of connection.ends.entries()) {
        if (end.lane !== lane) continue;
        end.abandon();
        if (dark) connection.silence();
        else if (at === 0) connection.gaveUp(connection.there, connection.back);
        else connection.gaveUp(connection.back, connection.there);
      }
    }
  }

  async #connect(
    lane: Lane,
    address: string,
    signal: AbortSignal,
    { multifd, after }: ConnectOptions = {},
  ): Promise<MigrationChannel> {
    await after;
    await this.#wait(this.#shape.connectMs, signal);
    if (this.unanswered > 0) {
      this.unanswered--;
      await this.#wait(Number.POSITIVE_INFINITY, signal);
    }
    const listening = this.#listeners.get(address);
    if (this.refusals > 0 || listening === undefined) {
      this.refusals = Math.max(0, this.refusals - 1);
      throw new TransportError(`${address}: connection refused`);
    }
    const lanes = [lane, listening.lane] as const;
    const latencyMs = this.#shape.latencyMs + (multifd === undefined ? 0 : (this.extraMs[multifd] ?? 0));
    const shape = { ...this.#shape, latencyMs };
    const name = multifd === undefined ? address : `${address}#${multifd}`;
    const connection = new SimConnection(name, this.#lane, lanes, shape, this.#random);
    this.connections.push(connection);
    this.onConnection(connection, multifd);
    const acceptor = listening.acceptors.shift();
    if (acceptor === undefined) listening.backlog.push(connection.ends[1]);
    else acceptor.resolve(connection.ends[1]);
    return connection.ends[0];
  }

  #wait(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = Number.isFinite(ms) ? this.#lane.after(ms, done) : undefined;
      signal.addEventListener('abort', given);
      if (signal.aborted) given();
      function done(): void {
        signal.removeEventListener('abort', given);
        resolve();
      }
      function given(): void {
        timer?.cancel();
        signal.removeEventListener('abort', given);
        reject(signal.reason as Error);
      }
    });
  }

  #listen(lane: Lane, to: MigrationAddress): MigrationListener {
    const address = formatMigrationAddress(to);
    if (this.#listeners.has(address)) throw new TransportError(`${address}: address already in use`);
    const listening: Listening = { lane, backlog: [], acceptors: [] };
    this.#listeners.set(address, listening);
    const accept = (): Promise<SimChannel> => {
      const waiting = listening.backlog.shift();
      if (waiting !== undefined) return Promise.resolve(waiting);
      return new Promise((resolve, reject) => listening.acceptors.push({ resolve, reject }));
    };
    return {
      uri: address,
      accept,
      next: async () => incoming(await accept()),
      close: async () => {
        if (this.#listeners.get(address) === listening) this.#listeners.delete(address);
        // Connections nobody accepted are reset, and whoever waits for one is told.
        for (const channel of listening.backlog.splice(0)) channel.abort(new TransportError('nobody listens any more'));
        const closed = new TransportError(`${address}: the listener was closed`);
        for (const { reject } of listening.acceptors.splice(0)) reject(closed);
      },
    };
  }
}
