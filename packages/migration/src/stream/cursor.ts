import { StreamError } from '../errors.ts';
import { latin1 } from './reader.ts';

/** Reads big-endian values from bytes that are all there. @see StreamReader for a stream. */
export class ByteCursor {
  readonly data: Uint8Array;
  /** Index of the next byte. */
  offset: number;

  constructor(data: Uint8Array, offset = 0) {
    this.data = data;
    this.offset = offset;
  }
  /** Bytes behind the offset. */
  get left(): number {
    return this.data.length - this.offset;
  }
  /** A view of the next bytes. @throws StreamError when fewer are left. */
  bytes(length: number): Uint8Array {
    if (length > this.left)
      throw new StreamError(`${length} bytes wanted, ${this.left} are left`, { offset: this.offset });
    this.offset += length;
    return this.data.subarray(this.offset - length, this.offset);
  }
  u8(): number {
    return this.bytes(1)[0]!;
  }
  u16(): number {
    return this.u8() * 256 + this.u8();
  }
  u32(): number {
    return this.u16() * 65536 + this.u16();
  }
  /** @throws StreamError beyond 2^53. */
  u64(): number {
    const value = this.u32() * 2 ** 32 + this.u32();
    if (value > Number.MAX_SAFE_INTEGER)
      throw new StreamError(`${value} is not a possible size`, { offset: this.offset - 8 });
    return value;
  }
  countedString(): string {
    return latin1(this.bytes(this.u8()));
  }
}

/** Collects big-endian values. */
export class ByteSink {
  #data = new Uint8Array(4096);
  #length = 0;

  /** What was collected; a view that the next write may outdate. */
  get data(): Uint8Array {
    return this.#data.subarray(0, this.#length);
  }
  u8(value: number): void {
    this.#grow(1);
    this.#data[this.#length++] = value;
  }
  u16(value: number): void {
    this.u8(value >>> 8);
    this.u8(value);
  }
  u32(value: number): void {
    this.u16(value >>> 16);
    this.u16(value & 0xffff);
  }
  u64(value: number): void {
    this.u32(Math.floor(value / 2 ** 32));
    this.u32(value % 2 ** 32);
  }
  bytes(value: Uint8Array): void {
    this.#grow(value.length);
    this.#data.set(value, this.#length);
    this.#length += value.length;
  }
  countedString(value: string): void {
    this.u8(value.length);
    for (let i = 0; i < value.length; i++) this.u8(value.charCodeAt(i));
  }
  #grow(length: number): void {
    if (this.#length + length <= this.#data.length) return;
    const grown = new Uint8Array(Math.max(this.#data.length * 2, this.#length + length));
    grown.set(this.data);
    this.#data = grown;
  }
}
