import type { BzImage } from './bzimage.ts';
import type { E820Entry } from './guest-layout.ts';
import { imageError } from './image-reader.ts';

/** Size of the zero page. */
export const BOOT_PARAMS_SIZE = 4096;
/** Entries that fit into the zero page's own memory map. */
const E820_MAX = 128;
/** Loader type that QEMU registered with the Linux boot protocol. */
export const LOADER_TYPE_QEMU = 0xb0;
const OFFSETS = {
  acpiRsdp: 0x070,
  extRamdiskImage: 0x0c0,
  extRamdiskSize: 0x0c4,
  extCmdlinePtr: 0x0c8,
  altMemK: 0x1e0,
  e820Entries: 0x1e8,
  setupHeader: 0x1f1,
  vidMode: 0x1fa,
  typeOfLoader: 0x210,
  ramdiskImage: 0x218,
  ramdiskSize: 0x21c,
  cmdlinePtr: 0x228,
  e820Table: 0x2d0,
} as const;

/** What the zero page tells the kernel. */
export interface BootParams {
  readonly image: BzImage;
  readonly cmdlineAddress: number;
  readonly initrd?: { readonly address: number; readonly size: number };
  readonly e820: readonly E820Entry[];
  /** Physical address of the ACPI root pointer, 0 without ACPI. */
  readonly rsdp: number;
}

/**
 * The zero page of the Linux boot protocol: the image's setup header with the loader's fields filled in, and the
 * memory map (Linux Documentation/arch/x86/zero-page.rst).
 */
export function buildBootParams({ image, cmdlineAddress, initrd, e820, rsdp }: BootParams): Uint8Array {
  if (e820.length > E820_MAX) throw imageError('zero page', `${e820.length} memory ranges, at most ${E820_MAX} fit`);
  const page = new Uint8Array(BOOT_PARAMS_SIZE);
  const view = new DataView(page.buffer);
  // The header's own length says where it ends; newer ones than we know are copied whole.
  const end = Math.min(image.headerEnd, image.setup.length, OFFSETS.e820Table);
  page.set(image.setup.subarray(OFFSETS.setupHeader, end), OFFSETS.setupHeader);
  page[OFFSETS.typeOfLoader] = LOADER_TYPE_QEMU;
  view.setUint16(OFFSETS.vidMode, 0xffff, true);
  view.setUint32(OFFSETS.cmdlinePtr, cmdlineAddress, true);
  view.setBigUint64(OFFSETS.acpiRsdp, BigInt(rsdp), true);
  if (initrd !== undefined) {
    view.setUint32(OFFSETS.ramdiskImage, initrd.address % 2 ** 32, true);
    view.setUint32(OFFSETS.ramdiskSize, initrd.size % 2 ** 32, true);
    view.setUint32(OFFSETS.extRamdiskImage, Math.floor(initrd.address / 2 ** 32), true);
    view.setUint32(OFFSETS.extRamdiskSize, Math.floor(initrd.size / 2 ** 32), true);
  }
  const extended = e820.find((entry) => entry.base === 0x10_0000);
  view.setUint32(OFFSETS.altMemK, Math.floor((extended?.length ?? 0) / 1024), true);
  view.setUint8(OFFSETS.e820Entries, e820.length);
  for (const [i, entry] of e820.entries()) {
    const at = OFFSETS.e820Table + i * 20;
    view.setBigUint64(at, BigInt(entry.base), true);
    view.setBigUint64(at + 8, BigInt(entry.length), true);
    view.setUint32(at + 16, entry.type, true);
  }
  return page;
}
