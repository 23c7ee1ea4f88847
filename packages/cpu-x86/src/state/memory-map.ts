import { MEMORY_LAYOUT } from '@sterna/core';

/** Start of the block of state cells. Everything up to 64 KiB above belongs to it. */
export const STATE_BASE: number = MEMORY_LAYOUT.cpu;

/**
 * The CPU area of the machine's memory. All addresses are constants in generated code.
 */
export const CPU_MAP = {
  /** State cells of the vCPU that runs ({@link STATE_BASE}), and {@link PARKED} ones of the first vCPU. */
  state: STATE_BASE,
  /** Translations for CPL 0-2: {@link TLB} entries. */
  tlbKernel: 0x0002_0000,
  /** Translations for CPL 3. */
  tlbUser: 0x0003_0000,
  /** Translations for CPL 0-2 while SMAP is on and EFLAGS.AC lets accesses to user pages pass. */
  tlbAccess: 0x0004_0000,
  /** Jump cache: linear target to record. */
  jumpCache: 0x0005_0000,
  /** TLB that stays empty: used while alignment checking is on, so that every access takes the slow path. */
  tlbAligned: 0x0006_0000,
  /** Map from (host address, mode key) to the record of an instruction. */
  entryMap: 0x0008_0000,
  /** u32 per host page with code: newest block of its chain, hashed. */
  pageChains: 0x0018_0000,
  /** u64 per host page (direct-mapped by page & 0xffff): which 64-byte lines hold decoded code. */
  lineMap: 0x0020_0000,
  /** Constants of generated code (tables of microcode). */
  constants: 0x0030_0000,
  constantsEnd: 0x0040_0000,
  /** Instruction records. */
  records: 0x0040_0000,
  recordsEnd: 0x0180_0000,
  /** u32 per record: how often it was executed as the successor of a branch. */
  profile: 0x0180_0000,
  profileEnd: 0x01d0_0000,
  /** Where computed jumps have led: {@link JUMP_PROFILE} entries. */
  jumpProfile: 0x01d0_0000,
  jumpProfileEnd: 0x01d1_0000,
} as const;

/** Where the cells of a vCPU are while another one runs. */
export const PARKED = {
  /** Of the first vCPU. */
  first: STATE_BASE + 0x8000,
  /** Of the others: offset in their {@link VCPU_AREA}, behind the TLBs. */
  offset: 0x3_0000,
  /** Room for the cells. */
  bytes: 0x8000,
} as const;

/** What each vCPU after the first has of its own outside the fixed map: its TLBs and its parked cells. */
export const VCPU_AREA = { bytes: PARKED.offset + PARKED.bytes } as const;

/** Address of a record's counter. */
export function counterOf(record: number): number {
  return CPU_MAP.profile + ((record - CPU_MAP.records) >>> 2);
}

/** Layout of a TLB: `entries` of `stride` bytes, index = linear page number modulo entries. */
export const TLB = {
  entries: 2048,
  stride: 32,
  /** i64: linear page address readable directly, or -1. */
  read: 0,
  /** i64: linear page address writable directly, or -1. */
  write: 8,
  /** i64: linear page address executable, or -1. */
  exec: 16,
  /** i32: host address minus the low 32 bits of the linear address. */
  addend: 24,
  /** i32: TLB_FLAG_* bits. */
  flags: 28,
} as const;

/**
 * Profile of computed jumps: `entries` of 16 bytes {i32 record of the jump, i32 low half of the target's linear address,
 * i32 count}, hashed by both.
 */
export const JUMP_PROFILE = { entries: 4096, stride: 16, target: 4, count: 8 } as const;

/** Where the TLBs are from a vCPU's cell tlbArea on. */
export const TLB_PLACE = { kernel: 0, user: 0x1_0000, access: 0x2_0000 } as const;

/** Jump cache: `entries` of 16 bytes {i64 linear rip, i32 jcKey, i32 record}. */
export const JUMP_CACHE = { entries: 4096, stride: 16 } as const;
