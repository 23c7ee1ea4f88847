/** Size of RAM at physical 0. */
export const RAM_SIZE = 0x80000;
/** Physical address of the device page; beyond RAM. */
export const DEVICE_PAGE = 0x90000;
export const CODE_PAGES = 4;
export const DATA_PAGES = 10;
/** Vector that ends a program. */
export const END_VECTOR = 0x5f;
/** Number of vectors with a handler. */
export const VECTORS = 0x60;

/** Guest-physical places; the kernel part is mapped one to one. */
export const AT = {
  pml4: 0x1000,
  pdpt: 0x2000,
  pd: 0x3000,
  low: 0x4000,
  high: 0x5000,
  pd32: 0x6000,
  gdt: 0x8000,
  idt: 0x9000,
  tss: 0xa000,
  handlers: 0xb000,
  log: 0xe000,
  vars: 0xf000,
  table: 0x10000,
  ist1: 0x19000,
  ist2: 0x1a000,
  kernelStack: 0x1b000,
  code: 0x20000,
  data: 0x28000,
  stack: 0x38000,
} as const;
/** Variables of the handlers. */
export const VAR = { log: AT.vars, resume: AT.vars + 8, stack: AT.vars + 16 } as const;
/** Selectors. */
export const SEL = {
  kernel64: 0x08,
  kernelData: 0x10,
  kernel32: 0x18,
  user64: 0x23,
  userData: 0x2b,
  user32: 0x33,
  tss: 0x38,
} as const;
