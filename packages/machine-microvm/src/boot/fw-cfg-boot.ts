import { SternaError } from '@sterna/core';
import { splitRam } from '../memory-map.ts';
import { LOADER_TYPE_QEMU } from './boot-params.ts';
import type { BzImage } from './bzimage.ts';
import { type GuestWrite, segmentWrites } from './direct-boot.ts';
import { imageError } from './image-reader.ts';
import type { KernelImage } from './kernel-image.ts';
import { MULTIBOOT_INFO, type MultibootImage, placeMultiboot } from './multiboot.ts';
import type { PvhImage } from './pvh.ts';

/** Keys of the firmware configuration device that describe a kernel (QEMU include/standard-headers/linux/qemu_fw_cfg.h). */
export const KERNEL_KEYS = {
  kernelAddr: 0x07,
  kernelSize: 0x08,
  initrdAddr: 0x0a,
  initrdSize: 0x0b,
  kernelEntry: 0x10,
  kernelData: 0x11,
  initrdData: 0x12,
  cmdlineAddr: 0x13,
  cmdlineSize: 0x14,
  cmdlineData: 0x15,
  setupAddr: 0x16,
  setupSize: 0x17,
  setupData: 0x18,
} as const;

/** What firmware is offered for `-kernel`. */
export interface FirmwareBoot {
  /** Values by key. */
  readonly items: ReadonlyMap<number, Uint8Array>;
  /** Option ROM that loads the kernel under firmware without an own loader. */
  readonly optionRom: string;
  /** Content of `etc/boot/kernel`, from 11.1 on. */
  readonly wholeKernel?: Uint8Array;
  /** Images that belong into RAM at every reset. */
  readonly writes: readonly GuestWrite[];
}

/** What the kernel keys are made from. */
export interface FirmwareBootInput {
  readonly kernel: KernelImage;
  readonly kernelName: string;
  readonly cmdline: string;
  readonly initrd?: Uint8Array;
  readonly ramSize: number;
}

const text = new TextEncoder();

function u32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return bytes;
}

/**
 * The kernel as QEMU offers it to firmware through fw_cfg (QEMU hw/i386/x86-common.c and multiboot.c, v10.0).
 *
 * @throws SternaError `STERNA_ERR_IMAGE_FORMAT` or `STERNA_ERR_RAM_SIZE` when kernel or initrd cannot be offered.
 */
export function planFirmwareBoot(input: FirmwareBootInput): FirmwareBoot {
  const { kernel } = input;
  switch (kernel.kind) {
    case 'bzimage':
      return offerLinux(input, kernel);
    case 'pvh':
      return offerPvh(input, kernel);
    case 'multiboot':
      return offerMultiboot(input, kernel);
  }
}

/** Command line items. */
export function cmdlineItems(cmdline: string): [number, Uint8Array][] {
  const data = text.encode(`${cmdline}\0`);
  return [
    [KERNEL_KEYS.cmdlineSize, u32(data.length)],
    [KERNEL_KEYS.cmdlineData, data],
  ];
}

function initrdItems(initrd: Uint8Array, max: number): { address: number; items: [number, Uint8Array][] } {
  if (initrd.length >= max) {
    throw new SternaError(
      'STERNA_ERR_RAM_SIZE',
      `an initrd of ${initrd.length} bytes does not fit below ${max}; give more memory with -m`,
    );
  }
  const raw = max - initrd.length;
  const address = raw - (raw % 4096);
  return {
    address,
    items: [
      [KERNEL_KEYS.initrdAddr, u32(address)],
      [KERNEL_KEYS.initrdSize, u32(initrd.length)],
      [KERNEL_KEYS.initrdData, initrd],
    ],
  };
}

/** Guest addresses of the parts, by age of the kernel. */
function linuxPlaces(image: BzImage, cmdline: string): { setup: number; cmdline: number; kernel: number } {
  // Rounded up "to be sure", so the address depends on the length only in steps of 16.
  const old = 0x9_a000 - (text.encode(cmdline).length + 16 - ((text.encode(cmdline).length + 16) % 16));
  if (image.protocol < 0x200 || !image.loadedHigh) return { setup: 0x9_0000, cmdline: old, kernel: 0x1_0000 };
  if (image.protocol < 0x202) return { setup: 0x9_0000, cmdline: old, kernel: 0x10_0000 };
  return { setup: 0x1_0000, cmdline: 0x2_0000, kernel: 0x10_0000 };
}

