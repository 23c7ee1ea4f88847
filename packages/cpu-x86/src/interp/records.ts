/**
 * A decoded instruction: 16 bytes in the decode cache.
 *
 * | at | what |
 * |---|---|
 * | 0 | u16 handler |
 * | 2 | u8 first register: byte offset in its file (AH..BH are offset + 1), or number for sreg/creg/dreg/st |
 * | 3 | u8 second register, or base register of the address |
 * | 4 | u8 index register |
 * | 5 | u8 scale, or address descriptor (ADDR) |
 * | 6 | u16 offset in the page, and length << 12 |
 * | 8 | i32 immediate, or target of a branch relative to the page's start |
 * | 12 | i32 displacement, second immediate, or the target's record once known |
 */
export const REC = {
  size: 16,
  handler: 0,
  reg1: 2,
  reg2: 3,
  index: 4,
  scale: 5,
  pos: 6,
  imm: 8,
  disp: 12,
  link: 12,
} as const;

/**
 * Byte 5 of a record with memory form `any` or `moffs`: scale in bits 0-1, segment in bits 2-4 (6: none), address size in
 * bits 5-6. Bit 7, in every form: the default segment is SS, so a non-canonical address raises #SS.
 */
export const ADDR = { segShift: 2, sizeShift: 5, size64: 0, size32: 1, size16: 2, stack: 0x80 } as const;

/** Handlers that are not instructions. They come first and are never counted as executed. */
export const Handler = {
  /** Continue at `imm` (relative to the page): end of a page or of a run, or a dropped record. */
  LINK: 0,
  /** The instruction crosses into the next page. */
  CROSS: 1,
  /** #UD. */
  UNDEFINED: 2,
  /** #GP(0): longer than 15 bytes. */
  TOO_LONG: 3,
  first: 4,
} as const;

/** modeKey bits. */
export const ModeKey = {
  /** Code size: 0 16-bit, 1 32-bit, 2 64-bit. */
  code: 3,
  /** Stack pointer is 32 bits wide (outside 64-bit mode). */
  stack32: 4,
  /** Protected mode (not real mode or VM86). */
  protected: 8,
} as const;
