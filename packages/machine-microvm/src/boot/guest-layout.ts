import { MICROVM_MAP, splitRam } from '../memory-map.ts';

/** Memory types of the e820 map. */
export const E820 = { RAM: 1, RESERVED: 2, ACPI: 3, NVS: 4 } as const;

/** A range of the e820 map. */
export interface E820Entry {
  readonly base: number;
  readonly length: number;
  readonly type: number;
}

/**
 * Where a direct boot puts what firmware would have left in memory. Everything is below 640 KiB or in the
 * range that the map reports as ACPI storage, so a kernel that honours the map never overwrites it.
 */
export const DIRECT_LAYOUT = {
  biosData: 0x400,
  gdt: 0x500,
  /** PVH start info, module list and memory map: one page. */
  startInfo: 0x6000,
  /** Zero page of the Linux boot protocol. */
  bootParams: 0x7000,
  /** Top of a small stack for entries that want one. */
  stack: 0x8ff0,
  /** PML4, PDPT and four page directories: 4 GiB mapped one to one. */
  pageTables: 0x9000,
  cmdline: 0x2_0000,
  /** End of usable memory below 640 KiB; behind it is the extended BIOS data area. */
  ebda: 0x9_fc00,
  ebdaEnd: 0xa_0000,
  acpiTables: 0xd_0000,
  /** In the alias of `pc.bios`, on a 16-byte boundary, where kernels search for it. */
  rsdp: 0xf_0000,
  highMemory: 0x10_0000,
} as const;

/**
 * The memory map that firmware reports: usable memory without the first MiB's upper part, the ACPI storage, and the
 * firmware's place below 1 MiB and below 4 GiB.
 *
 * @param biosSize Size of `pc.bios`.
 */
export function directE820(ramSize: number, biosSize: number, acpi: boolean): readonly E820Entry[] {
  const { below4g, above4g } = splitRam(ramSize);
  const { ebda, ebdaEnd, acpiTables, highMemory } = DIRECT_LAYOUT;
  const alias = MICROVM_MAP.biosAliasEnd - Math.min(biosSize, MICROVM_MAP.biosAliasMax);
  const range = (base: number, end: number, type: number): E820Entry => ({ base, length: end - base, type });
  return [
    range(0, Math.min(ebda, below4g), E820.RAM),
    range(ebda, ebdaEnd, E820.RESERVED),
    ...(acpi ? [range(acpiTables, alias, E820.NVS)] : []),
    range(alias, MICROVM_MAP.biosAliasEnd, E820.RESERVED),
    range(highMemory, below4g, E820.RAM),
    range(MICROVM_MAP.firmwareEnd - biosSize, MICROVM_MAP.firmwareEnd, E820.RESERVED),
    range(MICROVM_MAP.highRam, MICROVM_MAP.highRam + above4g, E820.RAM),
  ].filter((entry) => entry.length > 0);
}
