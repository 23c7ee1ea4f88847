import type { SourcePosition } from './errors.ts';
import type { Scope, Value } from './expression.ts';
import type { Operand } from './operand.ts';

/** An instruction as parsed. */
export interface Instruction {
  readonly mnemonic: string;
  /** Prefix words before the mnemonic, lower case. */
  readonly prefixes: readonly string[];
  readonly operands: readonly Operand[];
  readonly position: SourcePosition;
}

/** Where an instruction is assembled. */
export interface InstructionContext {
  readonly bits: 16 | 32 | 64;
  readonly defaultRelative: boolean;
  readonly scope: Scope;
}

/** Values and sizes that matching and emission share. */
export interface Prepared {
  readonly instruction: Instruction;
  readonly context: InstructionContext;
  /** Operand size chosen by an `o16`, `o32` or `o64` prefix, or 0. */
  readonly prefixSize: number;
  /** Values of immediate operands by index. */
  readonly values: readonly (Value | undefined)[];
  /** Operand size of the mode: 16, or 32. */
  readonly modeSize: number;
}
