import { hex, ImageReader, imageError } from './image-reader.ts';

/** "HdrS" at offset 0x202 of a Linux kernel image. */
export const HDRS_MAGIC = 0x5372_6448;
const SECTOR = 512;
/** `loadflags` bit: the protected-mode part belongs at 1 MiB. */
const LOADED_HIGH = 0x01;
/** `xloadflags`: there is a 64-bit entry 0x200 bytes into the protected-mode part. */
const XLF_KERNEL_64 = 0x01;
/** `xloadflags`: kernel, command line and initrd may be above 4 GiB. */
const XLF_CAN_BE_LOADED_ABOVE_4G = 0x02;

/** A Linux kernel in the bzImage format, or the zImage and older forms (Linux Documentation/arch/x86/boot.rst). */
export interface BzImage {
  readonly kind: 'bzimage';
  readonly bytes: Uint8Array;
  /** Version of the boot protocol, `0x020f` for 2.15; 0 for kernels without a version. */
  readonly protocol: number;
  /** Real-mode part, boot sector included. */
  readonly setup: Uint8Array;
  /** Protected-mode part. */
  readonly payload: Uint8Array;
  readonly loadedHigh: boolean;
  readonly has64BitEntry: boolean;
  readonly canBeLoadedAbove4G: boolean;
  /** Last byte address that an initrd may touch. */
  readonly initrdMax: number;
  /** Longest command line without its NUL. */
  readonly cmdlineMax: number;
  readonly relocatable: boolean;
  readonly alignment: number;
  /** Where the unpacked kernel would like to be. */
  readonly preferredAddress: number;
  /** Memory that the kernel needs from its runtime address on before it reads the memory map. */
  readonly initSize: number;
  /** Offset of the first byte after the setup header. */
  readonly headerEnd: number;
}

/** True when the image carries the setup header of protocol 2.00 or later. */
export function isBzImage(bytes: Uint8Array): boolean {
  return bytes.length >= 0x208 && new ImageReader(bytes, 'kernel').u32(0x202, 'header magic') === HDRS_MAGIC;
}

/**
 * Takes a Linux kernel image apart.
 *
 * @throws SternaError `STERNA_ERR_IMAGE_FORMAT` with the field and offset that is wrong.
 */
export function parseBzImage(bytes: Uint8Array): BzImage {
  const image = new ImageReader(bytes, 'Linux kernel image');
  const protocol = isBzImage(bytes) ? image.u16(0x206, 'boot protocol version') : 0;
  if (protocol !== 0 && (protocol < 0x200 || protocol > 0x2ff)) {
    throw imageError(image.what, `boot protocol version ${hex(protocol)} at offset 0x206 is not 2.x`);
  }
  const sectors = image.u8(0x1f1, 'setup_sects') || 4;
  const setupSize = (sectors + 1) * SECTOR;
  image.need(0, setupSize, `setup part of ${sectors} sectors`);
  if (bytes.length === setupSize)
    throw imageError(image.what, `there is no kernel after the setup part (offset ${hex(setupSize)})`);
  const since = <T>(version: number, read: () => T, otherwise: T): T => (protocol >= version ? read() : otherwise);
  const xloadflags = since(0x20c, () => image.u16(0x236, 'xloadflags'), 0);
  const above4g = (xloadflags & XLF_CAN_BE_LOADED_ABOVE_4G) !== 0;
  const alignment = since(0x205, () => image.u32(0x230, 'kernel_alignment'), 0);
  const relocatable = since(0x205, () => image.u8(0x234, 'relocatable_kernel') !== 0, false);
  // With LINUX's own rule a relocatable kernel has a power of two here; it is used as a divisor below.
  if (relocatable && (alignment === 0 || !Number.isInteger(Math.log2(alignment)))) {
    throw imageError(image.what, `kernel_alignment at offset 0x230 is ${hex(alignment)}, not a power of two`);
  }
  return {
    kind: 'bzimage',
    bytes,
    protocol,
    setup: image.slice(0, setupSize, 'setup part'),
    payload: image.slice(setupSize, bytes.length - setupSize, 'protected-mode part'),
    loadedHigh: since(0x200, () => (image.u8(0x211, 'loadflags') & LOADED_HIGH) !== 0, false),
    has64BitEntry: (xloadflags & XLF_KERNEL_64) !== 0,
    canBeLoadedAbove4G: above4g,
    initrdMax: above4g ? 0xffff_ffff : since(0x203, () => image.u32(0x22c, 'initrd_addr_max'), 0x37ff_ffff),
    cmdlineMax: since(0x206, () => image.u32(0x238, 'cmdline_size'), 255),
    relocatable,
    alignment,
    preferredAddress: since(0x20a, () => image.u64(0x258, 'pref_address'), 0),
    initSize: since(0x20a, () => image.u32(0x260, 'init_size'), 0),
    headerEnd: since(0x202, () => 0x202 + image.u8(0x201, 'header length'), 0x220),
  };
}

/** Guest memory that the unpacked kernel will use when its protected-mode part was loaded at `address`. */
export function runtimeRange(image: BzImage, address: number): { readonly start: number; readonly end: number } {
  const end = address + image.payload.length;
  if (image.initSize === 0) return { start: address, end };
  const aligned = image.relocatable ? Math.ceil(address / image.alignment) * image.alignment : image.preferredAddress;
  const runtime = Math.max(aligned, image.preferredAddress);
  return { start: Math.min(address, runtime), end: Math.max(end, runtime + image.initSize) };
}
