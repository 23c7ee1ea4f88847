import { parseElf } from './elf.ts';
import { hex, ImageReader, imageError } from './image-reader.ts';

const HEADER_MAGIC = 0x1bad_b002;
/** EAX at the entry of a multiboot kernel. */
export const MULTIBOOT_BOOT_MAGIC = 0x2bad_b002;
/** Bytes from the start of the file in which the header must be. */
const SEARCH = 8192;
/** Header flag: the address fields are valid. */
const HAS_ADDRESSES = 0x1_0000;
const PAGE = 4096;
/** Most guest memory that a kernel may claim: all of the low RAM this machine can have. */
const MAX_SIZE = 0xc000_0000;

/** A multiboot kernel, ready to be placed (Multiboot specification 0.6.96). */
export interface MultibootImage {
  readonly kind: 'multiboot';
  readonly entry: number;
  readonly address: number;
  /** Pieces of the file with their guest addresses; what is not covered up to `size` is zero. */
  readonly pieces: readonly { readonly address: number; readonly bytes: Uint8Array }[];
  /** Size in memory from `address` on. */
  readonly size: number;
}

/** Offset of the multiboot header, or undefined when the file has none. */
export function findMultibootHeader(bytes: Uint8Array): number | undefined {
  const file = new ImageReader(bytes, 'multiboot kernel');
  for (let at = 0; at < Math.min(SEARCH - 48, bytes.length - 11); at += 4) {
    if (file.u32(at, 'magic') !== HEADER_MAGIC) continue;
    const sum = HEADER_MAGIC + file.u32(at + 4, 'flags') + file.u32(at + 8, 'checksum');
    if (sum % 2 ** 32 === 0) return at;
  }
  return undefined;
}

/**
 * Reads a multiboot kernel whose header is at `header`.
 *
 * @throws SternaError `STERNA_ERR_IMAGE_FORMAT` when its addresses contradict each other or the file.
 */
export function parseMultiboot(bytes: Uint8Array, header: number): MultibootImage {
  const file = new ImageReader(bytes, 'multiboot kernel');
  if ((file.u32(header + 4, 'flags') & HAS_ADDRESSES) === 0) return fromElf(bytes);
  const headerAddress = file.u32(header + 12, 'header_addr');
  const address = file.u32(header + 16, 'load_addr');
  const loadEnd = file.u32(header + 20, 'load_end_addr');
  const bssEnd = file.u32(header + 24, 'bss_end_addr');
  const entry = file.u32(header + 28, 'entry_addr');
  const textOffset = header - (headerAddress - address);
  if (headerAddress < address)
    throw imageError(
      file.what,
      `load_addr ${hex(address)} is above header_addr ${hex(headerAddress)} (offset ${hex(header + 16)})`,
    );
  if (textOffset < 0)
    throw imageError(
      file.what,
      `load_addr ${hex(address)} is before the file's first byte (offset ${hex(header + 16)})`,
    );
  if (loadEnd !== 0 && loadEnd < address)
    throw imageError(file.what, `load_end_addr ${hex(loadEnd)} is below load_addr (offset ${hex(header + 20)})`);
  const loadSize = loadEnd === 0 ? bytes.length - textOffset : loadEnd - address;
  const content = file.slice(textOffset, loadSize, 'text and data');
  if (bssEnd !== 0 && bssEnd < address + loadSize)
    throw imageError(file.what, `bss_end_addr ${hex(bssEnd)} is inside the loaded data (offset ${hex(header + 24)})`);
  return checked({
    kind: 'multiboot',
    entry,
    address,
    pieces: [{ address, bytes: content }],
    size: bssEnd === 0 ? loadSize : bssEnd - address,
  });
}

function fromElf(bytes: Uint8Array): MultibootImage {
  const elf = parseElf(bytes);
  // The specification knows 32-bit entry states only; QEMU refuses the same files.
  if (elf.bits === 64)
    throw imageError('multiboot kernel', 'a 64-bit ELF file cannot be a multiboot kernel; give a 32-bit one');
  return checked({
    kind: 'multiboot',
    entry: elf.entry,
    address: elf.start,
    pieces: elf.segments,
    size: elf.end - elf.start,
  });
}

function checked(image: MultibootImage): MultibootImage {
  if (image.size > MAX_SIZE) throw imageError('multiboot kernel', `it claims ${hex(image.size)} bytes of memory`);
  if (image.entry < image.address || image.entry >= image.address + image.size) {
    throw imageError(
      'multiboot kernel',
      `entry ${hex(image.entry)} is outside the image ${hex(image.address)}-${hex(image.address + image.size)}`,
    );
  }
  return image;
}

