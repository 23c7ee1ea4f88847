/** Exception vectors (SDM volume 3, 6.3.1). */
export const Vec = {
  DE: 0,
  DB: 1,
  NMI: 2,
  BP: 3,
  OF: 4,
  BR: 5,
  UD: 6,
  NM: 7,
  DF: 8,
  TS: 10,
  NP: 11,
  SS: 12,
  GP: 13,
  PF: 14,
  MF: 16,
  AC: 17,
  MC: 18,
  XM: 19,
} as const;

/** Segment register numbers as encoded. */
export const Seg = { ES: 0, CS: 1, SS: 2, DS: 3, FS: 4, GS: 5 } as const;

/** General register numbers as encoded. */
export const Reg = { AX: 0, CX: 1, DX: 2, BX: 3, SP: 4, BP: 5, SI: 6, DI: 7 } as const;

/** Bits of RFLAGS. */
export const Flag = {
  CF: 1,
  PF: 4,
  AF: 0x10,
  ZF: 0x40,
  SF: 0x80,
  TF: 0x100,
  IF: 0x200,
  DF: 0x400,
  OF: 0x800,
  IOPL: 0x3000,
  NT: 0x4000,
  RF: 0x1_0000,
  VM: 0x2_0000,
  AC: 0x4_0000,
  VIF: 0x8_0000,
  VIP: 0x10_0000,
  ID: 0x20_0000,
  /** The six arithmetic flags. */
  ARITH: 0x8d5,
} as const;

/** How a handler or microcode leaves when the next record is not the answer; values below 16 in place of a record. */
export const Leave = {
  /** An exception is described in exc*; deliver it at the current instruction. */
  FAULT: 0,
  /** `rip` is set (and state may have changed in any way): look the record up. */
  REFETCH: 1,
  /** `rip` is set; return from run() with exitReason. */
  EXIT: 2,
  /** Retry the current instruction later: return from run() with exitReason, nothing was changed. */
  RETRY: 3,
  /** As FAULT, but `rip` is already the address of the faulting instruction (its fetch failed). */
  FETCH_FAULT: 4,
  /** No budget for the instruction at the given record. */
  BUDGET: 5,
  /** As FAULT, at the record in cell faultRecord: a region had the instruction executed for it. */
  FAULT_AT: 6,
} as const;

/** Values of cell shadow beside 0: after STI interrupts wait for one instruction, after a load of SS debug traps too. */
export const Shadow = { STI: 1, STACK: 2 } as const;

/** excVector of conditions that are not exceptions: the instruction is retried after run() returned. */
export const PAGE_WAIT = 0x100;
