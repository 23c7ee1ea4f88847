import type { Cr16 } from '../cr16.ts';
import type { Execute } from '../decode/instruction.ts';
import { EXCEPTION, enterException, returnFromException } from '../exceptions.ts';
import { ADDRESS_MASK } from '../memory.ts';
import { holds, PSR } from '../psr.ts';
import { PROCESSOR_REGISTERS } from '../registers.ts';
import { readRegister, writeRegister } from './arithmetic.ts';

/** Raises a trap at the instruction itself: it will be executed again when its handler returns there. */
export function trapHere(cpu: Cr16, vector: number): void {
  enterException(cpu, vector, cpu.registers.pc, 0);
}

/** What is no instruction of this CPU. */
export const undefinedInstruction: Execute = (cpu) => trapHere(cpu, EXCEPTION.UND);

/** Goes to a place relative to the instruction and tells whether it could; outside of the address space it is an IAD trap. */
function branchTo(cpu: Cr16, displacement: number): boolean {
  const target = cpu.registers.pc + displacement;
  const inside = target >= 0 && target <= ADDRESS_MASK;
  if (inside) cpu.next = target;
  else trapHere(cpu, EXCEPTION.IAD);
  return inside;
}

/** Bcond: `source` is the condition. */
export const branch: Execute = (cpu, i) => {
  if (holds(i.source, cpu.registers.psr)) branchTo(cpu, i.memory.displacement);
};
/** BEQ0, BNE0: `immediate` branches when the register is not zero. */
export const branchOnRegister: Execute = (cpu, i) => {
  const zero = readRegister(cpu, i.destination, i.size) === 0;
  if (zero !== i.immediate) branchTo(cpu, i.memory.displacement);
};
/** BAL: return addresses are kept without their lowest bit. */
export const branchAndLink: Execute = (cpu, i) => {
  const back = cpu.next >>> 1;
  if (branchTo(cpu, i.memory.displacement)) cpu.registers.setPair(i.destination, back);
};

function jumpTo(cpu: Cr16, pair: number): void {
  cpu.next = (cpu.registers.pair(pair) << 1) & ADDRESS_MASK;
}
/** Jcond, JUMP. */
export const jump: Execute = (cpu, i) => {
  if (holds(i.source, cpu.registers.psr)) jumpTo(cpu, i.destination);
};
/** JUSR: enters user mode on the way. */
export const jumpToUser: Execute = (cpu, i) => {
  jumpTo(cpu, i.destination);
  cpu.registers.psr |= PSR.U;
};
export const jumpAndLink: Execute = (cpu, i) => {
  const back = cpu.next >>> 1;
  jumpTo(cpu, i.source);
  cpu.registers.setPair(i.destination, back);
};

/** Scond. */
export const saveCondition: Execute = ({ registers }, i) =>
  registers.setWord(i.destination, holds(i.source, registers.psr) ? 1 : 0);

/** EXCP: a breakpoint returns to itself, the others behind it. */
export const exception: Execute = (cpu, i) => {
  if (i.source === EXCEPTION.BPT) trapHere(cpu, i.source);
  else enterException(cpu, i.source, cpu.next, 0);
};

/** An instruction that programs in user mode may not execute: an UND trap there. */
function privileged(execute: Execute): Execute {
  return (cpu, i) => {
    if ((cpu.registers.psr & PSR.U) !== 0) trapHere(cpu, EXCEPTION.UND);
    else execute(cpu, i);
  };
}

/** RETX. */
export const returnException: Execute = privileged((cpu) => returnFromException(cpu));

/** EI, DI, WAIT and EIWAIT: `source` has bit 0 when E changes to bit 1, and bit 2 to wait. */
export const interruptControl: Execute = privileged(({ registers }, { source }) => {
  if ((source & 1) !== 0) registers.setFlags(PSR.E, (source & 2) !== 0 ? PSR.E : 0);
  if ((source & 4) !== 0) registers.waiting = true;
});
/** NOP, and CINV: there is no cache. */
export const nothing: Execute = () => {};

/** LPR: half a processor register from a register; LPRD: all of it from a pair. */
export const toProcessor: Execute = privileged((cpu, i) => {
  const { registers } = cpu;
  const name = PROCESSOR_REGISTERS[i.destination];
  const value = readRegister(cpu, i.source, i.size);
  if (name !== undefined && i.size === 4) registers[name] = value;
  else if (name !== undefined) registers[name] = ((registers[name] & 0xffff_0000) | value) >>> 0;
  else {
    const whole = PROCESSOR_REGISTERS[i.destination - 1]!;
    registers[whole] = ((registers[whole] & 0xffff) | (value << 16)) >>> 0;
  }
});
/** SPR, SPRD. */
export const fromProcessor: Execute = privileged((cpu, i) => {
  const { registers } = cpu;
  const name = PROCESSOR_REGISTERS[i.source];
  const value = name === undefined ? registers[PROCESSOR_REGISTERS[i.source - 1]!] >>> 16 : registers[name];
  writeRegister(cpu, i.destination, i.size, value);
});
