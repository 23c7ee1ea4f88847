import type { HandlerSpec } from '../decode/handler-spec.ts';
import type { Masks } from './region-machine.ts';

/** What an instruction does to the things that a region keeps elsewhere, whatever its operands are. */
export interface Effects {
  /** Written into regions, executed by its interpreter function, or left to the interpreter. */
  readonly way: 'inline' | 'call' | 'stop';
  /** Registers; bits {@link FIELD} stand for those the record names. */
  readonly reads: Masks;
  readonly writes: Masks;
  /** Those of `writes` that some paths leave alone. */
  readonly unsure: Masks;
  /** The flags as a whole, or CF alone, are looked at before they are written. */
  readonly readsFlags: boolean;
  readonly readsCarry: boolean;
  /** CF is kept by an operation that sets the others. */
  readonly keepsCarry: boolean;
  /** The flags are written: on all paths and completely, or otherwise. */
  readonly setsFlags: boolean;
  readonly changesFlags: boolean;
  readonly unsureFlags: boolean;
  /** It may leave the region before it does anything. */
  readonly leaves: boolean;
  readonly transfer: 'none' | 'jump' | 'branch' | 'address';
  /** Its interpreter function may change what a region takes to be constant. */
  readonly changesMode: boolean;
  /** Its interpreter function does not write the flags. */
  readonly keepsFlags: boolean;
}

/** Stand-ins for the registers a record names: its fields hold these offsets while a definition is tried. */
export const FIELD = {
  gpr: { reg1: 28, reg2: 30, index: 26 },
  xmm: { reg1: 14, reg2: 15 },
} as const;
/** Definitions whose last operand is a count of bits. */
const COUNTED: ReadonlySet<string> = new Set(['rol', 'ror', 'rcl', 'rcr', 'shl', 'shr', 'sar', 'shld', 'shrd']);

/**
 * Immediates by what they have to do with effects: 0 for a count of no bits, and for a base of none; 1 for all others, which are
 * mere values or make no difference. An instruction is tried with this number as its immediate.
 */
export function kindOfImmediate({ operands, name }: HandlerSpec, imm: number): 0 | 1 {
  const last = operands[operands.length - 1];
  if (last?.kind !== 'imm' || last.bits !== 8) return 1;
  if (COUNTED.has(name)) return (imm & (operands[0]!.bits === 64 ? 63 : 31)) === 0 ? 0 : 1;
  return name === 'aam' && (imm & 0xff) === 0 ? 0 : 1;
}
