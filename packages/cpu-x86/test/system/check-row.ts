import { expect } from 'vitest';
import { AT, Box, type Mode } from './box.ts';
import type { Row } from './delivery-cases.ts';

const LONG: readonly Mode[] = ['long', 'user64', 'compat32', 'userCompat'];
const ERRORS = new Set([8, 10, 11, 12, 13, 14, 17]);

/** Runs a case and checks the exception it ends with. */
export function checkRow({ mode, code, setup, features, vector, error, at, check }: Row): void {
  const b = new Box({}, features);
  b.enter(mode);
  b.code(mode, code);
  setup?.(b);
  const exit = b.run(100_000);
  if (vector === 'shutdown') {
    expect(exit).toBe(2);
    return;
  }
  expect({ exit, vector: b.stoppedAt }).toEqual({ exit: 1, vector });
  const sp = Number(b.reg(4));
  const long = LONG.includes(mode);
  if (error !== undefined) expect(b.read32(sp)).toBe(error);
  if (at !== undefined && mode !== 'real') {
    const skip = ERRORS.has(vector) ? (long ? 8 : 4) : 0;
    expect(b.read32(sp + skip) - AT.code).toBe(at);
  }
  check?.(b);
}
