/** Bits of the processor status register (CR16C Programmer's Reference Manual, chapter 2). */
export const PSR = {
  /** Carry of an addition, borrow of a subtraction. */
  C: 0x001,
  /** A trace trap follows each instruction. */
  T: 0x002,
  /** A comparison found its first operand higher, unsigned. */
  L: 0x004,
  /** User mode. */
  U: 0x008,
  /** Overflow, and the result of bit tests. */
  F: 0x020,
  /** A comparison found its operands equal. */
  Z: 0x040,
  /** A comparison found its first operand greater, signed. */
  N: 0x080,
  /** Maskable interrupts, as EI and DI set it. */
  E: 0x200,
  /** A trace trap is pending. */
  P: 0x400,
  /** Maskable interrupts, as exceptions clear it. */
  I: 0x800,
} as const;

/** Bits that exist. */
export const PSR_BITS = 0xeef;

/** Names of the conditions by their code; 14 is always. */
export const CONDITIONS: readonly string[] = [
  'eq',
  'ne',
  'cs',
  'cc',
  'hi',
  'ls',
  'gt',
  'le',
  'fs',
  'fc',
  'lo',
  'hs',
  'lt',
  'ge',
];

/** Code of the condition that always holds. */
export const ALWAYS = 14;

/** Whether a condition holds. Code 15 never does. */
export function holds(condition: number, psr: number): boolean {
  switch (condition) {
    case 0:
      return (psr & PSR.Z) !== 0;
    case 1:
      return (psr & PSR.Z) === 0;
    case 2:
      return (psr & PSR.C) !== 0;
    case 3:
      return (psr & PSR.C) === 0;
    case 4:
      return (psr & PSR.L) !== 0;
    case 5:
      return (psr & PSR.L) === 0;
    case 6:
      return (psr & PSR.N) !== 0;
    case 7:
      return (psr & PSR.N) === 0;
    case 8:
      return (psr & PSR.F) !== 0;
    case 9:
      return (psr & PSR.F) === 0;
    case 10:
      return (psr & (PSR.Z | PSR.L)) === 0;
    case 11:
      return (psr & (PSR.Z | PSR.L)) !== 0;
    case 12:
      return (psr & (PSR.Z | PSR.N)) === 0;
    case 13:
      return (psr & (PSR.Z | PSR.N)) !== 0;
    default:
      return condition === ALWAYS;
  }
}
