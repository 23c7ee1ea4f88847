import { TransportError } from '../errors.ts';
import type { MigrationChannel } from './channel.ts';

/** Bytes one direction of a pipe may hold before writers wait. */
const HIGH_WATER = 256 * 1024;

class Direction {
  readonly #chunks: Uint8Array[] = [];
  #held = 0;
  #last: Promise<void> = Promise.resolve();
  #ended = false;
  #readError: Error | undefined;
  #writeError: Error | undefined;
  #readers: (() => void)[] = [];
  #writers: (() => void)[] = [];

  write(bytes: Uint8Array): Promise<void> {
    // One that waits for room must not be overtaken by a later one.
    const taken = this.#last.then(() => this.#take(bytes));
    this.#last = taken.catch(() => {});
    return taken;
  }

  async #take(bytes: Uint8Array): Promise<void> {
    if (this.#writeError) throw this.#writeError;
    if (this.#ended) throw new TransportError('write after the end of the pipe');
    while (this.#held > HIGH_WATER && !this.#writeError)
      await new Promise<void>((resolve) => this.#writers.push(resolve));
    if (this.#writeError) throw this.#writeError;
    this.#chunks.push(bytes.slice());
    this.#held += bytes.length;
    wake(this.#readers);
  }

  async read(): Promise<Uint8Array | undefined> {
    while (this.#chunks.length === 0) {
      if (this.#readError) throw this.#readError;
      if (this.#ended) return undefined;
      await new Promise<void>((resolve) => this.#readers.push(resolve));
    }
    const chunk = this.#chunks.shift()!;
    this.#held -= chunk.length;
    wake(this.#writers);
    return chunk;
  }

  /** Behind all writes. */
  async end(): Promise<void> {
    await this.#last;
    this.#ended = true;
    wake(this.#readers);
  }

  fail(reader: Error, writer: Error): void {
    this.#readError ??= reader;
    this.#writeError ??= writer;
    wake(this.#readers);
    wake(this.#writers);
  }
}

function wake(waiting: (() => void)[]): void {
  for (const resolve of waiting.splice(0)) resolve();
}

class PipeEnd implements MigrationChannel {
  readonly name: string;
  readonly bidirectional = true;
  readonly #out: Direction;
  readonly #in: Direction;

  constructor(name: string, out: Direction, incoming: Direction) {
    this.name = name;
    this.#out = out;
    this.#in = incoming;
  }
  write(bytes: Uint8Array): Promise<void> {
    return this.#out.write(bytes);
  }
  read(): Promise<Uint8Array | undefined> {
    return this.#in.read();
  }
  end(): Promise<void> {
    return this.#out.end();
  }
  abort(reason: Error): void {
    const forPeer = new TransportError('the other end of the pipe was closed', { cause: reason });
    this.#in.fail(reason, forPeer);
    this.#out.fail(forPeer, reason);
  }
  close(): Promise<void> {
    return this.#out.end();
  }
}

/** A pair of connected channels inside one process. */
export function channelPair(name = 'pipe'): readonly [MigrationChannel, MigrationChannel] {
  const [there, back] = [new Direction(), new Direction()];
  return [new PipeEnd(`${name}:source`, there, back), new PipeEnd(`${name}:destination`, back, there)];
}
