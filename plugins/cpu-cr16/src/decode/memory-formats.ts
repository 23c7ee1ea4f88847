/** Formats with memory operands. */
import * as memory from '../execute/memory.ts';
import { type Execute, Instruction, type MemoryOperand, type Size } from './instruction.ts';
import {
  absolute20,
  absolute24,
  address24,
  bits,
  type Decoder,
  displacement14,
  displacement20,
  indexed20,
  indexedPair,
  pairBase,
  registerBase,
  value20,
  type Words,
} from './operands.ts';

const SUFFIX: Readonly<Record<Size, string>> = { 1: 'b', 2: 'w', 4: 'd' };

function loadInto(length: number, size: Size, destination: number, operand: MemoryOperand): Instruction {
  const mnemonic = `load${SUFFIX[size]}`;
  return new Instruction(length, { mnemonic, shape: 'load', execute: memory.load, size, destination, memory: operand });
}

function storeFrom(length: number, size: Size, source: number, operand: MemoryOperand): Instruction {
  const mnemonic = `stor${SUFFIX[size]}`;
  return new Instruction(length, { mnemonic, shape: 'store', execute: memory.store, size, source, memory: operand });
}

function storeValue(length: number, size: Size, source: number, operand: MemoryOperand): Instruction {
  const mnemonic = `stor${SUFFIX[size]}`;
  const fields = { mnemonic, shape: 'store-immediate', execute: memory.store, size, source } as const;
  return new Instruction(length, { ...fields, immediate: true, memory: operand });
}

/** Width and direction by the upper four bits of the short formats. */
const SHORT: Readonly<Record<number, readonly [Size, typeof loadInto]>> = {
  9: [2, loadInto],
  10: [4, loadInto],
  11: [1, loadInto],
  13: [2, storeFrom],
  14: [4, storeFrom],
  15: [1, storeFrom],
};

/** `0x9` to `0xf`: a displacement of four bits, none with an index, or one of a word. */
export const loadOrStore: Decoder = (words) => {
  const word = words.word(0);
  const [size, make] = SHORT[word >>> 12]!;
  const [code, register, base] = [bits(word, 8, 4), bits(word, 4, 4), bits(word, 0, 4)];
  if (code === 14) return make(2, size, register, indexedPair(base, 0));
  if (code === 15) return word === 0xffff ? undefined : make(4, size, register, pairBase(base, words.word(1)));
  return make(2, size, register, pairBase(base, size === 1 ? code : 2 * code));
};

/** Storing an immediate: `0x81` to `0x85` bytes, `0xc1` to `0xc5` words. */
export function storeImmediate(opcode: number): Decoder | undefined {
  const size = opcode < 0xc0 ? 1 : 2;
  const value = (words: Words): number => bits(words.word(0), 4, 4);
  switch (opcode & 15) {
    case 1:
      return (words) => storeValue(4, size, value(words), absolute20(value20(words)));
    case 2:
      return (words) => storeValue(2, size, value(words), pairBase(bits(words.word(0), 0, 4), 0));
    case 3:
      return (words) => storeValue(4, size, value(words), pairBase(bits(words.word(0), 0, 4), words.word(1)));
    case 4:
    case 5:
      return (words) => storeValue(4, size, value(words), indexed20(opcode & 1, value20(words)));
    default:
      return undefined;
  }
}

/** The four instructions that share `0x86` or `0xc6`, by bits 6 and 7: a displacement of 14 bits with an index. */
function withDisplacement14(first: typeof loadInto, make: typeof loadInto): Decoder {
  return (words) => {
    const word = words.word(0);
    const kind = bits(word, 6, 2);
    const operand = indexedPair(bits(word, 0, 4), displacement14(words));
    const register = bits(words.word(1), 4, 4);
    if (kind === 0) return first(4, 0 as Size, register, operand);
    return make(4, ([1, 4, 2] as const)[kind - 1]!, register, operand);
  };
}

/** Displacement of 14 bits, absolute addresses, and those with an index, for `0x86` to `0x8f` and `0xc6` to `0xcf`. */
function long(opcode: number, immediateSize: Size, make: typeof loadInto): Decoder {
  const code = opcode & 15;
  if (code === 6)
    return withDisplacement14((length, _, value, operand) => storeValue(length, immediateSize, value, operand), make);
  const size = code < 10 ? ([4, 1, 2] as const)[code - 7]! : ([1, 4, 2] as const)[(code - 10) >>> 1]!;
  return (words) => {
    const register = bits(words.word(0), 4, 4);
    const address = value20(words);
    return make(4, size, register, code < 10 ? absolute20(address) : indexed20(code & 1, address));
  };
}

