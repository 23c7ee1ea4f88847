/**
 * Where the simulator of GDB 13 differs from the Programmer's Reference Manual (or from GNU as, which decides how an
 * instruction is written). Each was found by a differing result and looked up; instructions that only keep a flag
 * differently are compared without it.
 */
import { BASE, type Instruction } from '../../src/decode/instruction.ts';

/** One of them. */
export interface Difference {
  readonly why: string;
  readonly when: (i: Instruction) => boolean;
  /** Flags that are not compared; without them the instruction is left out. */
  readonly flags?: number;
}

const C = 1;
const named =
  (...names: string[]) =>
  (i: Instruction): boolean =>
    names.includes(i.mnemonic);

export const KNOWN_DIFFERENCES: readonly Difference[] = [
  {
    why: 'the carry is taken from a sum that was cut to its width before',
    when: named('addb', 'addw', 'addcb', 'addcw', 'addd', 'subb', 'subcb', 'subcw', 'subd'),
    flags: C,
  },
  { why: 'adds its destination to itself', when: (i) => i.mnemonic === 'addcw' && !i.immediate },
  { why: 'writes all 16 bits of the result', when: named('subcb') },
  { why: 'does not accumulate', when: named('macqw', 'macuw', 'macsw') },
  { why: 'moves one register less', when: (i) => i.shape === 'count' },
  { why: 'the address behind it is taken for two words', when: (i) => i.shape === 'link-pair' },
  { why: 'takes index and displacement from each other', when: (i) => i.memory.index >= 0 },
  { why: 'negative displacements count up', when: (i) => i.length === 6 && i.memory.displacement < 0 },
  { why: 'a half of a wide register is treated as all of it', when: (i) => touchesHalf(i) },
  {
    why: 'the upper half of the value is lost',
    when: (i) => i.mnemonic === 'loadd' && i.memory.base === 0 && i.memory.index < 0 && i.length === 4,
  },
  {
    why: 'pairs that a list goes through are counted wrongly',
    when: (i) => i.shape.startsWith('list') && i.source + i.destination > 12,
  },
  {
    why: 'a count in a register that is the least one shifts by nothing',
    when: (i) => /^(ash|lsh)/.test(i.mnemonic) && !i.immediate,
  },
  { why: 'the bit number of a register is not cut to four bits', when: (i) => i.mnemonic === 'tbit' && !i.immediate },
  { why: 'a base register keeps more than its 16 bits', when: (i) => i.memory.base === BASE.REGISTER },
  {
    why: 'writes the link before it reads the target',
    when: (i) => i.shape === 'jump-link' && Math.abs(i.source - i.destination) < 2,
  },
  { why: 'the borrow of an immediate is lost', when: (i) => i.mnemonic === 'subw' && i.immediate, flags: C },
  { why: "32 places are C's undefined shift", when: (i) => /^(ash|lsh)/.test(i.mnemonic) && i.source === -32 },
  {
    why: 'the number of a bit is read from another field',
    when: (i) => i.shape === 'bit-memory' && i.size === 1 && i.length > 2,
  },
  { why: 'DI and EI set I', when: named('di', 'ei') },
  { why: 'CINV sets I', when: (i) => i.mnemonic.startsWith('cinv') },
];

/** Whether 16 bits (or 8) of a 32-bit register are read or written. */
function touchesHalf(i: Instruction): boolean {
  if (i.shape === 'multiply-accumulate') return true;
  const narrowSource = !i.immediate && i.sourceSize < 4 && i.source >= 12;
  const narrowDestination = i.size < 4 && i.destination >= 12;
  const low = i.size === 4 && i.destination === 11;
  switch (i.shape) {
    case 'source-destination':
      return narrowSource || narrowDestination || low || (!i.immediate && i.sourceSize === 4 && i.source === 11);
    case 'load':
      return narrowDestination || low || i.memory.register >= 11;
    case 'store':
      return narrowSource || i.memory.register >= 11 || (i.size === 4 && i.source === 11);
    case 'bit-memory':
    case 'store-immediate':
      return i.memory.register >= 11;
    case 'register':
    case 'branch-register':
    case 'from-processor':
      return i.destination >= 12;
    case 'to-processor':
      return i.source >= 11;
    default:
      return i.destination === 11 || i.source === 11;
  }
}