function offerLinux(input: FirmwareBootInput, image: BzImage): FirmwareBoot {
  const { protocol } = image;
  const places = linuxPlaces(image, input.cmdline);
  const initrdMax = Math.min(image.initrdMax, splitRam(input.ramSize).below4g - 1);
  if (input.initrd !== undefined && protocol < 0x200)
    throw imageError('Linux kernel image', 'it is too old to take an initrd');
  const initrd = input.initrd && initrdItems(input.initrd, initrdMax);
  const setup = Uint8Array.from(image.setup);
  const header = new DataView(setup.buffer);
  if (protocol >= 0x202) header.setUint32(0x228, places.cmdline, true);
  else {
    header.setUint16(0x20, 0xa33f, true);
    header.setUint16(0x22, places.cmdline - places.setup, true);
  }
  const mode = videoMode(input.cmdline);
  if (mode !== undefined) header.setUint16(0x1fa, mode, true);
  if (protocol >= 0x200) setup[0x210] = LOADER_TYPE_QEMU;
  if (protocol >= 0x201) {
    setup[0x211] = setup[0x211]! | 0x80; // CAN_USE_HEAP
    header.setUint16(0x224, places.cmdline - places.setup - 0x200, true);
  }
  if (initrd !== undefined && input.initrd !== undefined) {
    header.setUint32(0x218, initrd.address, true);
    header.setUint32(0x21c, input.initrd.length, true);
  }
  return {
    items: new Map([
      [KERNEL_KEYS.cmdlineAddr, u32(places.cmdline)],
      ...cmdlineItems(input.cmdline),
      ...(initrd?.items ?? []),
      [KERNEL_KEYS.kernelAddr, u32(places.kernel)],
      [KERNEL_KEYS.kernelSize, u32(image.payload.length)],
      [KERNEL_KEYS.kernelData, image.payload],
      [KERNEL_KEYS.setupAddr, u32(places.setup)],
      [KERNEL_KEYS.setupSize, u32(setup.length)],
      [KERNEL_KEYS.setupData, setup],
    ]),
    optionRom: 'linuxboot_dma.bin',
    wholeKernel: image.bytes,
    writes: [],
  };
}

/** Value of `vga=`: a name or a number in C notation. */
function videoMode(cmdline: string): number | undefined {
  const match = /vga=(\S*)/.exec(cmdline);
  if (match === null) return undefined;
  const value = match[1]!;
  if (value.startsWith('normal')) return 0xffff;
  if (value.startsWith('ext')) return 0xfffe;
  if (value.startsWith('ask')) return 0xfffd;
  const number = /^0[0-7]+$/.test(value) ? Number.parseInt(value, 8) : Number(value === '' ? Number.NaN : value);
  if (!Number.isInteger(number) || number < 0 || number > 0xffff_ffff) {
    throw new SternaError(
      'STERNA_ERR_OPTION_VALUE',
      `kernel parameter vga=${value} is neither normal, ext, ask nor a number`,
    );
  }
  return number % 0x1_0000;
}

function offerPvh(input: FirmwareBootInput, image: PvhImage): FirmwareBoot {
  const initrd = input.initrd && initrdItems(input.initrd, splitRam(input.ramSize).below4g - 1);
  return {
    items: new Map([
      [KERNEL_KEYS.kernelEntry, u32(image.entry)],
      [KERNEL_KEYS.kernelAddr, u32(image.elf.start)],
      [KERNEL_KEYS.kernelSize, u32(image.elf.end - image.elf.start)],
      ...cmdlineItems(input.cmdline),
      // QEMU hands over its whole 8 KiB buffer, which is longer than a short file.
      [KERNEL_KEYS.setupSize, u32(8192)],
      [KERNEL_KEYS.setupData, padded(image.header, 8192)],
      ...(initrd?.items ?? []),
    ]),
    optionRom: 'pvh.bin',
    writes: segmentWrites(image),
  };
}

function padded(bytes: Uint8Array, size: number): Uint8Array {
  const result = new Uint8Array(size);
  result.set(bytes.subarray(0, size));
  return result;
}

function offerMultiboot(input: FirmwareBootInput, image: MultibootImage): FirmwareBoot {
  const module = input.initrd && { name: 'initrd', bytes: input.initrd };
  const { buffer, info } = placeMultiboot(image, input.kernelName, input.cmdline, module);
  return {
    items: new Map([
      [KERNEL_KEYS.kernelEntry, u32(image.entry)],
      [KERNEL_KEYS.kernelAddr, u32(image.address)],
      [KERNEL_KEYS.kernelSize, u32(buffer.length)],
      [KERNEL_KEYS.kernelData, buffer],
      [KERNEL_KEYS.initrdAddr, u32(MULTIBOOT_INFO.info)],
      [KERNEL_KEYS.initrdSize, u32(info.length)],
      [KERNEL_KEYS.initrdData, info],
    ]),
    optionRom: 'multiboot_dma.bin',
    writes: [],
  };
}
