import { SternaError } from '@sterna/core';
import { MICROVM_MAP, splitRam } from '../memory-map.ts';
import { buildBootParams } from './boot-params.ts';
import { BOOT_SELECTORS, type BootState, bootGdt, identityPageTables } from './boot-state.ts';
import { type BzImage, runtimeRange } from './bzimage.ts';
import { DIRECT_LAYOUT, directE820, type E820Entry } from './guest-layout.ts';
import { hex, imageError } from './image-reader.ts';
import type { KernelImage } from './kernel-image.ts';
import {
  fillMultibootMemory,
  MULTIBOOT_BOOT_MAGIC,
  MULTIBOOT_INFO,
  type MultibootImage,
  placeMultiboot,
} from './multiboot.ts';
import { buildStartInfo, type PvhImage } from './pvh.ts';

/** Bytes to put into guest memory before the first instruction. */
export interface GuestWrite {
  readonly address: number;
  readonly bytes: Uint8Array;
  /** Size in memory when it is more than the bytes; the rest becomes zero. */
  readonly size?: number;
}

/** A kernel ready to start: what to write and how to enter. */
export interface DirectBoot {
  readonly writes: readonly GuestWrite[];
  readonly state: BootState;
}

/** What a direct boot is planned from. */
export interface DirectBootInput {
  readonly kernel: KernelImage;
  readonly kernelName: string;
  readonly cmdline: string;
  readonly initrd?: Uint8Array;
  readonly ramSize: number;
  readonly biosSize: number;
  /** Relocated ACPI tables and their root pointer, for {@link DIRECT_LAYOUT}'s addresses. */
  readonly acpi?: { readonly tables: Uint8Array; readonly rsdp: Uint8Array };
}

/** Longest command line without NUL for kernels that do not state one. */
const CMDLINE_MAX = 0x1_0000;
/** The protected-mode part of a bzImage. */
const KERNEL_ADDRESS = 0x10_0000;
/** Offset of the 64-bit entry in the protected-mode part. */
const ENTRY_64 = 0x200;

/**
 * Plans a boot without firmware: places kernel, initrd, command line, tables and the protocol's information
 * structure, and says in which state to enter.
 *
 * @throws SternaError `STERNA_ERR_RAM_SIZE` when RAM is too small, `STERNA_ERR_IMAGE_FORMAT` when the kernel cannot be
 * started this way.
 */
export function planDirectBoot(input: DirectBootInput): DirectBoot {
  const e820 = directE820(input.ramSize, input.biosSize, input.acpi !== undefined);
  const common = [...biosData(), ...acpiWrites(input, e820)];
  const plan = planKernel(input, e820);
  const gdt = { address: DIRECT_LAYOUT.gdt, bytes: bootGdt(plan.state.mode) };
  return { writes: [...common, gdt, ...plan.writes], state: plan.state };
}

function planKernel(input: DirectBootInput, e820: readonly E820Entry[]): DirectBoot {
  const { kernel } = input;
  switch (kernel.kind) {
    case 'bzimage':
      return planLinux(input, kernel, e820);
    case 'pvh':
      return planPvh(input, kernel, e820);
    case 'multiboot':
      return planMultiboot(input, kernel, e820);
  }
}

/** The words of the BIOS data area that kernels read to find memory to stay away from. */
function biosData(): GuestWrite[] {
  const bytes = new Uint8Array(0x100);
  const view = new DataView(bytes.buffer);
  view.setUint16(0x00, 0x3f8, true); // COM1
  view.setUint16(0x0e, DIRECT_LAYOUT.ebda / 16, true);
  view.setUint16(0x13, DIRECT_LAYOUT.ebda / 1024, true); // KiB of base memory
  const ebda = new Uint8Array(DIRECT_LAYOUT.ebdaEnd - DIRECT_LAYOUT.ebda);
  ebda[0] = 1; // its size in KiB
  return [
    { address: DIRECT_LAYOUT.biosData, bytes },
    { address: DIRECT_LAYOUT.ebda, bytes: ebda },
  ];
}

