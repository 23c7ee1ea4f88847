import type { FuncRef, ValType } from '@sterna/wasm';
import type { HostFunction, Machine, Micro } from './machine.ts';

/** Properties of microcode. */
export interface MicroOptions {
  /** See {@link Micro.inline}. */
  readonly inline?: boolean;
}

/** A function without exceptions: plain parameters and at most a few results. Return with `m.return(value)`. */
export function micro(
  name: string,
  params: readonly ValType[],
  results: readonly ValType[],
  body: (m: Machine) => void,
  options: MicroOptions = {},
): Micro {
  return { name, params, results, faults: false, body, ...options };
}

/**
 * A function that may raise exceptions or touch guest memory. It returns a status that `Machine.call` checks, so a fault
 * inside ends the calling instruction too; its results go through state cells (`temp`). Falling off the end means success.
 */
export function faultingMicro(name: string, params: readonly ValType[], body: (m: Machine) => void): Micro {
  return { name, params, results: ['i32'], faults: true, body };
}

/** Declares a host function; the `X86Cpu` provides it under this name. */
export function hostFunction(name: string, params: number, results: 0 | 1 = 0): HostFunction {
  return { host: true, name, params: Array<ValType>(params).fill('i32'), results: Array<ValType>(results).fill('i32') };
}

/** A function as the module builder knows it; {@link Machine} and these two refer to each other. */
export type { FuncRef, HostFunction, Micro };
