import {
  type ConnectOptions,
  type ListenOptions,
  type MigrationAddress,
  type MigrationChannel,
  type MigrationListener,
  type MigrationTransport,
  TransportError,
} from '@sterna/migration';
import { Dice } from './dice.ts';

/** How one connection breaks; what is left out does not. Bytes are counted from its beginning. */
export interface ChannelFaults {
  /** The connection breaks, for both directions, when so many bytes were written. */
  readonly breakAfterWritten?: number;
  /** The same for bytes that were read. */
  readonly breakAfterRead?: number;
  /** Nothing more is taken behind so many bytes: writes wait until somebody gives up. */
  readonly stallAfterWritten?: number;
  /** Nothing more arrives behind so many bytes. */
  readonly stallAfterRead?: number;
  /** Seed of the sizes in which reads come, 1 to 4096 bytes; by default as they come. */
  readonly shortReads?: number;
}

/** What a {@link FaultTransport} does to its connections. */
export interface TransportFaults {
  /** Faults of the n-th connection, from 0, whether made or accepted; undefined: none. */
  readonly channel?: (nth: number) => ChannelFaults | undefined;
  /** So many attempts to connect are refused first. Default: 0. */
  readonly refused?: number;
}

/**
 * Any transport with faults at exact bytes: tcp or unix sockets of the host, or the network of a simulation. Give it to a
 * `MigrationController`.
 */
export class FaultTransport implements MigrationTransport {
  readonly #inner: MigrationTransport;
  readonly #faults: TransportFaults;
  #refused: number;
  #connections = 0;

  constructor(inner: MigrationTransport, faults: TransportFaults) {
    this.#inner = inner;
    this.#faults = faults;
    this.#refused = faults.refused ?? 0;
  }

  /** @throws TransportError when it is refused, or whatever the transport itself throws */
  async connect(address: MigrationAddress, signal: AbortSignal, options?: ConnectOptions): Promise<MigrationChannel> {
    if (this.#refused-- > 0) throw new TransportError('the connection was refused on purpose');
    return this.#faulty(await this.#inner.connect(address, signal, options));
  }

  /** A listener whose connections have faults. With several channels the main one has. */
  async listen(address: MigrationAddress, options?: ListenOptions): Promise<MigrationListener> {
    const listener = await this.#inner.listen(address, options);
    return {
      uri: listener.uri,
      accept: async () => this.#faulty(await listener.accept()),
      close: () => listener.close(),
    };
  }

  #faulty(channel: MigrationChannel): MigrationChannel {
    const faults = this.#faults.channel?.(this.#connections++);
    return faults === undefined ? channel : faultyChannel(channel, faults);
  }
}

/** A channel that breaks as told. The thread of a channel that has one is not used: faults are counted here. */
export function faultyChannel(inner: MigrationChannel, faults: ChannelFaults): MigrationChannel {
  return new FaultyChannel(inner, faults);
}

class FaultyChannel implements MigrationChannel {
  readonly name: string;
  readonly bidirectional: boolean;
  readonly #inner: MigrationChannel;
  readonly #faults: ChannelFaults;
  readonly #dice: Dice | undefined;
  #written = 0;
  #read = 0;
  #rest: Uint8Array | undefined;
  /** Writes are attempted one behind the other. */
  #last: Promise<void> = Promise.resolve();
  readonly #broken: PromiseWithResolvers<never> = Promise.withResolvers<never>();

  constructor(inner: MigrationChannel, faults: ChannelFaults) {
    this.name = inner.name;
    this.bidirectional = inner.bidirectional;
    this.#inner = inner;
    this.#faults = faults;
    this.#dice = faults.shortReads === undefined ? undefined : new Dice(faults.shortReads);
    this.#broken.promise.catch(() => {});
  }

  write(bytes: Uint8Array): Promise<void> {
    this.#last = this.#last.then(() => this.#write(bytes));
    return this.#last;
  }

  async #write(bytes: Uint8Array): Promise<void> {
    const { breakAfterWritten = Number.POSITIVE_INFINITY, stallAfterWritten = Number.POSITIVE_INFINITY } = this.#faults;
    const room = Math.min(breakAfterWritten, stallAfterWritten) - this.#written;
    const part = bytes.subarray(0, Math.min(bytes.length, room));
    this.#written += part.length;
    if (part.length > 0) await this.#inner.write(part);
    if (bytes.length <= room) return;
    if (breakAfterWritten <= stallAfterWritten) this.abort(new TransportError('the connection broke on purpose'));
    return this.#broken.promise;
  }

  async read(): Promise<Uint8Array | undefined> {
    const { breakAfterRead = Number.POSITIVE_INFINITY, stallAfterRead = Number.POSITIVE_INFINITY } = this.#faults;
    const room = Math.min(breakAfterRead, stallAfterRead) - this.#read;
    if (room <= 0) {
      if (breakAfterRead <= stallAfterRead) this.abort(new TransportError('the connection broke on purpose'));
      return this.#broken.promise;
    }
    const bytes = this.#rest ?? (await Promise.race([this.#inner.read(), this.#broken.promise]));
    if (bytes === undefined) return undefined;
    const length = Math.min(bytes.length, room, this.#dice?.between(1, 4096) ?? bytes.length);
    // The inner channel's array is valid until the next call to it, which comes when all of it was given away.
    this.#rest = length < bytes.length ? bytes.subarray(length) : undefined;
    this.#read += length;
    return bytes.subarray(0, length);
  }

  end(): Promise<void> {
    return this.#inner.end();
  }
  abort(reason: Error): void {
    this.#broken.reject(reason);
    this.#inner.abort(reason);
  }
  close(): Promise<void> {
    return this.#inner.close();
  }
}
