/** Bytes of a stream at any offset: a stream may be larger than what is to be held in memory. */
import { StreamError } from '../errors.ts';
import { latin1 } from '../stream/reader.ts';

/** A stream that can be read anywhere. */
export interface ByteSource {
  /** Bytes from the first to the last. */
  readonly size: number;
  /**
   * The bytes from an offset on: `length` of them, fewer at the end. They may be a view that the next call outdates.
   *
   * @throws SternaError when the host cannot read
   */
  read(offset: number, length: number): Uint8Array;
}

/** Bytes in memory as a source. */
export class MemorySource implements ByteSource {
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }
  get size(): number {
    return this.#bytes.length;
  }
  read(offset: number, length: number): Uint8Array {
    return this.#bytes.subarray(offset, offset + length);
  }
}

/** Reads big-endian values one after the other. @see ByteCursor for bytes that are all in memory */
export class SourceCursor {
  readonly source: ByteSource;
  /** Offset of the next byte. */
  offset: number;

  constructor(source: ByteSource, offset = 0) {
    this.source = source;
    this.offset = offset;
  }
  /** Bytes behind the offset; none when it was set beyond the end. */
  get left(): number {
    return Math.max(0, this.source.size - this.offset);
  }
  /** The next bytes, a copy. @throws StreamError when fewer are left */
  bytes(length: number): Uint8Array {
    return this.#view(length).slice();
  }
  u8(): number {
    return this.#view(1)[0]!;
  }
  u16(): number {
    const bytes = this.#view(2);
    return bytes[0]! * 256 + bytes[1]!;
  }
  u32(): number {
    const bytes = this.#view(4);
    return ((bytes[0]! << 24) | (bytes[1]! << 16) | (bytes[2]! << 8) | bytes[3]!) >>> 0;
  }
  /** @throws StreamError beyond 2^53 */
  u64(): number {
    const value = this.u32() * 2 ** 32 + this.u32();
    if (value > Number.MAX_SAFE_INTEGER)
      throw new StreamError(`${value} is not a possible size`, { offset: this.offset - 8 });
    return value;
  }
  countedString(): string {
    return latin1(this.#view(this.u8()));
  }
  /** The next byte, which stays; undefined at the end. */
  peek(): number | undefined {
    return this.left === 0 ? undefined : this.source.read(this.offset, 1)[0];
  }
  /** Leaves bytes out. @throws StreamError when fewer are left */
  skip(length: number): void {
    this.#need(length);
    this.offset += length;
  }

  #view(length: number): Uint8Array {
    this.#need(length);
    this.offset += length;
    return this.source.read(this.offset - length, length);
  }
  #need(length: number): void {
    if (length > this.left)
      throw new StreamError(`the stream ends: ${length} bytes wanted, ${this.left} are left`, { offset: this.offset });
  }
}