function acpiWrites({ acpi, biosSize }: DirectBootInput, e820: readonly E820Entry[]): GuestWrite[] {
  if (acpi === undefined) return [];
  const room = e820.find((entry) => entry.base === DIRECT_LAYOUT.acpiTables)?.length ?? 0;
  if (acpi.tables.length > room) {
    throw new SternaError(
      'STERNA_ERR_UNSUPPORTED',
      `${acpi.tables.length} bytes of ACPI tables do not fit the ${room} bytes below firmware of ${biosSize} bytes; boot with firmware (x-direct-boot=off)`,
    );
  }
  return [
    { address: DIRECT_LAYOUT.acpiTables, bytes: acpi.tables },
    { address: DIRECT_LAYOUT.rsdp, bytes: acpi.rsdp },
  ];
}

function cmdlineWrite(cmdline: string, max: number): GuestWrite {
  const bytes = new TextEncoder().encode(`${cmdline}\0`);
  if (bytes.length - 1 > max) {
    throw new SternaError(
      'STERNA_ERR_OPTION_VALUE',
      `the command line has ${bytes.length - 1} bytes, this kernel takes ${max}`,
    );
  }
  return { address: DIRECT_LAYOUT.cmdline, bytes };
}

/**
 * Address of the initrd: as high as the kernel and low RAM allow, page-aligned, as QEMU places it.
 *
 * @param busy Memory of the kernel, which it must not touch.
 */
function placeInitrd(
  initrd: Uint8Array,
  ramSize: number,
  max: number,
  busy: { readonly start: number; readonly end: number },
): number {
  const { below4g } = splitRam(ramSize);
  const limit = Math.min(max, below4g - 1);
  const raw = limit - initrd.length;
  const address = raw - (((raw % 4096) + 4096) % 4096);
  if (address < DIRECT_LAYOUT.highMemory || (address < busy.end && address + initrd.length > busy.start)) {
    throw new SternaError(
      'STERNA_ERR_RAM_SIZE',
      `an initrd of ${initrd.length} bytes does not fit beside the kernel (${hex(busy.start)}-${hex(busy.end)}) in ${ramSize / 2 ** 20} MiB of RAM; give more with -m`,
    );
  }
  return address;
}

function checkKernelFits(range: { readonly start: number; readonly end: number }, ramSize: number): void {
  const { below4g } = splitRam(ramSize);
  if (range.start < DIRECT_LAYOUT.highMemory) {
    throw imageError(
      'kernel',
      `it wants memory at ${hex(range.start)}, where a direct boot keeps its own structures; boot with firmware (x-direct-boot=off)`,
    );
  }
  if (range.end > below4g) {
    throw new SternaError(
      'STERNA_ERR_RAM_SIZE',
      `the kernel needs memory up to ${hex(range.end)}, RAM ends at ${hex(below4g)}; give more with -m`,
    );
  }
}

function planLinux(input: DirectBootInput, image: BzImage, e820: readonly E820Entry[]): DirectBoot {
  // Before 2.06 the command line limit, before 2.02 even its place differ; such kernels boot through firmware.
  if (image.protocol < 0x206 || !image.loadedHigh) {
    throw imageError(
      'Linux kernel image',
      `boot protocol ${image.protocol >> 8}.${(image.protocol & 0xff).toString().padStart(2, '0')} is too old for a direct boot; boot with firmware (x-direct-boot=off)`,
    );
  }
  const busy = runtimeRange(image, KERNEL_ADDRESS);
  checkKernelFits(busy, input.ramSize);
  const initrd = input.initrd && {
    address: placeInitrd(input.initrd, input.ramSize, image.initrdMax, busy),
    size: input.initrd.length,
  };
  const bootParams = buildBootParams({
    image,
    cmdlineAddress: DIRECT_LAYOUT.cmdline,
    e820,
    rsdp: rsdpOf(input),
    ...(initrd && { initrd }),
  });
  const long = image.has64BitEntry;
  return {
    writes: [
      { address: DIRECT_LAYOUT.bootParams, bytes: bootParams },
      cmdlineWrite(input.cmdline, Math.min(image.cmdlineMax, CMDLINE_MAX)),
      { address: KERNEL_ADDRESS, bytes: image.payload },
      ...initrdWrite(input, initrd),
      ...(long ? [{ address: DIRECT_LAYOUT.pageTables, bytes: identityPageTables(DIRECT_LAYOUT.pageTables) }] : []),
    ],
    state: {
      ...entryState(long ? 'long' : 'protected', KERNEL_ADDRESS + (long ? ENTRY_64 : 0)),
      rsi: DIRECT_LAYOUT.bootParams,
      ...(long ? { cr3: DIRECT_LAYOUT.pageTables } : {}),
    },
  };
}

