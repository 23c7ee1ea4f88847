import { SternaError } from '@sterna/core';

/** A number as error messages show addresses and offsets. */
export function hex(value: number): string {
  return `0x${value.toString(16)}`;
}

/** Says what is wrong with an image. */
export function imageError(what: string, problem: string): SternaError {
  return new SternaError('STERNA_ERR_IMAGE_FORMAT', `${what}: ${problem}`);
}

/**
 * Bounds-checked little-endian reads from a file that nobody vouches for. Each failed read is an error
 * `STERNA_ERR_IMAGE_FORMAT` that names the file's kind, the field and its offset.
 */
export class ImageReader {
  readonly bytes: Uint8Array;
  /** Kind of image, for messages: `bzImage`, `ELF kernel`. */
  readonly what: string;
  readonly #view: DataView;

  constructor(bytes: Uint8Array, what: string) {
    this.bytes = bytes;
    this.what = what;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get length(): number {
    return this.bytes.length;
  }

  /** @throws SternaError when `length` bytes at `offset` are not all in the file. */
  need(offset: number, length: number, field: string): void {
    if (
      !Number.isSafeInteger(offset) ||
      !Number.isSafeInteger(length) ||
      offset < 0 ||
      length < 0 ||
      offset + length > this.length
    ) {
      throw imageError(
        this.what,
        `${field} needs ${length} bytes at offset ${hex(offset)}, the file has ${this.length}`,
      );
    }
  }

  u8(offset: number, field: string): number {
    this.need(offset, 1, field);
    return this.#view.getUint8(offset);
  }

  u16(offset: number, field: string): number {
    this.need(offset, 2, field);
    return this.#view.getUint16(offset, true);
  }

  u32(offset: number, field: string): number {
    this.need(offset, 4, field);
    return this.#view.getUint32(offset, true);
  }

  /** A 64-bit number; one above 2^53 - 1 cannot be an address or size here and is an error. */
  u64(offset: number, field: string): number {
    this.need(offset, 8, field);
    const value = this.#view.getBigUint64(offset, true);
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) {
      throw imageError(
        this.what,
        `${field} at offset ${hex(offset)} is ${hex(Number(value))}, out of any address range`,
      );
    }
    return Number(value);
  }

  /** A view of `length` bytes of the file. */
  slice(offset: number, length: number, field: string): Uint8Array {
    this.need(offset, length, field);
    return this.bytes.subarray(offset, offset + length);
  }
}
