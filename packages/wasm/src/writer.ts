/**
 * A growable byte buffer with the encodings of the WebAssembly binary format.
 * Everything a module consists of is written through it; growth doubles, so appending is cheap.
 */
export class Writer {
  /** Backing store; only the first {@link length} bytes are meaningful. */
  buffer: Uint8Array;
  /** Number of bytes written. */
  length = 0;

  constructor(capacity = 256) {
    this.buffer = new Uint8Array(capacity);
  }

  #reserve(n: number): void {
    const need = this.length + n;
    if (need <= this.buffer.length) return;
    const grown = new Uint8Array(Math.max(need, this.buffer.length * 2));
    grown.set(this.buffer.subarray(0, this.length));
    this.buffer = grown;
  }

  /** Appends one byte. */
  u8(value: number): void {
    if (this.length === this.buffer.length) this.#reserve(1);
    this.buffer[this.length++] = value;
  }

  /** Appends raw bytes. */
  bytes(data: ArrayLike<number>): void {
    this.#reserve(data.length);
    this.buffer.set(data, this.length);
    this.length += data.length;
  }

  /** Appends an unsigned LEB128 number (0 .. 2^32-1). */
  u32(value: number): void {
    this.#reserve(5);
    let v = value >>> 0;
    while (v > 0x7f) {
      this.buffer[this.length++] = (v & 0x7f) | 0x80;
      v >>>= 7;
    }
    this.buffer[this.length++] = v;
  }

  /** Appends a signed LEB128 number of up to 32 bits. */
  s32(value: number): void {
    this.#reserve(5);
    let v = value | 0;
    for (;;) {
      const b = v & 0x7f;
      v >>= 7;
      if ((v === 0 && !(b & 0x40)) || (v === -1 && b & 0x40)) {
        this.buffer[this.length++] = b;
        return;
      }
      this.buffer[this.length++] = b | 0x80;
    }
  }

  /** Appends a signed LEB128 number of 64 bits given as two halves. */
  s64(lo: number, hi: number): void {
    this.#reserve(10);
    let l = lo | 0;
    let h = hi | 0;
    for (;;) {
      const b = l & 0x7f;
      l = (l >>> 7) | (h << 25);
      h >>= 7;
      if ((l === 0 && h === 0 && !(b & 0x40)) || (l === -1 && h === -1 && b & 0x40)) {
        this.buffer[this.length++] = b;
        return;
      }
      this.buffer[this.length++] = b | 0x80;
    }
  }

  /** Appends a length-prefixed UTF-8 name. */
  name(text: string): void {
    const data = new TextEncoder().encode(text);
    this.u32(data.length);
    this.bytes(data);
  }

  /** Appends the little-endian image of a float. */
  f32(value: number): void {
    F32[0] = value;
    this.bytes(F32_BYTES);
  }

  /** Appends the little-endian image of a double. */
  f64(value: number): void {
    F64[0] = value;
    this.bytes(F64_BYTES);
  }

  /** Appends what another writer holds, preceded by its length. */
  sized(other: Writer): void {
    this.u32(other.length);
    this.append(other);
  }

  /** Appends what another writer holds. */
  append(other: Writer): void {
    this.bytes(other.buffer.subarray(0, other.length));
  }

  /** A copy of the bytes written. */
  finish(): Uint8Array<ArrayBuffer> {
    return new Uint8Array(this.buffer.subarray(0, this.length));
  }
}

const F32 = new Float32Array(1);
const F32_BYTES = new Uint8Array(F32.buffer);
const F64 = new Float64Array(1);
const F64_BYTES = new Uint8Array(F64.buffer);
