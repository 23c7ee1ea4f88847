/**
 * From words to instructions. The first word's upper byte chooses among 256 decoders; those of 0x00 look at the whole
 * word. Formats are those of the CR16C Programmer's Reference Manual, appendix A, as GNU as writes them.
 */
import * as arithmetic from '../execute/arithmetic.ts';
import * as control from '../execute/control.ts';
import { testRegisterBit } from '../execute/memory.ts';
import * as shifts from '../execute/shifts.ts';
import * as stack from '../execute/stack.ts';
import { ALWAYS, CONDITIONS } from '../psr.ts';
import { RA } from '../registers.ts';
import { type Execute, Instruction, type Size } from './instruction.ts';
import { bitInMemory, loadOrStore, storeImmediate, storeLong, wideMemory } from './memory-formats.ts';
import { bits, type Decoder, distance, immediate4, signedBits, value20, type Words } from './operands.ts';
import { zeroPrefix } from './zero-prefix.ts';

const SUFFIX: Readonly<Record<Size, string>> = { 1: 'b', 2: 'w', 4: 'd' };
const decoders: (Decoder | undefined)[] = new Array(256).fill(undefined);

/** The two decoders of an operation: with an immediate at an even opcode, with a register behind it. */
function arithmeticPair(opcode: number, name: string, size: Size, execute: Execute): void {
  const mnemonic = name + SUFFIX[size];
  const shape = 'source-destination';
  decoders[opcode] = (words) => {
    const { value, length } = immediate4(words);
    const destination = bits(words.word(0), 0, 4);
    return new Instruction(length, { mnemonic, shape, execute, size, immediate: true, source: value, destination });
  };
  decoders[opcode + 1] = (words) => {
    const word = words.word(0);
    return new Instruction(2, {
      mnemonic,
      shape,
      execute,
      size,
      source: bits(word, 4, 4),
      destination: bits(word, 0, 4),
    });
  };
}

/** An operation on two registers, of which the source may have another width. */
function registers(opcode: number, mnemonic: string, execute: Execute, size: Size, sourceSize: Size = size): void {
  decoders[opcode] = (words) => {
    const word = words.word(0);
    const [source, destination] = [bits(word, 4, 4), bits(word, 0, 4)];
    return new Instruction(2, {
      mnemonic,
      shape: 'source-destination',
      execute,
      size,
      sourceSize,
      source,
      destination,
    });
  };
}

/** A shift by a signed count of some bits that may reach into the opcode. */
function shiftBy(opcode: number, mnemonic: string, execute: Execute, size: Size, countBits: number): void {
  decoders[opcode] = (words) => {
    const word = words.word(0);
    return new Instruction(2, {
      mnemonic,
      shape: 'source-destination',
      execute,
      size,
      immediate: true,
      source: signedBits(word, 4, countBits),
      destination: bits(word, 0, 4),
    });
  };
}

/** An operation on a pair and 20 bits without a sign. */
function immediate20(opcode: number, mnemonic: string, execute: Execute): void {
  decoders[opcode] = (words) =>
    new Instruction(4, {
      mnemonic,
      shape: 'source-destination',
      execute,
      size: 4,
      immediate: true,
      source: value20(words),
      destination: bits(words.word(0), 4, 4),
    });
}

function pushOrPop(opcode: number, mnemonic: string, execute: Execute): void {
  decoders[opcode] = (words) => {
    const word = words.word(0);
    if ((word & 0xff) === 0x1e)
      return new Instruction(2, { mnemonic, shape: 'ra', execute, immediate: true, destination: 0 });
    const withRa = bits(word, 7, 1) === 1;
    return new Instruction(2, {
      mnemonic,
      shape: withRa ? 'list-ra' : 'list',
      execute,
      immediate: withRa,
      source: bits(word, 0, 4),
      destination: bits(word, 4, 3) + 1,
    });
  };
}

const branches: Decoder = (words) => {
  const word = words.word(0);
  const condition = bits(word, 4, 4);
  if (condition > ALWAYS) return undefined;
  const mnemonic = condition === ALWAYS ? 'br' : `b${CONDITIONS[condition]}`;
  const far = bits(word, 8, 4) === 8;
  const displacement = far ? distance(words.word(1)) : (signedBits(word, 8, 4) * 16 + bits(word, 0, 4)) * 2;
  return new Instruction(far ? 4 : 2, {
    mnemonic,
    shape: 'branch',
    execute: control.branch,
    source: condition,
    memory: { base: 0, register: 0, index: -1, displacement },
  });
};

function branchOnRegister(opcode: number, mnemonic: string, size: Size, notZero: boolean): void {
  decoders[opcode] = (words) => {
    const word = words.word(0);
    return new Instruction(2, {
      mnemonic,
      shape: 'branch-register',
      execute: control.branchOnRegister,
      size,
      immediate: notZero,
      destination: bits(word, 0, 4),
      memory: { base: 0, register: 0, index: -1, displacement: 2 * bits(word, 4, 4) + 2 },
    });
  };
}

