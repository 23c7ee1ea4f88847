import type { Cr16 } from '../cr16.ts';
import type { Execute, Instruction, Size } from '../decode/instruction.ts';
import { PSR } from '../psr.ts';

const CARRY_OVERFLOW = PSR.C | PSR.F;
const COMPARISON = PSR.Z | PSR.N | PSR.L;

/** Value of a register or pair as an operand of some bytes. */
export function readRegister({ registers }: Cr16, n: number, size: Size): number {
  if (size === 4) return registers.pair(n);
  return size === 2 ? registers.word(n) : registers.word(n) & 0xff;
}

/** Writes an operand of some bytes; what it does not cover stays. */
export function writeRegister({ registers }: Cr16, n: number, size: Size, value: number): void {
  if (size === 4) registers.setPair(n, value);
  else if (size === 2) registers.setWord(n, value);
  else registers.setByte(n, value);
}

function sourceOf(cpu: Cr16, i: Instruction): number {
  return i.immediate ? i.source : readRegister(cpu, i.source, i.sourceSize);
}

/** Mask and sign bit by bytes. */
const MASK = [0, 0xff, 0xffff, 0, 0xffff_ffff] as const;
const SIGN = [0, 0x80, 0x8000, 0, 0x8000_0000] as const;

/** A value of some bytes as a signed number. */
function signed(value: number, size: Size): number {
  return size === 4 ? value | 0 : (value << (32 - 8 * size)) >> (32 - 8 * size);
}

/** An operation without flags: `destination = f(source, destination)`. */
function plain(f: (source: number, destination: number) => number): Execute {
  return (cpu, i) => {
    const { size, destination } = i;
    writeRegister(cpu, destination, size, f(sourceOf(cpu, i), readRegister(cpu, destination, size)));
  };
}

export const and: Execute = plain((a, b) => a & b);
export const or: Execute = plain((a, b) => a | b);
export const xor: Execute = plain((a, b) => a ^ b);
export const move: Execute = plain((a) => a);
/** ADDU: an addition that leaves the flags alone. */
export const addUnflagged: Execute = plain((a, b) => a + b);
export const multiply: Execute = plain(Math.imul);

function addWith(withCarry: boolean): Execute {
  return (cpu, i) => {
    const { registers } = cpu;
    const { size, destination } = i;
    const mask = MASK[size]!;
    const a = (sourceOf(cpu, i) & mask) >>> 0;
    const b = readRegister(cpu, destination, size);
    const sum = a + b + (withCarry ? registers.psr & PSR.C : 0);
    const result = (sum & mask) >>> 0;
    writeRegister(cpu, destination, size, result);
    const overflow = (a ^ result) & (b ^ result) & SIGN[size]!;
    registers.setFlags(CARRY_OVERFLOW, (sum > mask ? PSR.C : 0) | (overflow !== 0 ? PSR.F : 0));
  };
}
export const add: Execute = addWith(false);
export const addCarry: Execute = addWith(true);

/** The carry of a subtraction is a borrow. */
function subtractWith(withCarry: boolean): Execute {
  return (cpu, i) => {
    const { registers } = cpu;
    const { size, destination } = i;
    const mask = MASK[size]!;
    const a = (sourceOf(cpu, i) & mask) >>> 0;
    const b = readRegister(cpu, destination, size);
    const difference = b - a - (withCarry ? registers.psr & PSR.C : 0);
    const result = (difference & mask) >>> 0;
    writeRegister(cpu, destination, size, result);
    const overflow = (a ^ b) & (b ^ result) & SIGN[size]!;
    registers.setFlags(CARRY_OVERFLOW, (difference < 0 ? PSR.C : 0) | (overflow !== 0 ? PSR.F : 0));
  };
}
export const subtract: Execute = subtractWith(false);
export const subtractCarry: Execute = subtractWith(true);

/** Compares the first operand with the second: Z equal, N greater signed, L higher unsigned. */
export const compare: Execute = (cpu, i) => {
  const { size } = i;
  const a = (sourceOf(cpu, i) & MASK[size]!) >>> 0;
  const b = readRegister(cpu, i.destination, size);
  const greater = signed(a, size) > signed(b, size) ? PSR.N : 0;
  cpu.registers.setFlags(COMPARISON, (a === b ? PSR.Z : 0) | greater | (a > b ? PSR.L : 0));
};

/** MOVX: to twice the width with the sign. */
export const extendSigned: Execute = (cpu, i) =>
  writeRegister(cpu, i.destination, i.size, signed(sourceOf(cpu, i), i.sourceSize));
/** MOVZ: to twice the width with zeros. */
export const extendZero: Execute = (cpu, i) => writeRegister(cpu, i.destination, i.size, sourceOf(cpu, i));

/** MULSB, MULSW: signed operands, a product of twice their width. */
export const multiplySigned: Execute = (cpu, i) => {
  const a = signed(sourceOf(cpu, i), i.sourceSize);
  const b = signed(readRegister(cpu, i.destination, i.size), i.sourceSize);
  writeRegister(cpu, i.destination, i.size, Math.imul(a, b));
};
/** MULUW: unsigned words, a product of 32 bits. */
export const multiplyUnsigned: Execute = (cpu, i) => {
  const b = readRegister(cpu, i.destination, i.size) & 0xffff;
  writeRegister(cpu, i.destination, i.size, Math.imul(sourceOf(cpu, i), b));
};

/** Limits of the accumulating products. */
const ACCUMULATOR = { unsigned: [0, 0xffff_ffff], signed: [-0x8000_0000, 0x7fff_ffff] } as const;

function clamp(value: number, [low, high]: readonly [number, number]): number {
  return Math.min(Math.max(value, low), high);
}

/** Two words are multiplied and added to a pair, which stays at its limit instead of overflowing. */
function accumulate(product: (a: number, b: number) => number, kind: 'signed' | 'unsigned'): Execute {
  return (cpu, { source, destination, memory }) => {
    const { registers } = cpu;
    const before = registers.pair(destination);
    const sum =
      (kind === 'signed' ? before | 0 : before) + product(registers.word(source), registers.word(memory.register));
    registers.setPair(destination, clamp(sum, ACCUMULATOR[kind]));
  };
}
const signedProduct = (a: number, b: number): number => signed(a, 2) * signed(b, 2);
/** MACSW. */
export const accumulateSigned: Execute = accumulate(signedProduct, 'signed');
/** MACUW. */
export const accumulateUnsigned: Execute = accumulate((a, b) => a * b, 'unsigned');
/** MACQW: fractions of 15 bits, whose product is doubled to have 31. */
export const accumulateFraction: Execute = accumulate(
  (a, b) => clamp(2 * signedProduct(a, b), ACCUMULATOR.signed),
  'signed',
);
