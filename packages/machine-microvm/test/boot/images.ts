/** Small images in the formats that a machine boots, for tests. */

/** A bzImage of protocol 2.15 with a recognisable payload. */
export function bzImage(
  options: { protocol?: number; payload?: number; xloadflags?: number; initSize?: number; loadflags?: number } = {},
): Uint8Array {
  const { protocol = 0x20f, payload = 4096, xloadflags = 3, initSize = 0x100_0000, loadflags = 1 } = options;
  const bytes = new Uint8Array(5 * 512 + payload);
  const view = new DataView(bytes.buffer);
  bytes[0x1f1] = 4;
  bytes[0x201] = 0x6a;
  view.setUint32(0x202, 0x5372_6448, true);
  view.setUint16(0x206, protocol, true);
  bytes[0x211] = loadflags;
  view.setUint32(0x214, 0x10_0000, true);
  view.setUint32(0x22c, 0x7fff_ffff, true);
  view.setUint32(0x230, 0x20_0000, true);
  bytes[0x234] = 1;
  view.setUint16(0x236, xloadflags, true);
  view.setUint32(0x238, 2047, true);
  view.setBigUint64(0x258, 0x100_0000n, true);
  view.setUint32(0x260, initSize, true);
  bytes.fill(0xcc, 5 * 512);
  return bytes;
}

/** An ELF64 kernel at 1 MiB with 64 bytes of text, 4096 bytes in memory and a PVH note. */
export function pvhElf(options: { note?: boolean; entry?: number } = {}): Uint8Array {
  const { note = true, entry = 0x10_0010 } = options;
  const bytes = new Uint8Array(64 + 2 * 56 + 20 + 64);
  const view = new DataView(bytes.buffer);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  view.setUint16(16, 2, true);
  view.setUint16(18, 62, true);
  view.setBigUint64(24, 0x10_0000n, true);
  view.setBigUint64(32, 64n, true);
  view.setUint16(54, 56, true);
  view.setUint16(56, 2, true);
  const header = (at: number, type: number, offset: number, address: number, fileSize: number, size: number) => {
    view.setUint32(at, type, true);
    view.setBigUint64(at + 8, BigInt(offset), true);
    view.setBigUint64(at + 24, BigInt(address), true);
    view.setBigUint64(at + 32, BigInt(fileSize), true);
    view.setBigUint64(at + 40, BigInt(size), true);
    view.setBigUint64(at + 48, 4n, true);
  };
  header(64, 1, 196, 0x10_0000, 64, 4096);
  header(120, note ? 4 : 0, 176, 0, 20, 20);
  view.setUint32(176, 4, true);
  view.setUint32(180, 4, true);
  view.setUint32(184, 18, true);
  bytes.set([0x58, 0x65, 0x6e, 0], 188);
  view.setUint32(192, entry, true);
  bytes.fill(0x90, 196);
  return bytes;
}

/** A flat multiboot kernel at 1 MiB: header at file offset 16, 256 bytes of file, bss up to 8 KiB. */
export function multibootFlat(): Uint8Array {
  const bytes = new Uint8Array(256).fill(0x90);
  const view = new DataView(bytes.buffer);
  const flags = 0x1_0003;
  const words = [
    0x1bad_b002,
    flags,
    -(0x1bad_b002 + flags) >>> 0,
    0x10_0010,
    0x10_0000,
    0x10_0100,
    0x10_2000,
    0x10_0040,
  ];
  for (const [i, word] of words.entries()) view.setUint32(16 + i * 4, word, true);
  return bytes;
}
