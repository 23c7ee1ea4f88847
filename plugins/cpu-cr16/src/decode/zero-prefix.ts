/** Instructions whose first byte is zero: without operands, with 32-bit immediates, and those of three words. */
import * as arithmetic from '../execute/arithmetic.ts';
import * as control from '../execute/control.ts';
import { loadMultiple, storeMultiple } from '../execute/memory.ts';
import { ALWAYS, CONDITIONS } from '../psr.ts';
import { RA } from '../registers.ts';
import { type Execute, Instruction } from './instruction.ts';
import { longAccess, longBit, negativeAccess } from './memory-formats.ts';
import { bits, distance, value32, type Words } from './operands.ts';

/** EI and its relatives: see `interruptControl`. */
const CONTROL: Readonly<Record<number, readonly [string, number]>> = {
  4: ['di', 1],
  5: ['ei', 3],
  6: ['wait', 4],
  7: ['eiwait', 7],
};

const CINV: Readonly<Record<number, string>> = {
  10: 'cinv[i]',
  11: 'cinv[i,u]',
  12: 'cinv[d]',
  13: 'cinv[d,u]',
  14: 'cinv[d,i]',
  15: 'cinv[d,i,u]',
};

/** Operations on a pair and 32 bits, by bits 4 to 7. */
const WITH_32: Readonly<Record<number, readonly [string, Execute]>> = {
  2: ['addd', arithmetic.add],
  3: ['subd', arithmetic.subtract],
  4: ['andd', arithmetic.and],
  5: ['ord', arithmetic.or],
  6: ['xord', arithmetic.xor],
  7: ['movd', arithmetic.move],
  9: ['cmpd', arithmetic.compare],
};

/** Operations on two pairs, by the upper four bits of the second word. */
const PAIRS: Readonly<Record<number, readonly [string, Execute]>> = {
  9: ['ord', arithmetic.or],
  10: ['xord', arithmetic.xor],
  11: ['andd', arithmetic.and],
  12: ['subd', arithmetic.subtract],
};

const ACCUMULATE: Readonly<Record<number, readonly [string, Execute]>> = {
  13: ['macqw', arithmetic.accumulateFraction],
  14: ['macuw', arithmetic.accumulateUnsigned],
  15: ['macsw', arithmetic.accumulateSigned],
};

/** LOADM and its relatives, by bits 3 and 4: pointer, its size, operation. */
const MULTIPLE: readonly (readonly [string, Execute, number, 2 | 4])[] = [
  ['loadm', loadMultiple, 0, 2],
  ['loadmp', loadMultiple, 0, 4],
  ['storm', storeMultiple, 1, 2],
  ['stormp', storeMultiple, 6, 4],
];

function withoutOperands(word: number): Instruction | undefined {
  if (word === 3) return new Instruction(2, { mnemonic: 'retx', shape: 'none', execute: control.returnException });
  const [mnemonic, source] = CONTROL[word] ?? [];
  if (mnemonic !== undefined)
    return new Instruction(2, { mnemonic, shape: 'none', execute: control.interruptControl, source: source! });
  const name = CINV[word];
  return name === undefined
    ? undefined
    : new Instruction(2, { mnemonic: name, shape: 'none', execute: control.nothing });
}

/** `0x0010`, `0x0011`: far branches and bits in memory. */
function farOrBits(words: Words): Instruction | undefined {
  const word = words.word(0);
  const second = words.word(1);
  if (bits(second, 14, 2) !== 0) return longBit(words, word === 0x10 ? 1 : 2);
  if (word !== 0x10) return undefined;
  const upper = bits(second, 0, 4) * 16 + bits(second, 8, 4);
  const operand = { base: 0, register: 0, index: -1, displacement: distance(words.word(2), upper) } as const;
  const field = bits(second, 4, 4);
  switch (bits(second, 12, 2)) {
    case 0: {
      if (field > ALWAYS) return undefined;
      const mnemonic = field === ALWAYS ? 'br' : `b${CONDITIONS[field]}`;
      return new Instruction(6, { mnemonic, shape: 'branch', execute: control.branch, source: field, memory: operand });
    }
    case 2:
      return new Instruction(6, {
        mnemonic: 'bal',
        shape: 'link-pair',
        execute: control.branchAndLink,
        destination: field,
        memory: operand,
      });
    default:
      return undefined;
  }
}

