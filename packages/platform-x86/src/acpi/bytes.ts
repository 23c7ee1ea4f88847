/** Little-endian integers and fixed-width text for tables. */

export function u8(value: number): number[] {
  return [value & 0xff];
}

export function u16(value: number): number[] {
  return [value & 0xff, (value >>> 8) & 0xff];
}

export function u32(value: number): number[] {
  return [...u16(value), ...u16(value >>> 16)];
}

/** @param value Below 2^53. */
export function u64(value: number): number[] {
  return [...u32(value % 2 ** 32), ...u32(Math.floor(value / 2 ** 32))];
}

export function zeros(count: number): number[] {
  return new Array<number>(count).fill(0);
}

/** ASCII padded to `width` bytes. */
export function ascii(text: string, width: number, pad = ' '): number[] {
  return Array.from(text.padEnd(width, pad), (char) => char.charCodeAt(0));
}

/** The byte that makes the sum of all bytes zero. */
export function checksum(bytes: Uint8Array | readonly number[]): number {
  let sum = 0;
  for (const byte of bytes) sum += byte;
  return -sum & 0xff;
}
