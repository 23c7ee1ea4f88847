import type { Variant } from '../semantics/machine.ts';
import type { Operand } from '../semantics/operand.ts';

/** A handler to print: one definition for one combination of sizes and operand forms. */
export interface HandlerSpec {
  id: number;
  readonly key: string;
  readonly name: string;
  readonly variant: Variant;
  readonly operands: readonly Operand[];
  readonly hot: boolean;
  /** Condition code of the branch that follows and is done together with it, or -1. */
  readonly fused: number;
  /** The parts of a pair of consecutive instructions. */
  readonly first?: HandlerSpec;
  readonly second?: HandlerSpec;
}