/** Memory ranges as the information structure lists them. */
export interface MultibootMemory {
  readonly address: number;
  readonly length: number;
  /** 1 RAM, other values reserved. */
  readonly type: number;
}

/** Guest addresses of the information structure and its memory map; the map's room is 0x500 bytes. */
export const MULTIBOOT_INFO = { mmap: 0x9000, info: 0x9500, size: 88 } as const;

const FLAG_MEMORY = 1 << 0;
const FLAG_BOOT_DEVICE = 1 << 1;
const FLAG_CMDLINE = 1 << 2;
const FLAG_MODULES = 1 << 3;
const FLAG_MMAP = 1 << 6;
const FLAG_LOADER_NAME = 1 << 9;
const MODULE_SIZE = 16;
const LOADER_NAME = 'qemu';

/** Kernel, texts and modules in one buffer, and the information structure that points into it. */
export interface MultibootPlacement {
  /** Belongs at the image's address. */
  readonly buffer: Uint8Array;
  /** The 88 bytes at {@link MULTIBOOT_INFO}; memory sizes and map length are left to whoever knows the map. */
  readonly info: Uint8Array;
}

/**
 * Lays out kernel, module, command line and loader name as QEMU's loader does: after the page-aligned kernel come
 * the module list, the texts and, page-aligned again, the module (QEMU hw/i386/multiboot.c, v10.0).
 *
 * @param kernelName Text before the command line; GRUB and QEMU put the file name there.
 */
export function placeMultiboot(
  image: MultibootImage,
  kernelName: string,
  cmdline: string,
  module?: { readonly name: string; readonly bytes: Uint8Array },
): MultibootPlacement {
  const text = new TextEncoder();
  const page = (n: number) => Math.ceil(n / PAGE) * PAGE;
  const command = text.encode(`${kernelName} ${cmdline}\0`);
  const moduleName = text.encode(module === undefined ? '' : `${module.name}\0`);
  const loader = text.encode(`${LOADER_NAME}\0`);
  const modules = page(image.size);
  const texts = modules + (module === undefined ? 0 : MODULE_SIZE);
  const loaderAt = texts + command.length + moduleName.length;
  const moduleAt = page(loaderAt + loader.length);
  const buffer = new Uint8Array(module === undefined ? moduleAt : page(moduleAt + module.bytes.length));
  for (const piece of image.pieces) buffer.set(piece.bytes, piece.address - image.address);
  buffer.set(moduleName, texts);
  buffer.set(command, texts + moduleName.length);
  buffer.set(loader, loaderAt);
  const info = new Uint8Array(MULTIBOOT_INFO.size);
  const fields = new DataView(info.buffer);
  fields.setUint32(
    0,
    FLAG_MEMORY | FLAG_BOOT_DEVICE | FLAG_CMDLINE | FLAG_MODULES | FLAG_MMAP | FLAG_LOADER_NAME,
    true,
  );
  fields.setUint32(12, 0x8000_ffff, true);
  fields.setUint32(16, image.address + texts + moduleName.length, true);
  fields.setUint32(20, module === undefined ? 0 : 1, true);
  fields.setUint32(24, image.address + modules, true);
  fields.setUint32(48, MULTIBOOT_INFO.mmap, true);
  fields.setUint32(64, image.address + loaderAt, true);
  if (module !== undefined) {
    buffer.set(module.bytes, moduleAt);
    const entry = new DataView(buffer.buffer, modules, MODULE_SIZE);
    entry.setUint32(0, image.address + moduleAt, true);
    entry.setUint32(4, image.address + moduleAt + module.bytes.length, true);
    entry.setUint32(8, image.address + texts, true);
  }
  return { buffer, info };
}

/** Adds the memory map, which on the firmware path the option ROM does. */
export function fillMultibootMemory(info: Uint8Array, memory: readonly MultibootMemory[]): Uint8Array {
  const map = new Uint8Array(memory.length * 24);
  const entries = new DataView(map.buffer);
  for (const [i, { address, length, type }] of memory.entries()) {
    entries.setUint32(i * 24, 20, true); // size of the rest of the entry
    entries.setBigUint64(i * 24 + 4, BigInt(address), true);
    entries.setBigUint64(i * 24 + 12, BigInt(length), true);
    entries.setUint32(i * 24 + 20, type, true);
  }
  const fields = new DataView(info.buffer, info.byteOffset, info.byteLength);
  const ram = memory.filter((range) => range.type === 1);
  const low = ram.find((range) => range.address === 0);
  const upper = ram.find((range) => range.address === 0x10_0000);
  fields.setUint32(4, Math.floor((low?.length ?? 0) / 1024), true);
  fields.setUint32(8, Math.floor((upper?.length ?? 0) / 1024), true);
  fields.setUint32(44, map.length, true);
  return map;
}
