/** Longest piece that is written where a driver cannot zero by itself. */
export const ZERO_CHUNK: number = 64 * 1024;

/** What such pieces are taken from; nobody writes to it. */
export const ZEROES: Uint8Array = new Uint8Array(ZERO_CHUNK);

/** Whether all bytes are zero. */
export function isZero(bytes: Uint8Array): boolean {
  const head = Math.min(bytes.length, (4 - (bytes.byteOffset & 3)) & 3);
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset + head, (bytes.length - head) >>> 2);
  for (let i = 0; i < head; i++) if (bytes[i] !== 0) return false;
  for (let i = 0; i < words.length; i++) if (words[i] !== 0) return false;
  for (let i = head + words.byteLength; i < bytes.length; i++) if (bytes[i] !== 0) return false;
  return true;
}
