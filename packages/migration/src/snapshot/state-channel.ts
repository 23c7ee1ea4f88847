import type { MigrationChannel } from '../transport/channel.ts';
import type { VmStateSink, VmStateSource } from './store.ts';

/** Bytes read at once. */
const READ_SIZE = 256 * 1024;

/** The state area of a snapshot as the channel that a stream is written to. */
export class SinkChannel implements MigrationChannel {
  readonly name = 'snapshot';
  readonly bidirectional = false;
  readonly #sink: VmStateSink;
  readonly #written: (bytes: number) => void;
  #offset = 0;
  #last: Promise<void> = Promise.resolve();
  #error: Error | undefined;

  /** @param written told how many bytes there are so far */
  constructor(sink: VmStateSink, written: (bytes: number) => void) {
    this.#sink = sink;
    this.#written = written;
  }

  write(bytes: Uint8Array): Promise<void> {
    const offset = this.#offset;
    this.#offset += bytes.length;
    this.#last = this.#last.then(async () => {
      if (this.#error !== undefined) throw this.#error;
      await this.#sink.write(offset, bytes);
      this.#written(offset + bytes.length);
    });
    return this.#last;
  }
  async read(): Promise<undefined> {
    return undefined;
  }
  end(): Promise<void> {
    return this.#last;
  }
  abort(reason: Error): void {
    this.#error ??= reason;
  }
  async close(): Promise<void> {}
}

/** The state area of a snapshot as the channel that a stream is read from. */
export class SourceChannel implements MigrationChannel {
  readonly name = 'snapshot';
  readonly bidirectional = false;
  readonly #source: VmStateSource;
  readonly #buffer = new Uint8Array(READ_SIZE);
  #offset = 0;

  constructor(source: VmStateSource) {
    this.#source = source;
  }

  async read(): Promise<Uint8Array | undefined> {
    const length = await this.#source.read(this.#offset, this.#buffer);
    this.#offset += length;
    return length === 0 ? undefined : this.#buffer.subarray(0, length);
  }
  async write(): Promise<void> {
    throw new TypeError('a saved snapshot is only read');
  }
  async end(): Promise<void> {}
  abort(): void {}
  async close(): Promise<void> {}
}
