/**
 * Fixed map of the machine's one shared memory (wasm addresses). The CPU's generated code has these as constants;
 * guest RAM follows at `ram`.
 */
export const MEMORY_LAYOUT = {
  /** f64: virtual ns at the start of the running slice. */
  sliceStartNs: 0x100,
  /** f64: virtual ns per executed instruction inside the slice. */
  nsPerInsn: 0x108,
  /** f64: the most virtual ns that may pass inside the slice. */
  sliceMaxNs: 0x110,
  /** i64: guest TSC at the start of the slice. */
  tscAtSliceStart: 0x118,
  /** f64: TSC ticks per virtual ns. */
  tscPerNs: 0x120,
  /** Area of the CPU plugin: vCPU blocks, TLBs, decode cache. */
  cpu: 0x0001_0000,
  cpuEnd: 0x0200_0000,
  /** u32 per guest-physical page, see {@link PAGE_MAP_READ}. */
  pageMap: 0x0200_0000,
  /** Guest-physical bytes that the page map covers (8 GiB); above is unassigned. */
  pageMapSpan: 0x2_0000_0000,
  /** u8 per host page (`address >>> 12`), see the PAGE_* flags. */
  pageFlags: 0x0280_0000,
  /** Bounce area of devices and host I/O. */
  hostArea: 0x0300_0000,
  hostAreaEnd: 0x0400_0000,
  /** First byte of RAM blocks. */
  ram: 0x0400_0000,
} as const;

/** Guest page size. */
export const PAGE_SIZE = 4096;

/** Page map bit: the page may be read at the host page address in bits 12-31. */
export const PAGE_MAP_READ = 1;
/** Page map bit: the page may be written there. */
export const PAGE_MAP_WRITE = 2;

/** Page flag: not written since migration last looked. */
export const PAGE_CLEAN_MIGRATION = 1;
/** Page flag: the CPU holds decoded instructions of this page. */
export const PAGE_CODE = 2;
/** Page flag: the content has not arrived yet (postcopy, lazy snapshot). */
export const PAGE_MISSING = 4;
/** Page flag: writes must wait (background snapshot). */
export const PAGE_PROTECTED = 8;
/** Page flag: never written since creation, so all zero. */
export const PAGE_UNTOUCHED = 16;
/** Page flag: not written since a display last looked. */
export const PAGE_CLEAN_DISPLAY = 32;
/** Page flag: not written since a measurement of the dirty rate began. */
export const PAGE_CLEAN_RATE = 64;
/** Page flag: not written since vCPUs that have a limit on dirtying were last looked at. */
export const PAGE_CLEAN_LIMIT = 128;
