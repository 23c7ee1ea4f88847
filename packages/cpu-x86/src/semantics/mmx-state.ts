import type { Val } from '@sterna/wasm';
import type { Machine } from './machine.ts';
import type { Operand } from './operand.ts';

/** Statement: enters MMX state: TOP 0, every tag valid. */
export function enterMmx(m: Machine): void {
  m.put('fpuTop', 0);
  m.put('fpuTags', 0xff);
}

/** Statement: writes an MMX register; the exponent and sign of the x87 register it shares become all ones. */
export function writeMmx(m: Machine, dst: Operand, value: Val<'i64'>): void {
  m.write(dst, value);
  // the operand's number is its register's byte offset
  m.put('fpExp', 0xffff, m.shrU(m.regNumber(dst), 3));
}

/** A 64-bit value in the low lane of a vector. */
export function widenMmx(m: Machine, value: Val<'i64'>): Val<'v128'> {
  return m.let(m.simd('i64x2.splat', value));
}