/** `0x0014`: processor registers, operations on pairs, accumulation. */
function onPairs(words: Words): Instruction | undefined {
  const second = words.word(1);
  const code = bits(second, 12, 4);
  const [high, low] = [bits(second, 4, 4), bits(second, 0, 4)];
  const size = (code & 1) === 0 ? 2 : 4;
  switch (code) {
    case 0:
    case 1: {
      // The upper half of a register has no number of its own for 32-bit moves.
      if (size === 4 && (high === 3 || high === 5 || high === 7 || (high > 9 && (high & 1) === 1))) return undefined;
      const mnemonic = size === 2 ? 'lpr' : 'lprd';
      const fields = { mnemonic, shape: 'to-processor', execute: control.toProcessor, size } as const;
      return new Instruction(4, { ...fields, source: low, destination: high });
    }
    case 2:
    case 3: {
      if (size === 4 && (high === 3 || high === 5 || high === 7 || (high > 9 && (high & 1) === 1))) return undefined;
      const mnemonic = size === 2 ? 'spr' : 'sprd';
      const fields = { mnemonic, shape: 'from-processor', execute: control.fromProcessor, size } as const;
      return new Instruction(4, { ...fields, source: high, destination: low });
    }
    case 8: {
      const fields = { mnemonic: 'jal', shape: 'jump-link', execute: control.jumpAndLink, size: 4 } as const;
      return new Instruction(4, { ...fields, source: high, destination: low });
    }
    default: {
      const [name, execute] = PAIRS[code] ?? [];
      if (name !== undefined)
        return new Instruction(4, {
          mnemonic: name,
          shape: 'source-destination',
          execute: execute!,
          size: 4,
          source: high,
          destination: low,
        });
      const [mnemonic, accumulate] = ACCUMULATE[code] ?? [];
      if (mnemonic === undefined) return undefined;
      return new Instruction(4, {
        mnemonic,
        shape: 'multiply-accumulate',
        execute: accumulate!,
        source: high,
        destination: bits(second, 8, 4),
        memory: { base: 0, register: low, index: -1, displacement: 0 },
      });
    }
  }
}

/** Decodes an instruction whose first byte is zero. */
export function zeroPrefix(words: Words): Instruction | undefined {
  const word = words.word(0);
  const low = bits(word, 0, 4);
  if (word < 0x10) return withoutOperands(word);
  if (word === 0x10 || word === 0x11) return farOrBits(words);
  if (word === 0x12 || word === 0x13) return longAccess(words, word === 0x12);
  if (word === 0x14) return onPairs(words);
  if (word === 0x18 || word === 0x19) return negativeAccess(words, word === 0x18);
  const [name, execute] = WITH_32[bits(word, 4, 4)] ?? [];
  if (name !== undefined && word >= 0x20 && word < 0xa0)
    return new Instruction(6, {
      mnemonic: name,
      shape: 'source-destination',
      execute: execute!,
      size: 4,
      immediate: true,
      source: value32(words),
      destination: low,
    });
  if (word >= 0xa0 && word < 0xc0) {
    const [mnemonic, multiple, source, size] = MULTIPLE[bits(word, 3, 2)]!;
    const fields = { mnemonic, shape: 'count', execute: multiple, size, source } as const;
    return new Instruction(2, { ...fields, destination: bits(word, 0, 3) + 1 });
  }
  if (word >= 0xc0 && word < 0xd0)
    return new Instruction(2, { mnemonic: 'excp', shape: 'vector', execute: control.exception, source: low });
  if (word >= 0xd0 && word < 0xe0) {
    const fields = { mnemonic: 'jal', shape: 'pair', execute: control.jumpAndLink, size: 4 } as const;
    return new Instruction(2, { ...fields, source: low, destination: RA });
  }
  return undefined;
}
