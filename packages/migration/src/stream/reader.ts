import type { LoadStream } from '@sterna/core';
import { StreamError } from '../errors.ts';
import type { MigrationChannel } from '../transport/channel.ts';
import { MAX_BUFFERED } from './constants.ts';

/** Thrown inside a synchronous reader that ran out of bytes; {@link StreamReader.restartable} catches it. */
class Underrun {
  readonly missing: number;
  constructor(missing: number) {
    this.missing = missing;
  }
}

/**
 * The reading end of a stream: a bounded buffer over a channel.
 *
 * The getters are synchronous and need their bytes to be there: either
 * {@link StreamReader.ensure} was awaited before, or the caller runs inside
 * {@link StreamReader.restartable}.
 */
export class StreamReader implements LoadStream {
  readonly channel: MigrationChannel;
  /** The buffer given at the start; a larger one serves a single large record. */
  readonly #storage: Uint8Array;
  #buffer: Uint8Array;
  #start = 0;
  #end = 0;
  /** Stream offset of the buffer's first byte. */
  #base = 0;
  /** Bytes the channel delivered that did not fit the buffer yet. */
  #rest: Uint8Array | undefined;
  #restAt = 0;
  #ended = false;
  #committed = false;

  /** @param buffer Where bytes wait, at least 64 KiB. A view of shared memory lets pages be copied without a view for each. */
  constructor(channel: MigrationChannel, buffer: Uint8Array = new Uint8Array(256 * 1024)) {
    this.channel = channel;
    this.#storage = buffer;
    this.#buffer = buffer;
  }

  get offset(): number {
    return this.#base + this.#start;
  }
  /** Bytes that can be read without waiting. */
  get available(): number {
    return this.#end - this.#start;
  }
  /** The buffer itself, for copies without a view. */
  get buffer(): Uint8Array {
    return this.#buffer;
  }
  /** Where in {@link StreamReader.buffer} the next byte is. */
  get position(): number {
    return this.#start;
  }
  /** Consumes bytes that were read in the buffer directly. */
  advance(length: number): void {
    this.#start += length;
  }

