import type { Val } from '@sterna/wasm';
import type { Machine } from '../semantics/machine.ts';
import type { Micro } from '../semantics/micro.ts';

/** Calls microcode with several results and names them. */
export function multi(m: Machine, fn: Micro, ...args: Val[]): Val[] {
  return m.callMulti(m.functionOf(fn), ...args);
}

/** As {@link multi} for an extended number. */
export function multi80(m: Machine, fn: Micro, ...args: Val[]): F80 {
  const [mant, se] = multi(m, fn, ...args) as [Val<'i64'>, Val<'i32'>];
  return { mant, se };
}

/** An extended number in two expressions: mantissa, and sign (bit 15) with exponent. */
export interface F80 {
  readonly mant: Val<'i64'>;
  readonly se: Val<'i32'>;
}
