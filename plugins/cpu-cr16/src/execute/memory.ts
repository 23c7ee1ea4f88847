import type { Cr16 } from '../cr16.ts';
import { BASE, type Execute, type Instruction } from '../decode/instruction.ts';
import { ADDRESS_MASK } from '../memory.ts';
import { PSR } from '../psr.ts';
import { readRegister, writeRegister } from './arithmetic.ts';

/** Address of a memory operand. */
export function effectiveAddress({ registers }: Cr16, { memory }: Instruction): number {
  const { base, register, index, displacement } = memory;
  let address = displacement;
  if (base === BASE.PAIR) address += registers.pair(register);
  else if (base === BASE.REGISTER) address += registers.word(register);
  if (index >= 0) address += registers.r[index]!;
  return address & ADDRESS_MASK;
}

export const load: Execute = (cpu, i) =>
  writeRegister(cpu, i.destination, i.size, cpu.memory.read(effectiveAddress(cpu, i), i.size));

/** From a register, or an immediate of four bits without a sign. */
export const store: Execute = (cpu, i) =>
  cpu.memory.write(effectiveAddress(cpu, i), i.size, i.immediate ? i.source : readRegister(cpu, i.source, i.size));

function bit(change: ((value: number, mask: number) => number) | undefined): Execute {
  return (cpu, i) => {
    const { memory, registers } = cpu;
    const address = effectiveAddress(cpu, i);
    const mask = 1 << i.source;
    if (change !== undefined) memory.probe(address, i.size, true);
    const value = memory.read(address, i.size);
    if (change !== undefined) memory.write(address, i.size, change(value, mask));
    registers.setFlags(PSR.F, (value & mask) === 0 ? 0 : PSR.F);
  };
}
/** CBIT, SBIT, TBIT on memory: the old bit goes to F. */
export const clearBit: Execute = bit((value, mask) => value & ~mask);
export const setBit: Execute = bit((value, mask) => value | mask);
export const testBit: Execute = bit(undefined);

/** TBIT on a register. */
export const testRegisterBit: Execute = ({ registers }, { immediate, source, destination }) => {
  const mask = 1 << (immediate ? source : registers.word(source) & 15);
  registers.setFlags(PSR.F, (registers.word(destination) & mask) === 0 ? 0 : PSR.F);
};

/** Registers of LOADM and STORM in order. */
const LISTED = [2, 3, 4, 5, 8, 9, 10, 11] as const;

/** LOADM, LOADMP: words from where r0 or (r1,r0) points; it is moved on. */
export const loadMultiple: Execute = (cpu, i) => {
  const { registers, memory } = cpu;
  const start = readRegister(cpu, i.source, i.size) & ADDRESS_MASK;
  memory.probe(start, 2 * i.destination, false);
  for (let k = 0; k < i.destination; k++) registers.setWord(LISTED[k]!, memory.read((start + 2 * k) & ADDRESS_MASK, 2));
  writeRegister(cpu, i.source, i.size, start + 2 * i.destination);
};
/** STORM, STORMP: words to where r1 or (r7,r6) points; it is moved on. */
export const storeMultiple: Execute = (cpu, i) => {
  const { registers, memory } = cpu;
  const start = readRegister(cpu, i.source, i.size) & ADDRESS_MASK;
  memory.probe(start, 2 * i.destination, true);
  for (let k = 0; k < i.destination; k++) memory.write((start + 2 * k) & ADDRESS_MASK, 2, registers.word(LISTED[k]!));
  writeRegister(cpu, i.source, i.size, start + 2 * i.destination);
};
