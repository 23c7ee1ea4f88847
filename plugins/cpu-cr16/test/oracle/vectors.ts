/**
 * Random instructions as one program: each is given registers, status and memory, is executed, and then everything it
 * could have changed is stored in a table. GNU's simulator and this CPU run the same program; their tables are compared.
 */
import { BASE, type Instruction } from '../../src/decode/instruction.ts';
import { decode } from '../../src/index.ts';

/** Memory that instructions work on. */
export const DATA = { start: 0x1000, end: 0x3f_f000 } as const;
/** Where the program is, and the table of results. */
export const CODE = 0x40_0000;
export const TABLE = 0xa0_0000;
/** Bytes of the table for each instruction: ten pairs, the status, three stretches of memory. */
export const ENTRY = 56;

/** Registers that 32-bit moves can set one by one. */
const PAIRS = [0, 2, 4, 6, 8, 10, 12, 13, 14, 15] as const;
/** C, L, F, Z, N. */
const FLAGS = 0xe5;

/** A generator of 32-bit numbers; the same seed gives the same ones. */
export function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x9e37_79b9) >>> 0;
    let z = state;
    z = Math.imul(z ^ (z >>> 16), 0x85eb_ca6b);
    z = Math.imul(z ^ (z >>> 13), 0xc2b2_ae35);
    return (z ^ (z >>> 16)) >>> 0;
  };
}

/** One instruction of a program. */
export interface Vector {
  /** Where it is. */
  readonly address: number;
  readonly words: readonly number[];
  readonly instruction: Instruction;
}

/** Values that operations like to be wrong with. */
const EDGES = [0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff];

function value(random: () => number): number {
  const n = random();
  return n % 4 === 0 ? EDGES[(n >>> 8) % EDGES.length]! : random();
}

/** First words that have only a few codes of their own, and so would come up rarely. */
const LONG = [0x10, 0x11, 0x12, 0x13, 0x14, 0x14, 0x14, 0x18, 0x19, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70, 0x90];

/** Random words that decode to an instruction; branches go over the four bytes behind them. */
function randomWords(random: () => number): readonly number[] {
  for (;;) {
    const first = random() % 5 === 0 ? LONG[random() % LONG.length]! | (random() & 0) : random() & 0xffff;
    const words = [first, random() & 0xffff, random() & 0xffff];
    if (first >= 0x20 && first <= 0x90) words[0] = first | (random() & 15);
    const instruction = decode({ word: (n) => words[n]! });
    const aimed = aimBranch(words, instruction);
    if (instruction.mnemonic !== 'undefined' && aimed !== undefined) return aimed.slice(0, instruction.length / 2);
  }
}

/** Gives a branch its distance; undefined for what cannot be followed here. */
function aimBranch(words: readonly number[], i: Instruction): number[] | undefined {
  const distance = i.length + 4;
  const [first = 0, second = 0, third = 0] = words;
  switch (i.shape) {
    case 'branch':
      if (i.length === 2) return [(first & 0xf0f0) | (distance / 2)].map((word) => word & 0xf0ff);
      if (i.length === 4) return [first & 0xfff0, distance];
      return [first, second & 0xf0f0, distance];
    case 'branch-register':
      return [(first & 0xff0f) | ((distance / 2 - 1) << 4)];
    case 'link':
      return [first & 0xff00, distance];
    case 'link-pair':
      return [first, second & 0xf0f0, distance];
    case 'none':
      return i.mnemonic === 'retx' || i.mnemonic.includes('wait') ? undefined : [first];
    case 'vector':
    case 'to-processor':
      return undefined;
    case 'from-processor':
      // The status; the others have no values that mean something.
      return [first, (second & 0xf00f) | 0x90];
    default:
      return i.mnemonic.startsWith('popret') || i.mnemonic === 'jusr' ? undefined : [first, second, third];
  }
}

/** Places of an instruction's memory: where it begins, and the base that is to be set for it. */
interface Target {
  readonly address: number;
  readonly pair: number | undefined;
}

