import type { Readable, Writable } from 'node:stream';
import type { MigrationChannel } from '../transport/channel.ts';

/** Time a closed channel waits for the other side to close too; closing with unread bytes would reset the connection. */
const LINGER_MS = 1000;

/** What a {@link StreamChannel} is made of. */
export interface StreamChannelOptions {
  readonly name: string;
  /** Where bytes come from; absent on channels that only write. */
  readonly readable?: Readable;
  /** Takes bytes that {@link StreamChannelOptions.readable} has received; by default its own `read`. */
  readonly reader?: { take(): Uint8Array | null; arrived: () => void };
  /** Where bytes go; absent on channels that only read. */
  readonly writable?: Writable;
  /** False when the other direction is not connected to anything that answers. */
  readonly bidirectional?: boolean;
  /** Awaited at the end, e.g. for a child's exit status. */
  readonly finished?: () => Promise<void>;
  /** Makes the channel's errors; plain ones by default. */
  readonly failure?: (message: string, cause?: unknown) => Error;
}

/** A migration channel over Node streams: sockets, pipes, a child's stdin and stdout. */
export class StreamChannel implements MigrationChannel {
  readonly name: string;
  readonly bidirectional: boolean;
  readonly #readable: Readable | undefined;
  readonly #take: () => Uint8Array | null;
  readonly #writable: Writable | undefined;
  readonly #finished: (() => Promise<void>) | undefined;
  readonly #failure: (message: string, cause?: unknown) => Error;
  #error: Error | undefined;
  #ended = false;
  #wake: (() => void) | undefined;

  constructor({ name, readable, reader, writable, bidirectional, finished, failure }: StreamChannelOptions) {
    this.name = name;
    this.#readable = readable;
    this.#writable = writable;
    this.#finished = finished;
    this.#failure = failure ?? ((message, cause) => new Error(message, { cause }));
    this.bidirectional = bidirectional ?? (readable !== undefined && writable !== undefined);
    this.#take = reader === undefined ? () => readable!.read() as Uint8Array | null : () => reader.take();
    if (reader === undefined) readable?.on('readable', () => this.#notify());
    else reader.arrived = () => this.#notify();
    readable?.on('end', () => {
      this.#ended = true;
      this.#notify();
    });
    for (const stream of new Set<Readable | Writable | undefined>([readable, writable])) {
      stream?.on('error', (error: Error) => this.#fail(error));
      stream?.on('close', () => {
        this.#ended = true;
        this.#notify();
      });
    }
  }

  write(bytes: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#error) return reject(this.#error);
      if (this.#writable === undefined) return reject(this.#failure(`${this.name} cannot be written`));
      this.#writable.write(bytes, (error) => {
        if (error) this.#fail(error);
        if (this.#error) reject(this.#error);
        else resolve();
      });
    });
  }

  async read(): Promise<Uint8Array | undefined> {
    if (this.#readable === undefined) throw this.#failure(`${this.name} cannot be read`);
    for (;;) {
      const chunk = this.#take();
      if (chunk !== null) return chunk;
      if (this.#error) throw this.#error;
      if (this.#ended) return undefined;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  async end(): Promise<void> {
    const writable = this.#writable;
    if (writable !== undefined) {
      await new Promise<void>((resolve) => {
        if (this.#error || writable.destroyed) resolve();
        else writable.end(() => resolve());
      });
    }
    if (this.#error) throw this.#error;
    await this.#finished?.();
  }

  abort(reason: Error): void {
    this.#error ??= reason;
    this.#readable?.destroy();
    this.#writable?.destroy();
    this.#notify();
  }

  async close(): Promise<void> {
    const [readable, writable] = [this.#readable, this.#writable];
    if (writable !== undefined && !writable.writableEnded) writable.end();
    if (readable === undefined || this.#ended) {
      readable?.destroy();
      return;
    }
    readable.resume();
    const timer = setTimeout(() => readable.destroy(), LINGER_MS);
    timer.unref();
    readable.once('end', () => {
      clearTimeout(timer);
      if (writable?.writableFinished !== false) readable.destroy();
    });
  }

  #fail(error: Error): void {
    this.#error ??= this.#failure(`${this.name}: ${error.message}`, error);
    this.#notify();
  }

  #notify(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }
}
