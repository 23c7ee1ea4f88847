import type { SaveStream } from '@sterna/core';
import type { SectionProbe } from './section-probe.ts';

const CHUNKS = 4;

/** Where a {@link StreamWriter} writes: a channel, as far as it matters here. */
export interface ByteOutput {
  /** Takes bytes in order; resolves when the array may be reused. */
  write(bytes: Uint8Array): Promise<void>;
}

/**
 * The writing end of a stream (QEMU's QEMUFile): big-endian values collected
 * in a few fixed chunks that travel to the channel in order.
 *
 * Calls that write never wait. A section that must not run ahead of the channel
 * asks {@link StreamWriter.congested} and awaits {@link StreamWriter.drain};
 * what is written in spite of congestion goes into extra chunks, so a device's
 * own section is never cut short.
 *
 * Errors are sticky: after the channel has failed, writes are dropped and
 * {@link StreamWriter.check} throws the first error.
 */
export class StreamWriter implements SaveStream {
  /** Told of the sections that are written. */
  probe: SectionProbe | undefined;
  readonly #output: ByteOutput;
  readonly #free: Uint8Array[] = [];
  readonly #storage: ArrayBufferLike;
  readonly #chunkSize: number;
  #chunk: Uint8Array;
  #at = 0;
  #sent = 0;
  #elsewhere = 0;
  #inFlight = 0;
  #error: Error | undefined;
  #waiting: (() => void)[] = [];
  #last: Promise<void> = Promise.resolve();

  /**
   * @param storage Memory for the chunks, by default 1 MiB of its own. A view of the machine's shared memory lets
   *   pages be copied without a view for each.
   */
  constructor(output: ByteOutput, storage: Uint8Array = new Uint8Array(2 ** 20)) {
    this.#output = output;
    this.#storage = storage.buffer;
    this.#chunkSize = Math.floor(storage.length / CHUNKS);
    for (let i = 0; i < CHUNKS; i++) {
      this.#free.push(storage.subarray(i * this.#chunkSize, (i + 1) * this.#chunkSize));
    }
    this.#chunk = this.#free.shift()!;
  }

  /** Bytes written since the stream began. */
  get transferred(): number {
    return this.#sent + this.#at;
  }

  /** Bytes that went through this writer; without those of {@link StreamWriter.sentElsewhere}. */
  get written(): number {
    return this.transferred - this.#elsewhere;
  }

  /** True when the channel is behind and a polite writer should wait. */
  get congested(): boolean {
    return this.#free.length === 0;
  }

  /** Counts bytes that somebody else has put on the channel, in the place the stream had reached. */
  sentElsewhere(bytes: number): void {
    this.#sent += bytes;
    this.#elsewhere += bytes;
  }

  /** Throws the first error of the channel. */
  check(): void {
    if (this.#error) throw this.#error;
  }

  u8(value: number): void {
    this.#room(1);
    this.#chunk[this.#at++] = value;
  }
  u16(value: number): void {
    this.#room(2);
    this.#chunk[this.#at++] = value >>> 8;
    this.#chunk[this.#at++] = value;
  }
  u32(value: number): void {
    this.#room(4);
    this.#chunk[this.#at++] = value >>> 24;
    this.#chunk[this.#at++] = value >>> 16;
    this.#chunk[this.#at++] = value >>> 8;
    this.#chunk[this.#at++] = value;
  }
  u64(value: bigint): void {
    this.u32(Number((value >> 32n) & 0xffff_ffffn));
    this.u32(Number(value & 0xffff_ffffn));
  }
  /** A be64 from a number below 2^53, for offsets and sizes. */
  u64Number(value: number): void {
    this.u32(Math.floor(value / 2 ** 32));
    this.u32(value % 2 ** 32);
  }
  bytes(value: Uint8Array): void {
    for (let from = 0; from < value.length; ) {
      this.#room(1);
      const part = Math.min(value.length - from, this.#chunk.length - this.#at);
      this.#chunk.set(value.subarray(from, from + part), this.#at);
      this.#at += part;
      from += part;
    }
  }
  countedString(value: string): void {
    const text = new TextEncoder().encode(value);
    if (text.length > 255) throw new RangeError(`'${value.slice(0, 40)}…' is longer than 255 bytes`);
    this.u8(text.length);
    this.bytes(text);
  }
  /** Writes zeros. */
  zeros(length: number): void {
    for (let left = length; left > 0; ) {
      this.#room(1);
      const part = Math.min(left, this.#chunk.length - this.#at);
      this.#chunk.fill(0, this.#at, this.#at + part);
      this.#at += part;
      left -= part;
    }
  }

  /**
   * The chunk being filled, for writers that place bytes themselves: at least `length` bytes from
   * {@link StreamWriter.position} are free. After placing them call {@link StreamWriter.advance}.
   */
  chunk(length: number): Uint8Array {
    this.#room(length);
    return this.#chunk;
  }
  /** Where in the chunk the next byte goes. */
  get position(): number {
    return this.#at;
  }
  advance(length: number): void {
    this.#at += length;
  }

  /** Hands what is collected to the channel. */
  flush(): void {
    if (this.#at === 0) return;
    const chunk = this.#chunk;
    const filled = chunk.subarray(0, this.#at);
    this.#sent += this.#at;
    this.#at = 0;
    this.#chunk = this.#free.shift() ?? new Uint8Array(this.#chunkSize);
    if (this.#error) {
      this.#recycle(chunk);
      return;
    }
    this.#inFlight++;
    this.#last = this.#output.write(filled);
    this.#last.then(
      () => this.#done(chunk),
      (error: Error) => {
        this.#error ??= error;
        this.#done(chunk);
      },
    );
  }

  /** Resolves when the channel has taken enough that writing may go on. @throws the channel's error */
  async drain(): Promise<void> {
    while (this.congested && this.#inFlight > 0 && !this.#error) await this.#change();
    this.check();
  }

  /**
   * Like {@link StreamWriter.drain}, and afterwards a chunk of the storage is being filled, not an extra one.
   *
   * @throws the channel's error
   */
  async storageReady(): Promise<void> {
    await this.drain();
    if (this.#inStorage(this.#chunk)) return;
    this.flush();
    await this.drain();
    if (!this.#inStorage(this.#chunk)) this.#chunk = this.#free.shift()!;
  }

  /** Hands over everything and resolves when the channel has taken it. @throws the channel's error */
  async flushed(): Promise<void> {
    this.flush();
    while (this.#inFlight > 0 && !this.#error) await this.#change();
    this.check();
  }

  /**
   * Hands over everything and resolves when the channel has taken it, whatever is handed over meanwhile. When it rejects,
   * nothing of that has left.
   *
   * @throws the channel's error
   */
  taken(): Promise<void> {
    this.flush();
    return this.#error === undefined ? this.#last : Promise.reject(this.#error);
  }

  #inStorage(chunk: Uint8Array): boolean {
    return chunk.buffer === this.#storage;
  }

  #room(length: number): void {
    if (this.#chunk.length - this.#at < length) this.flush();
  }

  #done(chunk: Uint8Array): void {
    this.#inFlight--;
    this.#recycle(chunk);
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  #recycle(chunk: Uint8Array): void {
    // Extra chunks are dropped.
    if (this.#inStorage(chunk)) this.#free.push(chunk);
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }
}