  /**
   * Resolves when `length` bytes can be read.
   *
   * @throws StreamError when the stream ends before, or `length` is more than a reader holds.
   */
  async ensure(length: number): Promise<void> {
    while (this.available < length) {
      if (!(await this.#fill(length))) {
        throw new StreamError(`the stream ends ${length - this.available} bytes too early`, { offset: this.offset });
      }
    }
  }

  /** The channel goes on at another offset of the stream: what it has delivered is not part of what follows. */
  forget(offset: number): void {
    this.#base = offset;
    this.#start = this.#end = 0;
    this.#rest = undefined;
    this.#ended = false;
  }

  /** Whether so many more bytes come (one by default); false when the stream ends before. */
  async hasMore(length = 1): Promise<boolean> {
    while (this.available < length) if (!(await this.#fill(length))) return false;
    return true;
  }

  async ready(length: number): Promise<void> {
    this.#committed = true;
    await this.ensure(length);
  }

  /**
   * Runs a reader that may run out of bytes: it is unwound and called again from the same place when those it
   * asked for have arrived, unless it awaited {@link StreamReader.ready}.
   */
  async restartable<T>(read: () => T | Promise<T>): Promise<T> {
    const from = this.offset;
    this.#committed = false;
    for (;;) {
      try {
        const result = read();
        return result instanceof Promise ? await result : result;
      } catch (error) {
        if (!(error instanceof Underrun)) throw error;
        if (this.#committed)
          throw new StreamError(`${error.missing} bytes are read without waiting`, { offset: this.offset });
        const consumed = this.offset - from;
        this.#start -= consumed;
        await this.ensure(consumed + error.missing);
      }
    }
  }

  u8(): number {
    this.#need(1);
    return this.#buffer[this.#start++]!;
  }
  u16(): number {
    this.#need(2);
    const at = this.#start;
    this.#start += 2;
    return (this.#buffer[at]! << 8) | this.#buffer[at + 1]!;
  }
  u32(): number {
    this.#need(4);
    const [at, buffer] = [this.#start, this.#buffer];
    this.#start += 4;
    return ((buffer[at]! << 24) | (buffer[at + 1]! << 16) | (buffer[at + 2]! << 8) | buffer[at + 3]!) >>> 0;
  }
  i8(): number {
    return (this.u8() << 24) >> 24;
  }
  i16(): number {
    return (this.u16() << 16) >> 16;
  }
  i32(): number {
    return this.u32() | 0;
  }
  u64(): bigint {
    this.#need(8);
    const high = this.u32();
    return (BigInt(high) << 32n) | BigInt(this.u32());
  }
  i64(): bigint {
    return BigInt.asIntN(64, this.u64());
  }
  /** A be64 as a number. @throws StreamError beyond 2^53. */
  u64Number(): number {
    this.#need(8);
    const high = this.u32();
    const value = high * 2 ** 32 + this.u32();
    if (value > Number.MAX_SAFE_INTEGER)
      throw new StreamError(`${value} is not a possible size`, { offset: this.offset - 8 });
    return value;
  }
  bytes(length: number): Uint8Array<ArrayBuffer> {
    this.#need(length);
    const copy = new Uint8Array(length);
    this.bytesInto(copy);
    return copy;
  }
  bytesInto(target: Uint8Array): void {
    this.#need(target.length);
    target.set(this.#buffer.subarray(this.#start, this.#start + target.length));
    this.#start += target.length;
  }
  countedString(): string {
    const length = this.u8();
    return latin1(this.bytes(length));
  }
  peekU8(): number {
    this.#need(1);
    return this.#buffer[this.#start]!;
  }
  /** A byte `ahead` of the next one, not consumed. */
  peekAt(ahead: number): number {
    this.#need(ahead + 1);
    return this.#buffer[this.#start + ahead]!;
  }
  /** Skips bytes that were waited for. */
  skip(length: number): void {
    this.#need(length);
    this.#start += length;
  }

  #need(length: number): void {
    if (this.available < length) {
      if (length > MAX_BUFFERED)
        throw new StreamError(`${length} bytes at once are more than a section may hold`, { offset: this.offset });
      throw new Underrun(length);
    }
  }

  async #fill(wanted: number): Promise<boolean> {
    this.#makeRoom(wanted);
    if (this.#rest === undefined) {
      if (this.#ended) return false;
      const chunk = await this.channel.read();
      if (chunk === undefined) {
        this.#ended = true;
        return false;
      }
      this.#rest = chunk;
      this.#restAt = 0;
    }
    const part = Math.min(this.#rest.length - this.#restAt, this.#buffer.length - this.#end);
    this.#buffer.set(this.#rest.subarray(this.#restAt, this.#restAt + part), this.#end);
    this.#end += part;
    this.#restAt += part;
    if (this.#restAt === this.#rest.length) this.#rest = undefined;
    return true;
  }

  /** Moves unread bytes to the front, and grows the buffer only when one record needs it. */
  #makeRoom(wanted: number): void {
    const held = this.available;
    if (wanted > MAX_BUFFERED)
      throw new StreamError(`${wanted} bytes in one piece are too many`, { offset: this.offset });
    const fits = this.#buffer.length - this.#start >= wanted && this.#end < this.#buffer.length;
    if (fits && held > 0) return;
    const target = wanted <= this.#storage.length ? this.#storage : new Uint8Array(Math.max(wanted, held) * 2);
    if (target === this.#buffer) target.copyWithin(0, this.#start, this.#end);
    else target.set(this.#buffer.subarray(this.#start, this.#end));
    this.#buffer = target;
    this.#base += this.#start;
    this.#start = 0;
    this.#end = held;
  }
}

/** Bytes as text, one character each: names on the wire are ASCII, and nothing else may break a message. */
export function latin1(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}
