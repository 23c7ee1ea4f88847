/** Width of an operand in bits; 80 is the x87 extended format and descriptors of 6 or 10 bytes are 48 and 80. */
export type Bits = 8 | 16 | 32 | 64 | 80 | 128 | 48;

/** Register file an operand lives in. `sreg`, `creg`, `dreg` and `st` are read by number with `Machine.regNumber`. */
export type RegFile = 'gpr' | 'xmm' | 'mmx' | 'sreg' | 'creg' | 'dreg' | 'st';

/**
 * How a memory operand's address is formed. `base`: 64-bit base + displacement; `index`: base + index * scale + displacement;
 * `segment`: as base,
 * plus an FS or GS base in 64-bit mode; `any`: everything (segments, 16/32-bit addressing), decided from the record at run time; `moffs`: a full-width absolute offset.
 */
export type MemForm = 'base' | 'index' | 'segment' | 'any' | 'moffs';

/** An operand of the instruction being defined. Opaque to semantics, which hand it to `Machine.read` and friends. */
export type Operand =
  | { readonly kind: 'reg'; readonly file: RegFile; readonly bits: Bits; readonly field: RegField }
  | { readonly kind: 'fixed'; readonly file: RegFile; readonly bits: Bits; readonly reg: number }
  | { readonly kind: 'mem'; readonly bits: Bits; readonly form: MemForm }
  | { readonly kind: 'imm'; readonly bits: Bits; readonly wide: boolean; readonly at: 8 | 12 }
  | { readonly kind: 'const'; readonly bits: Bits; readonly value: number }
  | { readonly kind: 'rel'; readonly bits: Bits }
  | { readonly kind: 'far'; readonly bits: Bits };

/** Byte of the record that holds a register: 2 (first, ModRM.reg or the only one) or 3 (ModRM.rm). */
export type RegField = 2 | 3;

/** Whether an operand is a memory operand. */
export function isMem(op: Operand): boolean {
  return op.kind === 'mem';
}