/** `0x86` to `0x8f`. */
export function wideMemory(opcode: number): Decoder {
  return long(opcode, 1, loadInto);
}
/** `0xc6` to `0xcf`. */
export function storeLong(opcode: number): Decoder {
  return long(opcode, 2, storeFrom);
}

const BIT_OPERATIONS: readonly (readonly [string, Execute])[] = [
  ['cbit', memory.clearBit],
  ['sbit', memory.setBit],
  ['tbit', memory.testBit],
];

function bitOperation(kind: number, length: number, size: Size, source: number, operand: MemoryOperand): Instruction {
  const [name, execute] = BIT_OPERATIONS[kind]!;
  const mnemonic = name + SUFFIX[size];
  const fields = { mnemonic, shape: 'bit-memory', execute, size, source } as const;
  return new Instruction(length, { ...fields, immediate: true, memory: operand });
}

/** `0x68` to `0x7f`: three groups of eight, for CBIT, SBIT and TBIT. */
export const bitInMemory: Decoder = (words) => {
  const word = words.word(0);
  const kind = ((word >>> 8) - 0x68) >>> 3;
  const byteBit = bits(word, 4, 3);
  const wordBit = bits(word, 4, 4);
  const base = bits(word, 0, 4);
  const upper = bits(word, 7, 1) === 1;
  switch ((word >>> 8) & 7) {
    case 0:
      return bitOperation(kind, 4, 1, byteBit, indexed20(upper ? 1 : 0, value20(words)));
    case 1:
      return bitOperation(kind, 4, 2, wordBit, pairBase(base, words.word(1)));
    case 2: {
      if (!upper) return bitOperation(kind, 2, 1, byteBit, pairBase(base, 0));
      const operand = indexedPair(base, displacement14(words));
      const second = words.word(1);
      if (bits(word, 6, 1) === 0) return bitOperation(kind, 4, 1, bits(second, 4, 3), operand);
      return bitOperation(kind, 4, 2, bits(second, 4, 4), operand);
    }
    case 3:
      return upper
        ? bitOperation(kind, 4, 1, byteBit, absolute20(value20(words)))
        : bitOperation(kind, 4, 1, byteBit, pairBase(base, words.word(1)));
    case 4:
    case 5:
      return bitOperation(kind, 4, 2, wordBit, indexed20(bits(word, 8, 1), value20(words)));
    case 6:
      return bitOperation(kind, 2, 2, wordBit, pairBase(base, 0));
    default:
      return bitOperation(kind, 4, 2, wordBit, absolute20(value20(words)));
  }
};

/** The memory operand of a three-word instruction, by the low two bits of the code in its second word. */
function longOperand(words: Words): MemoryOperand {
  const second = words.word(1);
  const base = bits(second, 0, 4);
  switch (bits(second, 12, 2)) {
    case 0:
      return registerBase(base, displacement20(words));
    case 1:
      return pairBase(base, displacement20(words));
    case 2:
      return indexedPair(base, displacement20(words));
    default:
      return absolute24(address24(words));
  }
}

/** Three-word bit operations: `0x0010` on bytes, `0x0011` on words. */
export function longBit(words: Words, size: Size): Instruction | undefined {
  const second = words.word(1);
  const kind = bits(second, 14, 2) - 1;
  if (kind < 0) return undefined;
  return bitOperation(kind, 6, size, bits(second, 4, size === 1 ? 3 : 4), longOperand(words));
}

/** Width by the upper two bits of the code: the first stands for storing an immediate. */
const LONG_SIZES = [1, 1, 4, 2] as const;

/** Three-word accesses: `0x0012` loads (and stores immediate bytes), `0x0013` stores. */
export function longAccess(words: Words, loads: boolean): Instruction {
  const second = words.word(1);
  const code = bits(second, 14, 2);
  const register = bits(second, 4, 4);
  if (code === 0) return storeValue(6, loads ? 1 : 2, register, longOperand(words));
  return (loads ? loadInto : storeFrom)(6, LONG_SIZES[code]!, register, longOperand(words));
}

/** `0x0018` and `0x0019`: displacements below zero, from a register or a pair. */
export function negativeAccess(words: Words, loads: boolean): Instruction | undefined {
  const second = words.word(1);
  const code = bits(second, 14, 2);
  if (code === 0 || bits(second, 13, 1) === 1) return undefined;
  const base = bits(second, 0, 4);
  // In two's complement, with a sign that is not written.
  const below = displacement20(words) - 0x10_0000;
  const operand = bits(second, 12, 1) === 0 ? registerBase(base, below) : pairBase(base, below);
  return (loads ? loadInto : storeFrom)(6, LONG_SIZES[code]!, bits(second, 4, 4), operand);
}
