import { BASE, type Instruction, type MemoryOperand } from './instruction.ts';

/** The words of an instruction; further ones are read when a format asks for them. */
export interface Words {
  /** Word `n` of the instruction, 0 to 2. */
  word(n: number): number;
}

/** Makes an instruction of its words; undefined for none. */
export type Decoder = (words: Words) => Instruction | undefined;

/** Code of a 4-bit immediate that announces a word. */
const WORD_FOLLOWS = 11;
/** Code of a 4-bit immediate that stands for -1. */
const MINUS_ONE = 9;

/** Bits of a word. */
export function bits(word: number, low: number, count: number): number {
  return (word >>> low) & ((1 << count) - 1);
}

/** A field as a signed number. */
export function signedBits(word: number, low: number, count: number): number {
  return (word << (32 - low - count)) >> (32 - count);
}

/** The 4-bit immediate of a first word, or the word behind it: value and length of the instruction. */
export function immediate4(words: Words): { readonly value: number; readonly length: number } {
  const code = bits(words.word(0), 4, 4);
  if (code === WORD_FOLLOWS) return { value: signedBits(words.word(1), 0, 16), length: 4 };
  return { value: code === MINUS_ONE ? -1 : code, length: 2 };
}

function operand(base: MemoryOperand['base'], register: number, displacement: number, index = -1): MemoryOperand {
  return { base, register, index, displacement };
}

/** `(rp)` and `disp(rp)`. */
export function pairBase(register: number, displacement: number): MemoryOperand {
  return operand(BASE.PAIR, register, displacement);
}

/** `disp(r)`. */
export function registerBase(register: number, displacement: number): MemoryOperand {
  return operand(BASE.REGISTER, register, displacement);
}

/** An address of 24 bits. */
export function absolute24(address: number): MemoryOperand {
  return operand(BASE.NONE, 0, address);
}

/** An address of 20 bits: its last 64 KiB stand for the last 64 KiB of the address space. */
export function absolute20(address: number): MemoryOperand {
  return operand(BASE.NONE, 0, address > 0xe_ffff ? address | 0xf0_0000 : address);
}

/** `[r12]abs20`, `[r13]abs20`. */
export function indexed20(index: number, address: number): MemoryOperand {
  return operand(BASE.NONE, 0, address, 12 + index);
}

/** Pairs that an index can be combined with, by the low three bits of their code; the fourth bit chooses the index. */
const INDEXED_PAIRS = [0, 2, 4, 6, 8, 10, 3, 5] as const;

/** `[r12]disp(rp)`, from a code of four bits. */
export function indexedPair(code: number, displacement: number): MemoryOperand {
  return operand(BASE.PAIR, INDEXED_PAIRS[code & 7]!, displacement, 12 + (code >>> 3));
}

/** The 20-bit value whose upper part is in the low bits of the first word. */
export function value20(words: Words): number {
  return bits(words.word(0), 0, 4) * 0x1_0000 + words.word(1);
}

/** The 20-bit displacement of a three-word instruction. */
export function displacement20(words: Words): number {
  return bits(words.word(1), 8, 4) * 0x1_0000 + words.word(2);
}

/** The 24-bit address of a three-word instruction. */
export function address24(words: Words): number {
  return bits(words.word(1), 0, 4) * 0x10_0000 + displacement20(words);
}

/** The 14-bit displacement that is spread over two words. */
export function displacement14(words: Words): number {
  const [first, second] = [words.word(0), words.word(1)];
  return (bits(second, 8, 6) << 8) | (bits(second, 14, 2) << 6) | (bits(first, 4, 2) << 4) | bits(second, 0, 4);
}

/** A branch's distance whose lowest bit is its sign: 17 bits from a word, 25 with eight more above. */
export function distance(word: number, upper?: number): number {
  const even = word & 0xfffe;
  const sign = word & 1;
  if (upper === undefined) return even - sign * 0x1_0000;
  return upper * 0x1_0000 + even - sign * 0x100_0000;
}

/** The 32-bit immediate of a three-word instruction, upper half first. */
export function value32(words: Words): number {
  return words.word(1) * 0x1_0000 + words.word(2);
}