/** Registers for an instruction; undefined when it cannot be led into the data. */
function setUp(
  random: () => number,
  i: Instruction,
  here: number,
): { values: Map<number, number>; target: Target } | undefined {
  const values = new Map<number, number>(PAIRS.map((n) => [n, value(random)]));
  const read = (n: number): number => wide(values, n);
  const address = DATA.start + (random() % (DATA.end - DATA.start - 64));
  const aim = (pair: number, to: number): Target | undefined => {
    setWide(values, pair, to);
    return { address, pair };
  };
  const none: Target = { address: DATA.start + (random() % 4096), pair: undefined };
  if (i.shape.startsWith('list') || i.shape === 'ra') {
    const target = aim(15, i.mnemonic === 'push' ? address + 20 : address);
    return target === undefined ? undefined : { values, target };
  }
  if (i.shape === 'count') return { values, target: aim(i.source, i.size === 2 ? address & 0xfffe : address & ~1)! };
  if (i.shape === 'pair' && i.mnemonic !== 'jal') {
    aim(i.destination, (here + i.length + 4) >>> 1);
    return { values, target: none };
  }
  if (i.mnemonic === 'jal') {
    aim(i.source, (here + i.length + 4) >>> 1);
    return { values, target: none };
  }
  if (!['load', 'store', 'store-immediate', 'bit-memory'].includes(i.shape)) return { values, target: none };
  const { base, register, index, displacement } = i.memory;
  if (index >= 0) setWide(values, index, random() % 0x1000);
  if (base === BASE.PAIR) {
    const rest = (index < 0 ? 0 : read(index)) + displacement;
    if (address < rest) return undefined;
    setWide(values, register, address - rest);
    return { values, target: { address, pair: register } };
  }
  const from = base === BASE.REGISTER ? word(values, register) : 0;
  const at = from + displacement + (index < 0 ? 0 : read(index));
  if (at < DATA.start || at > DATA.end - 64) return undefined;
  return { values, target: { address: at, pair: undefined } };
}

function word(values: ReadonlyMap<number, number>, n: number): number {
  if (n >= 12) return values.get(n)! & 0xffff;
  return (values.get(n & ~1)! >>> ((n & 1) * 16)) & 0xffff;
}
function wide(values: ReadonlyMap<number, number>, n: number): number {
  return n >= 12 ? values.get(n)! : (word(values, n) | (word(values, n + 1) << 16)) >>> 0;
}
function setWide(values: Map<number, number>, n: number, to: number): void {
  if (n >= 12 || (n & 1) === 0) values.set(n, to >>> 0);
  else {
    values.set(n - 1, ((values.get(n - 1)! & 0xffff) | (to << 16)) >>> 0);
    if (n === 11) values.set(12, ((values.get(12)! & 0xffff_0000) | (to >>> 16)) >>> 0);
    else values.set(n + 1, ((values.get(n + 1)! & 0xffff_0000) | (to >>> 16)) >>> 0);
  }
}

/** A program of random instructions. */
export interface Program {
  readonly code: Uint16Array;
  readonly vectors: readonly Vector[];
}

/** Writes a program. `wanted` leaves out what the judge is known to do wrong. */
export function makeProgram(seed: number, count: number, wanted: (i: Instruction) => boolean): Program {
  const random = generator(seed);
  const code: number[] = [];
  const vectors: Vector[] = [];
  const here = (): number => CODE + 2 * code.length;
  while (vectors.length < count) {
    const words = randomWords(random);
    const instruction = decode({ word: (n) => words[n] ?? 0 });
    if (instruction.mnemonic === 'undefined' || !wanted(instruction)) continue;
    // Three stretches of memory, the status and ten pairs are set before it.
    const made = setUp(random, instruction, here() + 36 + 8 + 6 * PAIRS.length);
    if (made === undefined) continue;
    for (const offset of [-4, 0, 4])
      code.push(0x0070, random() & 0xffff, random() & 0xffff, ...absolute(0x13, 11, 0, made.target.address + offset));
    code.push(0x5ab0, random() & FLAGS, 0x0014, 0x0090);
    for (const n of PAIRS) code.push(0x0070 | n, made.values.get(n)! >>> 16, made.values.get(n)! & 0xffff);
    const address = here();
    code.push(...words, 0x5abb, random() & 0xffff);
    dump(code, TABLE + vectors.length * ENTRY, made.target.address);
    vectors.push({ address, words, instruction });
  }
  return { code: Uint16Array.from(code), vectors };
}

function absolute(opcode: number, kind: number, register: number, address: number): readonly number[] {
  return [opcode, (kind << 12) | (((address >>> 16) & 15) << 8) | (register << 4) | (address >>> 20), address & 0xffff];
}

/** Stores registers, status and the memory around an address at `to`. */
function dump(code: number[], to: number, address: number): void {
  for (const [k, n] of PAIRS.entries()) code.push(...absolute(0x13, 11, n, to + 4 * k));
  code.push(0x0014, 0x2090, ...absolute(0x13, 15, 0, to + 40));
  for (const [k, at] of [address - 4, address, address + 4].entries())
    code.push(...absolute(0x12, 11, 0, at), ...absolute(0x13, 11, 0, to + 44 + 4 * k));
}
