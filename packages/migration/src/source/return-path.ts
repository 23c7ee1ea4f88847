import { DestinationError, StreamError, TransportError } from '../errors.ts';
import { RETURN_PATH } from '../stream/constants.ts';
import { StreamReader } from '../stream/reader.ts';
import { RETURN_PATH_MESSAGES } from '../stream/return-path-names.ts';
import type { MigrationChannel } from '../transport/channel.ts';

/** Longest message accepted on the return path. */
const MAX_MESSAGE = 512;

/** What the source does with news from the destination. */
export interface ReturnPathOwner {
  /** Whether the destination may say goodbye now: everything was sent. */
  mayEnd(): boolean;
  /** The return path broke, or the destination has failed: no use to go on. */
  failed(error: Error): void;
  /** A ping was answered. */
  pong?(value: number): void;
}

/**
 * What the destination says (QEMU migration/migration.c source_return_path_thread, v10.0). Reads until SHUT; an
 * error is told at once and kept for whoever waits.
 */
export class ReturnPathReader {
  /** Values of the PONGs so far. */
  readonly pongs: number[] = [];
  readonly #reader: StreamReader;
  readonly #owner: ReturnPathOwner;
  readonly #ended: Promise<Error | undefined>;
  #acks = 0;
  #error: Error | undefined;

  constructor(channel: MigrationChannel, owner: ReturnPathOwner) {
    this.#reader = new StreamReader(channel, new Uint8Array(65536));
    this.#owner = owner;
    this.#ended = this.#run().then(
      () => undefined,
      (error: Error) => {
        this.#error = error;
        owner.failed(error);
        return error;
      },
    );
  }

  /** Approvals of the switchover so far. */
  get switchoverAcks(): number {
    return this.#acks;
  }

  /** Throws what has gone wrong so far. */
  check(): void {
    if (this.#error !== undefined) throw this.#error;
  }

  /** Resolves when nothing more comes: with what went wrong, or undefined after a goodbye without an error. */
  get ended(): Promise<Error | undefined> {
    return this.#ended;
  }

  async #run(): Promise<void> {
    while (await this.#reader.hasMore()) if (await this.#message()) return;
    throw new TransportError('the destination closed the return path before it had finished');
  }

  /** Reads a message; true after the last one. */
  async #message(): Promise<boolean> {
    const reader = this.#reader;
    await reader.ensure(4);
    const [type, length] = [reader.u16(), reader.u16()];
    const message = RETURN_PATH_MESSAGES.get(type);
    if (message === undefined) throw this.#refused(`message ${type} of ${length} bytes is not known here`);
    const { name } = message;
    if (length > MAX_MESSAGE || (message.length !== undefined && message.length !== length))
      throw this.#refused(`${name} has ${length} bytes instead of ${message.length ?? `at most ${MAX_MESSAGE}`}`);
    if (message.of !== undefined)
      throw this.#refused(`the destination sends ${name}, and ${message.of} has not landed here yet`);
    await reader.ensure(length);
    switch (type) {
      case RETURN_PATH.shut:
        if (reader.u32() !== 0) throw new DestinationError();
        if (!this.#owner.mayEnd()) throw this.#refused('the destination says goodbye before it has everything');
        return true;
      case RETURN_PATH.pong:
        this.#pong(reader.u32());
        return false;
      default:
        this.#acks++;
        return false;
    }
  }

  #pong(value: number): void {
    this.pongs.push(value);
    this.#owner.pong?.(value);
  }

  #refused(text: string): StreamError {
    return new StreamError(text, { section: 'return path', offset: this.#reader.offset });
  }
}
