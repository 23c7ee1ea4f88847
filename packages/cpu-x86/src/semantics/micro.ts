import type { FuncRef, ValType } from '@sterna/wasm';
import type { Machine } from './machine.ts';

/**
 * A wasm function of its own that semantics and other microcode call with `Machine.call`: written once in the same language
 * as instructions, printed on first use.
 */
export interface Micro {
  readonly name: string;
  readonly params: readonly ValType[];
  readonly results: readonly ValType[];
  /** Its one i32 result is a status: 0 done, anything else "an exception was raised (or the CPU must leave)". */
  readonly faults: boolean;
  readonly body: (m: Machine) => void;
}

/** A function without exceptions: plain parameters and at most a few results. Return with `m.return(value)`. */
export function micro(
  name: string,
  params: readonly ValType[],
  results: readonly ValType[],
  body: (m: Machine) => void,
): Micro {
  return { name, params, results, faults: false, body };
}

/**
 * A function that may raise exceptions or touch guest memory. It returns a status that `Machine.call` checks, so a fault
 * inside ends the calling instruction too; its results go through state cells (`temp`). Falling off the end means success.
 */
export function faultingMicro(name: string, params: readonly ValType[], body: (m: Machine) => void): Micro {
  return { name, params, results: ['i32'], faults: true, body };
}

/** A function of the host (JavaScript) that generated code may call. All values are i32. */
export interface HostFunction {
  readonly host: true;
  readonly name: string;
  readonly params: readonly ValType[];
  readonly results: readonly ValType[];
}

/** Declares a host function; the `X86Cpu` provides it under this name. */
export function hostFunction(name: string, params: number, results: 0 | 1 = 0): HostFunction {
  return { host: true, name, params: Array<ValType>(params).fill('i32'), results: Array<ValType>(results).fill('i32') };
}

/** A function as the module builder knows it. */
export type { FuncRef };
