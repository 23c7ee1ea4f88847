import { type ElfImage, parseElf } from './elf.ts';
import type { E820Entry } from './guest-layout.ts';
import { hex, ImageReader, imageError } from './image-reader.ts';

/** Note type of the 32-bit PVH entry (Xen public/elfnote.h, XEN_ELFNOTE_PHYS32_ENTRY). */
const PHYS32_ENTRY = 18;
const START_MAGIC = 0x336e_c578;
const START_INFO_SIZE = 56;
const MODULE_SIZE = 32;
const MEMMAP_SIZE = 24;

/** An uncompressed kernel that is entered through the x86/HVM direct boot ABI. */
export interface PvhImage {
  readonly kind: 'pvh';
  readonly elf: ElfImage;
  /** 32-bit entry. */
  readonly entry: number;
  /** The file's first bytes, which QEMU hands to firmware. */
  readonly header: Uint8Array;
}

/**
 * Reads an ELF kernel and its PVH entry.
 *
 * @throws SternaError `STERNA_ERR_IMAGE_FORMAT` also when the file has no PVH note.
 */
export function parsePvh(bytes: Uint8Array): PvhImage {
  const elf = parseElf(bytes);
  const note = elf.notes.find((n) => n.name === 'Xen' && n.type === PHYS32_ENTRY);
  if (note === undefined) {
    throw imageError(
      'ELF kernel',
      'it has no PVH entry note (Xen, type 18) and no multiboot header, so nothing says how to enter it',
    );
  }
  if (note.content.length !== 4 && note.content.length !== 8) {
    throw imageError(
      'ELF kernel',
      `the PVH note at offset ${hex(note.offset)} holds ${note.content.length} bytes instead of an address`,
    );
  }
  const content = new ImageReader(note.content, 'PVH note');
  const entry = note.content.length === 8 ? content.u64(0, 'entry') : content.u32(0, 'entry');
  if (entry < elf.start || entry >= elf.end) {
    throw imageError(
      'ELF kernel',
      `the PVH entry ${hex(entry)} is outside the image ${hex(elf.start)}-${hex(elf.end)}`,
    );
  }
  return { kind: 'pvh', elf, entry, header: bytes.subarray(0, 8192) };
}

/** What the start info tells the kernel. */
export interface PvhStart {
  /** Guest address of the structure; module list and memory map follow it. */
  readonly address: number;
  readonly cmdlineAddress: number;
  readonly initrd?: { readonly address: number; readonly size: number };
  readonly e820: readonly E820Entry[];
  readonly rsdp: number;
}

/** `hvm_start_info` version 1 with one module for the initrd and the memory map (Xen public/arch-x86/hvm/start_info.h). */
export function buildStartInfo({ address, cmdlineAddress, initrd, e820, rsdp }: PvhStart): Uint8Array {
  const modules = START_INFO_SIZE;
  const memmap = modules + (initrd === undefined ? 0 : MODULE_SIZE);
  const bytes = new Uint8Array(memmap + e820.length * MEMMAP_SIZE);
  const view = new DataView(bytes.buffer);
  const u64 = (at: number, value: number) => view.setBigUint64(at, BigInt(value), true);
  view.setUint32(0, START_MAGIC, true);
  view.setUint32(4, 1, true);
  view.setUint32(12, initrd === undefined ? 0 : 1, true);
  u64(16, initrd === undefined ? 0 : address + modules);
  u64(24, cmdlineAddress);
  u64(32, rsdp);
  u64(40, address + memmap);
  view.setUint32(48, e820.length, true);
  if (initrd !== undefined) {
    u64(modules, initrd.address);
    u64(modules + 8, initrd.size);
  }
  for (const [i, entry] of e820.entries()) {
    const at = memmap + i * MEMMAP_SIZE;
    u64(at, entry.base);
    u64(at + 8, entry.length);
    view.setUint32(at + 16, entry.type, true);
  }
  return bytes;
}