function planPvh(input: DirectBootInput, image: PvhImage, e820: readonly E820Entry[]): DirectBoot {
  checkKernelFits(image.elf, input.ramSize);
  const initrd = input.initrd && {
    address: placeInitrd(input.initrd, input.ramSize, 0xffff_ffff, image.elf),
    size: input.initrd.length,
  };
  const address = DIRECT_LAYOUT.startInfo;
  const info = buildStartInfo({
    address,
    cmdlineAddress: DIRECT_LAYOUT.cmdline,
    e820,
    rsdp: rsdpOf(input),
    ...(initrd && { initrd }),
  });
  return {
    writes: [
      ...segmentWrites(image),
      cmdlineWrite(input.cmdline, CMDLINE_MAX),
      { address, bytes: info },
      ...initrdWrite(input, initrd),
    ],
    state: { ...entryState('protected', image.entry), rbx: address },
  };
}

/** Where the segments of an ELF kernel go; on the firmware path QEMU writes them at reset as well. */
export function segmentWrites(image: PvhImage): GuestWrite[] {
  return image.elf.segments.map(({ address, bytes, size }) => ({ address, bytes, size }));
}

function planMultiboot(input: DirectBootInput, image: MultibootImage, e820: readonly E820Entry[]): DirectBoot {
  const module = input.initrd && { name: 'initrd', bytes: input.initrd };
  const { buffer, info } = placeMultiboot(image, input.kernelName, input.cmdline, module);
  checkKernelFits({ start: image.address, end: image.address + buffer.length }, input.ramSize);
  const map = fillMultibootMemory(
    info,
    e820.map(({ base, length, type }) => ({ address: base, length, type })),
  );
  return {
    writes: [
      { address: image.address, bytes: buffer },
      { address: MULTIBOOT_INFO.mmap, bytes: map },
      { address: MULTIBOOT_INFO.info, bytes: info },
    ],
    state: { ...entryState('protected', image.entry), rax: MULTIBOOT_BOOT_MAGIC, rbx: MULTIBOOT_INFO.info },
  };
}

function initrdWrite({ initrd }: DirectBootInput, place: { readonly address: number } | undefined): GuestWrite[] {
  return initrd === undefined || place === undefined ? [] : [{ address: place.address, bytes: initrd }];
}

function rsdpOf({ acpi }: DirectBootInput): number {
  return acpi === undefined ? 0 : DIRECT_LAYOUT.rsdp;
}

function entryState(mode: BootState['mode'], rip: number): BootState {
  return { mode, rip, rsp: DIRECT_LAYOUT.stack, gdt: { base: DIRECT_LAYOUT.gdt, limit: 39 }, ...BOOT_SELECTORS };
}

/**
 * Content of `pc.bios` for a machine without firmware: zeros, and at the reset vector a few instructions that reset
 * the machine again, which boots its kernel again. They load an empty interrupt table and raise a breakpoint, so the
 * CPU shuts down.
 */
export function resetStub(size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  const at = size - 0x10;
  // cli; lidt cs:[0xfff8] (limit 0, base 0: the zeros there); int3
  bytes.set([0xfa, 0x2e, 0x0f, 0x01, 0x1e, 0xf8, 0xff, 0xcc], at);
  return bytes;
}

/** Sizes of `pc.bios` when no firmware file decides. */
export function defaultBiosSize(acpi: boolean, largeAcpiFirmware: boolean): number {
  return acpi && largeAcpiFirmware ? MICROVM_MAP.biosAliasMax : 0x1_0000;
}
