import type { Cr16 } from '../cr16.ts';
import type { Execute, Instruction, Size } from '../decode/instruction.ts';
import { readRegister, writeRegister } from './arithmetic.ts';

/** Bits of a count in a register, by bytes of the operand: one more than the bits of a bit's number. */
const COUNT_BITS = [0, 4, 5, 0, 6] as const;

/** A count: positive shifts to the left, negative to the right. */
function countOf(cpu: Cr16, i: Instruction): number {
  if (i.immediate) return i.source;
  const unused = 32 - COUNT_BITS[i.size]!;
  return (cpu.registers.word(i.source) << unused) >> unused;
}

function shift(right: (value: number, count: number, size: Size) => number): Execute {
  return (cpu, i) => {
    const { size, destination } = i;
    const count = countOf(cpu, i);
    const value = readRegister(cpu, destination, size);
    const result = count >= 0 ? value << count : right(value, -count, size);
    writeRegister(cpu, destination, size, result);
  };
}

/** LSH: zeros come in. */
export const shiftLogical: Execute = shift((value, count) => (count > 31 ? 0 : value >>> count));
/** ASHU: the sign comes in from the left. */
export const shiftArithmetic: Execute = shift((value, count, size) => {
  const aligned = value << (32 - 8 * size);
  return aligned >> Math.min(31, count + 32 - 8 * size);
});
