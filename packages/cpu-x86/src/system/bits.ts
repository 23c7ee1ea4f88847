/** Bits of CR0. */
export const CR0 = {
  PE: 1,
  MP: 2,
  EM: 4,
  TS: 8,
  ET: 0x10,
  NE: 0x20,
  WP: 0x1_0000,
  AM: 0x4_0000,
  NW: 0x2000_0000,
  CD: 0x4000_0000,
  PG: 0x8000_0000,
} as const;

/** Bits of CR4. */
export const CR4 = {
  VME: 1,
  PVI: 2,
  TSD: 4,
  DE: 8,
  PSE: 0x10,
  PAE: 0x20,
  MCE: 0x40,
  PGE: 0x80,
  PCE: 0x100,
  OSFXSR: 0x200,
  OSXMMEXCPT: 0x400,
  UMIP: 0x800,
  FSGSBASE: 0x1_0000,
  PCIDE: 0x2_0000,
  OSXSAVE: 0x4_0000,
  SMEP: 0x10_0000,
  SMAP: 0x20_0000,
  PKE: 0x40_0000,
  PKS: 0x100_0000,
} as const;

/** DR7.GD: any access to a debug register traps. */
export const DR7_GD = 0x2000;

/** Bits of EFER. */
export const EFER = { SCE: 1, LME: 0x100, LMA: 0x400, NXE: 0x800, SVME: 0x1000, FFXSR: 0x4000 } as const;

/** Bits of the second dword of a segment descriptor, in place. */
export const Desc = {
  A: 0x100,
  /** Writable (data) or readable (code). */
  RW: 0x200,
  /** Conforming (code) or expand-down (data). */
  CE: 0x400,
  CODE: 0x800,
  S: 0x1000,
  DPL_SHIFT: 13,
  P: 0x8000,
  AVL: 0x10_0000,
  L: 0x20_0000,
  B: 0x40_0000,
  G: 0x80_0000,
  /** Type field of a system descriptor. */
  TYPE: 0xf00,
  TYPE_SHIFT: 8,
} as const;

/** Types of system descriptors (SDM volume 3, table 3-2). */
export const SysType = {
  TSS16: 1,
  LDT: 2,
  TSS16_BUSY: 3,
  CALL16: 4,
  TASK_GATE: 5,
  INT16: 6,
  TRAP16: 7,
  TSS: 9,
  TSS_BUSY: 11,
  CALL: 12,
  INT: 14,
  TRAP: 15,
} as const;

/** Bits of a page fault's error code. */
export const PfError = { P: 1, W: 2, U: 4, RSVD: 8, ID: 16, PK: 32 } as const;
