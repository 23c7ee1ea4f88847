import type { Machine } from './machine.ts';
import type { Operand } from './operand.ts';

/** What an instruction does: called once per variant to write code. */
export type Semantics = (m: Machine, ...operands: Operand[]) => void;

/** Properties of a definition that do not depend on an encoding. */
export interface DefOptions {
  /**
   * Print inside the interpreter's main function instead of a function of its own: only for instructions that a profile of
   * a kernel boot shows to be frequent, and only when short. `registers`: only its forms without memory.
   */
  readonly hot?: boolean | 'registers';
  /** Print also the form with an FS- or GS-relative operand there (per-CPU variables). */
  readonly hotSegment?: boolean;
}

/** A named instruction definition. */
export interface Definition extends DefOptions {
  readonly name: string;
  readonly semantics: Semantics;
}

const DEFINITIONS = new Map<string, Definition>();

/**
 * Defines an instruction. The name is what `enc` rows refer to. The callback is run once for each variant (operand size,
 * operand form, prefix class) and writes its code with the machine it is given.
 *
 * @throws Error when the name is taken
 */
export function def(name: string, semantics: Semantics, options: DefOptions = {}): void {
  if (DEFINITIONS.has(name)) throw new Error(`instruction ${name} is defined twice`);
  DEFINITIONS.set(name, { name, semantics, ...options });
}

/** Looks a definition up. @throws Error when there is none */
export function definition(name: string): Definition {
  const d = DEFINITIONS.get(name);
  if (d === undefined) throw new Error(`instruction ${name} is not defined`);
  return d;
}

/** All definitions by name. */
export function definitions(): ReadonlyMap<string, Definition> {
  return DEFINITIONS;
}
