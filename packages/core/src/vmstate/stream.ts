/**
 * The two ends of a migration stream as a device sees them: what a custom
 * field or a live section reads and writes. Everything is big-endian, as on
 * QEMU's wire. The implementations live in `@sterna/migration`; core names
 * only the shape, so that a device package needs no migration code.
 */

/** Writes device state. Calls never block and never fail; the migration driver finds a broken channel by itself. */
export interface SaveStream {
  /** Writes one byte; the value is cut to 8 bits. */
  u8(value: number): void;
  /** Writes 2 bytes. */
  u16(value: number): void;
  /** Writes 4 bytes; negative values are written as two's complement. */
  u32(value: number): void;
  /** Writes 8 bytes; negative values are written as two's complement. */
  u64(value: bigint): void;
  /** Writes the bytes as they are, with no length before them. The array is copied before the call returns. */
  bytes(value: Uint8Array): void;
  /** Writes a counted string: one length byte, then at most 255 bytes of UTF-8. */
  countedString(value: string): void;
}

/**
 * Reads device state. Nothing that comes out of it may be trusted: check
 * before use as an index or a length, and throw `RangeError` with both values;
 * the reader adds section, instance and offset.
 *
 * The wire gives a section no length, so the bytes of one may still be on
 * their way when the device starts to read. A synchronous reader that runs out
 * of bytes is unwound and called again from its start once more have arrived:
 * it must read and check before it changes anything that a second call would
 * change again. A reader of large data awaits {@link LoadStream.ready} instead.
 */
export interface LoadStream {
  /** Bytes consumed of the whole stream so far; for messages. */
  readonly offset: number;
  u8(): number;
  u16(): number;
  u32(): number;
  i8(): number;
  i16(): number;
  i32(): number;
  u64(): bigint;
  i64(): bigint;
  /** Reads `length` bytes into a fresh array. @throws StreamError when `length` is beyond what one section may hold. */
  bytes(length: number): Uint8Array<ArrayBuffer>;
  /** Fills `target` completely. */
  bytesInto(target: Uint8Array): void;
  /** Reads a counted string (one length byte, then the bytes). */
  countedString(): string;
  /** The next byte, not consumed. */
  peekU8(): number;
  /** Resolves when `length` more bytes can be read without running out; from here on the caller is not restarted. */
  ready(length: number): Promise<void>;
}
