/** Bytes as lower-case hexadecimal digits. */
export function toHex(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += byte.toString(16).padStart(2, '0');
  return text;
}

/** The bytes behind hexadecimal digits; undefined when they are not pairs of digits. */
export function fromHex(text: string): Uint8Array | undefined {
  if (text.length % 2 !== 0 || !/^[0-9a-fA-F]*$/.test(text)) return undefined;
  const bytes = new Uint8Array(text.length / 2);
  for (let i = 0; i < bytes.length; i++) bytes[i] = Number.parseInt(text.slice(2 * i, 2 * i + 2), 16);
  return bytes;
}

/** An address of at most 64 bits; undefined when it is none. */
export function parseAddress(text: string): bigint | undefined {
  return /^[0-9a-fA-F]{1,16}$/.test(text) ? BigInt(`0x${text}`) : undefined;
}

/** A number of at most 31 bits; undefined when it is none. */
export function parseCount(text: string): number | undefined {
  if (!/^0*[0-9a-fA-F]{1,8}$/.test(text)) return undefined;
  const value = Number.parseInt(text, 16);
  return value <= 0x7fff_ffff ? value : undefined;
}

/** Text as bytes of Latin-1, which is what packets hold. */
export function latin1Bytes(text: string): Uint8Array {
  return Uint8Array.from(text, (char) => char.charCodeAt(0) & 0xff);
}

/** Bytes as text with one character each. */
export function latin1Text(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}
