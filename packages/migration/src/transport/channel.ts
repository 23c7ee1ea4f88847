import type { FileInput, FileOutput } from '../mapped-ram/file.ts';
import type { MultifdInput } from '../multifd/incoming.ts';
import type { SharePlan } from '../multifd/page-method.ts';
import type { ShareWorker } from '../multifd/page-share.ts';
import type { PagePlan, PageSender } from '../ram/page-sender.ts';
import type { TlsRequest } from '../tls/request.ts';
import type { MigrationAddress } from './uri.ts';

/**
 * A migration channel: bytes in order, one way or both. Implementations for
 * Node are under `./node`; `pipe.ts` connects two machines of one process.
 */
export interface MigrationChannel {
  /** For messages and `query-migrate`, e.g. `tcp:127.0.0.1:4444`. */
  readonly name: string;
  /** Whether the other side can answer (needed for a return path). */
  readonly bidirectional: boolean;
  /**
   * Sends the bytes. Resolves when they are taken and the array may be reused. Several writes may be under way; they keep
   * their order, and none is attempted behind one that has failed. The array may be a view of shared memory.
   *
   * @throws TransportError when the channel is broken; then every later call fails too.
   */
  write(bytes: Uint8Array): Promise<void>;
  /**
   * The next bytes, at least one; undefined at the end. The array is valid until the next call.
   *
   * @throws TransportError when the channel is broken.
   */
  read(): Promise<Uint8Array | undefined>;
  /**
   * Sends RAM's pages from a thread that belongs to the channel; absent on channels without one. Called once for a
   * migration. Its {@link PageSender.send} and `write` keep their order.
   */
  pageSender?(plan: PagePlan): PageSender;
  /** Sends a share of RAM's pages, as a multifd channel, from a thread of its own; absent on channels without one. */
  shareWorker?(plan: SharePlan): ShareWorker;
  /** Present on channels to a file: parts of the stream, and pages, may have places of their own. */
  readonly fileOutput?: FileOutput | undefined;
  /** The same on channels from a file. */
  readonly fileInput?: FileInput | undefined;
  /** No more writes: resolves when all written bytes are out of our hands. Reading goes on. */
  end(): Promise<void>;
  /** Gives up at once; pending and later calls fail with `reason`. Safe to call at any time, also twice. */
  abort(reason: Error): void;
  /** Frees the channel after a regular end. Safe to call twice. */
  close(): Promise<void>;
}

/** A connection whose use is not known yet. One of its methods is to be called, once. */
export interface IncomingConnection {
  /**
   * The first four bytes, which are not taken; undefined when the connection has ended before. Absent where they cannot be
   * looked at.
   */
  magic?(): Promise<number | undefined>;
  /** Uses it as a main channel. */
  main(): MigrationChannel;
  /** Uses it as a multifd channel. */
  multifd(): MultifdInput;
  /** Ends it. */
  drop(): void;
}

/** Where somebody listens (QAPI SocketAddress). */
export type ListeningAddress =
  | {
      readonly type: 'inet';
      readonly host: string;
      readonly port: string;
      readonly ipv4?: true;
      readonly ipv6?: true;
    }
  | { readonly type: 'unix'; readonly path: string };

/** Waits for incoming channels. */
export interface MigrationListener {
  /** The address really bound, as a uri, e.g. with the port chosen by the system. */
  readonly uri: string;
  /** The same as data, of a socket. */
  readonly address?: ListeningAddress | undefined;
  accept(): Promise<MigrationChannel>;
  /** The next of several connections; absent where there is only one. @throws TransportError once it is closed */
  next?(): Promise<IncomingConnection>;
  close(): Promise<void>;
}

/** How channels are opened. */
export interface ConnectOptions {
  /** Secures the channel. */
  readonly tls?: TlsRequest | undefined;
  /** Number among the migration's multifd channels; absent for the main channel. */
  readonly multifd?: number;
  /** Pages go over other channels: what is left needs no thread. */
  readonly withoutPages?: boolean;
  /** Pages that have places in a file bypass the host's cache. */
  readonly direct?: boolean;
  /** Opens when this has resolved; whatever can be prepared is prepared before. */
  readonly after?: Promise<unknown>;
}

/** How channels are waited for. */
export interface ListenOptions {
  /** Secures the channels. */
  readonly tls?: TlsRequest | undefined;
  /** How many belong to the migration; 1 by default. */
  readonly channels?: number;
  /** Pages that have places in a file bypass the host's cache. */
  readonly direct?: boolean;
}

/** Opens channels by address. */
export interface MigrationTransport {
  /** Connects, or opens for writing. @throws TransportError, TlsError */
  connect(address: MigrationAddress, signal: AbortSignal, options?: ConnectOptions): Promise<MigrationChannel>;
  /** Listens, or opens for reading. @throws TransportError, TlsError */
  listen(address: MigrationAddress, options?: ListenOptions): Promise<MigrationListener>;
}
