/** Physical addresses of the board, a page for each device. RAM begins at 0 and may reach up to the first of them. */
export const CR16_MAP = {
  uart: 0xff_c000,
  timer: 0xff_d000,
  power: 0xff_e000,
  icu: 0xff_f000,
} as const;

/** The interrupt controller's registers in its page: the first is where the CPU acknowledges interrupts. */
export const ICU_REGISTERS = { IVCT: 0xe00, ISTAT: 0xe04, IENAM: 0xe08 } as const;

/** Inputs of the interrupt controller. */
export const CR16_IRQ = { uart: 0, timer: 1, firstFree: 2 } as const;
