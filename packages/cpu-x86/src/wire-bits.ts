/** Bits of `env.hflags` in QEMU's stream that are computed when saving. */
export const Hflag = {
  INHIBIT_IRQ: 1 << 3,
  CS32: 1 << 4,
  SS32: 1 << 5,
  ADDSEG: 1 << 6,
  PE: 1 << 7,
  /** CR0.MP, EM and TS (bits 1-3) go to bits 9-11. */
  MP_SHIFT: 8,
  LMA: 1 << 14,
  CS64: 1 << 15,
  /** In an SVM guest. */
  GUEST: 1 << 21,
  OSFXSR: 1 << 22,
  SMAP: 1 << 23,
  UMIP: 1 << 27,
} as const;

/** Bits of `env.hflags2`. */
export const Hflag2 = { GIF: 1, NMI: 4, VGIF: 0x100 } as const;

/** Bits of `interrupt_request` in section `cpu_common`. */
export const InterruptRequest = { HARD: 2, POLL: 0x10, NMI: 0x200, INIT: 0x400, SIPI: 0x800 } as const;