decoders[0x00] = zeroPrefix;
pushOrPop(0x01, 'push', stack.push);
pushOrPop(0x02, 'pop', stack.pop);
pushOrPop(0x03, 'popret', stack.popReturn);
immediate20(0x04, 'addd', arithmetic.add);
immediate20(0x05, 'movd', arithmetic.move);
decoders[0x06] = testBitOf(true);
decoders[0x07] = testBitOf(false);
decoders[0x08] = (words) => {
  const word = words.word(0);
  const condition = bits(word, 4, 4);
  if (condition >= ALWAYS) return undefined;
  const mnemonic = `s${CONDITIONS[condition]}`;
  const [source, destination] = [condition, bits(word, 0, 4)];
  return new Instruction(2, { mnemonic, shape: 'register', execute: control.saveCondition, source, destination });
};
shiftBy(0x09, 'lshb', shifts.shiftLogical, 1, 4);
const logicalByte = decoders[0x09]!;
decoders[0x09] = (words) => (bits(words.word(0), 7, 1) === 1 ? logicalByte(words) : undefined);
decoders[0x0a] = (words) => {
  const word = words.word(0);
  const [source, destination] = [bits(word, 4, 4), bits(word, 0, 4)];
  const user = source === 15;
  const mnemonic = user ? 'jusr' : source === ALWAYS ? 'jump' : `j${CONDITIONS[source]}`;
  const execute = user ? control.jumpToUser : control.jump;
  return new Instruction(2, { mnemonic, shape: 'pair', execute, source, destination });
};
registers(0x0b, 'mulsb', arithmetic.multiplySigned, 2, 1);
branchOnRegister(0x0c, 'beq0b', 1, false);
branchOnRegister(0x0d, 'bne0b', 1, true);
branchOnRegister(0x0e, 'beq0w', 2, false);
branchOnRegister(0x0f, 'bne0w', 2, true);
decoders.fill(branches, 0x10, 0x20);

const OPERATIONS: readonly (readonly [opcode: number, name: string, execute: Execute])[] = [
  [0x20, 'and', arithmetic.and],
  [0x24, 'or', arithmetic.or],
  [0x28, 'xor', arithmetic.xor],
  [0x2c, 'addu', arithmetic.addUnflagged],
  [0x30, 'add', arithmetic.add],
  [0x34, 'addc', arithmetic.addCarry],
  [0x38, 'sub', arithmetic.subtract],
  [0x3c, 'subc', arithmetic.subtractCarry],
  [0x50, 'cmp', arithmetic.compare],
  [0x58, 'mov', arithmetic.move],
  [0x64, 'mul', arithmetic.multiply],
];
for (const [opcode, name, execute] of OPERATIONS) {
  arithmeticPair(opcode, name, 1, execute);
  arithmeticPair(opcode + 2, name, 2, execute);
}
arithmeticPair(0x54, 'mov', 4, arithmetic.move);
arithmeticPair(0x56, 'cmp', 4, arithmetic.compare);
arithmeticPair(0x60, 'add', 4, arithmetic.add);
registers(0x5c, 'movxb', arithmetic.extendSigned, 2, 1);
registers(0x5d, 'movzb', arithmetic.extendZero, 2, 1);
registers(0x5e, 'movxw', arithmetic.extendSigned, 4, 2);
registers(0x5f, 'movzw', arithmetic.extendZero, 4, 2);
registers(0x62, 'mulsw', arithmetic.multiplySigned, 4, 2);
registers(0x63, 'muluw', arithmetic.multiplyUnsigned, 4, 2);

shiftBy(0x40, 'ashub', shifts.shiftArithmetic, 1, 4);
registers(0x41, 'ashub', shifts.shiftArithmetic, 1);
for (const opcode of [0x42, 0x43]) shiftBy(opcode, 'ashuw', shifts.shiftArithmetic, 2, 5);
registers(0x44, 'lshb', shifts.shiftLogical, 1);
registers(0x45, 'ashuw', shifts.shiftArithmetic, 2);
registers(0x46, 'lshw', shifts.shiftLogical, 2);
registers(0x47, 'lshd', shifts.shiftLogical, 4, 2);
registers(0x48, 'ashud', shifts.shiftArithmetic, 4, 2);
shiftBy(0x49, 'lshw', shifts.shiftLogical, 2, 5);
for (const opcode of [0x4a, 0x4b]) shiftBy(opcode, 'lshd', shifts.shiftLogical, 4, 6);
for (const opcode of [0x4c, 0x4d, 0x4e, 0x4f]) shiftBy(opcode, 'ashud', shifts.shiftArithmetic, 4, 6);

for (let opcode = 0x68; opcode < 0x80; opcode++) decoders[opcode] = bitInMemory;
for (let opcode = 0x81; opcode < 0x90; opcode++) decoders[opcode] = storeImmediate(opcode) ?? wideMemory(opcode);
for (let opcode = 0xc1; opcode < 0xd0; opcode++) decoders[opcode] = storeImmediate(opcode) ?? storeLong(opcode);
for (const group of [0x90, 0xa0, 0xb0, 0xd0, 0xe0, 0xf0]) decoders.fill(loadOrStore, group, group + 16);
decoders[0xc0] = (words) =>
  new Instruction(4, {
    mnemonic: 'bal',
    shape: 'link',
    execute: control.branchAndLink,
    destination: RA,
    memory: { base: 0, register: 0, index: -1, displacement: distance(words.word(1), words.word(0) & 0xff) },
  });

function testBitOf(immediate: boolean): Decoder {
  return (words) => {
    const word = words.word(0);
    return new Instruction(2, {
      mnemonic: 'tbit',
      shape: 'source-destination',
      execute: testRegisterBit,
      immediate,
      source: bits(word, 4, 4),
      destination: bits(word, 0, 4),
    });
  };
}

/** Decodes the instruction that begins with word 0. What is none decodes to one that raises the UND trap. */
export function decode(words: Words): Instruction {
  const decoded = decoders[words.word(0) >>> 8]?.(words);
  return decoded ?? new Instruction(2, { mnemonic: 'undefined', shape: 'none', execute: control.undefinedInstruction });
}
