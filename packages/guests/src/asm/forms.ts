import { GENERAL_TABLE, repeatedGeneralForms } from './tables/general.ts';
import { repeatedSimdForms, SIMD_TABLE } from './tables/simd.ts';
import { SYSTEM_TABLE } from './tables/system.ts';
import { repeatedX87Forms, X87_TABLE } from './tables/x87.ts';

/** What an operand of a form may be. */
export interface Pattern {
  /** The word of the table without its size, for example `rm`. */
  readonly kind: string;
  /** Width in bits; 0 where any will do. */
  readonly size: number;
}

/** An immediate or address that follows the opcode. */
export interface Trailer {
  readonly code: 'ib' | 'iw' | 'id' | 'iq' | 'iv' | 'jb' | 'jv' | 'jf' | 'mo';
  /** Index of its operand. */
  readonly operand: number;
}

/** One encoding of one mnemonic with fixed operand sizes. */
export interface Form {
  readonly mnemonic: string;
  readonly operands: readonly Pattern[];
  /** Operand size of the instruction: 16 and 32 by prefix, 64 by REX.W. 0: it has none. */
  readonly operandSize: number;
  /** Address size the form needs; 0 for any. */
  readonly addressSize: number;
  /** 0x66, 0xf2 or 0xf3 that is part of the opcode, or 0. */
  readonly mandatory: number;
  /** Whether FWAIT (9b) goes before everything else. */
  readonly wait: boolean;
  readonly opcode: readonly number[];
  /** Value of the ModRM reg field, or -1 when it is an operand. */
  readonly digit: number;
  /** Operand in ModRM.reg, in ModRM.rm and in the opcode's low bits; -1 for none. */
  readonly reg: number;
  readonly rm: number;
  readonly plus: number;
  readonly trailers: readonly Trailer[];
  /** A last byte that is part of the opcode, or -1. */
  readonly tail: number;
  /** The operand size needs no prefix and no REX.W. */
  readonly bare: boolean;
  /** Whether the form exists in 64-bit code, and outside of it. */
  readonly in64: boolean;
  readonly inLegacy: boolean;
  /** Without a size in the source, only the mode's default operand size fits. */
  readonly defaultSize: boolean;
}

/** Patterns whose register or memory operand goes into ModRM.rm. */
const RM_KINDS = new Set(['rm', 'm', 'q', 'mfar', 'mmq', 'mm/m', 'xmmq', 'xmm/m']);
const REG_KINDS = new Set(['r', 'sreg', 'cr', 'dr', 'mm', 'xmm']);
const IMMEDIATE_KINDS = new Set(['imm', 'simm', 'uconst', 'sconst', 'rel', 'far', 'moffs']);
const GPR_KINDS = new Set(['r', 'rm', 'q']);

/**
 * Parses a table of instruction forms. The operand words:
 *
 * | word | operand |
 * |---|---|
 * | `r8 rm8 q8 m8` (16, 32, 64) | register; register or memory; register in the place of rm; memory |
 * | `rv` `immv` ..., `ry` ... | one form each for 16, 32 and 64 bits; for 32 and 64 |
 * | `m` | memory of any size |
 * | `al av cl dx 1 st0 cs` | exactly this; `av` is AX, EAX or RAX |
 * | `imm8 imm16 immv imm64` | immediate; `immv` has at most 32 bits |
 * | `simmv` | immediate that fits a sign-extended byte |
 * | `uconst32 sconst32` | plain number that fits 32 bits unsigned or signed |
 * | `rel8 relv farv mfarv moffsv` | jump targets, far pointers and direct addresses |
 * | `sreg cr dr st mm xmm` | such a register; with `q`: in the place of rm; with a size: or memory of it |
 *
 * The encoding words: opcode bytes; `/r` ModRM with a register operand; `/rr` the same register in both fields; `/0`
 * to `/7` ModRM with this digit; `+r` register in the opcode; `ib iw id iq iv` immediates; `jb jv` relative targets;
 * `jf` far pointer; `mo` direct address; `p66 pf2 pf3` mandatory prefix; `o16 o32 o64`, `a16 a32 a64` operand and
 * address size; `w0` size needs no prefix; `d64` the default is 64 bits in 64-bit code; `x64`, `n64` only in, never in
 * 64-bit code; `def` see {@link Form.defaultSize}; `t0N` last byte N.
 */
export function parseForms(table: string): Form[] {
  return table
    .split('\n')
    .filter((line) => line.includes('|'))
    .flatMap(parseLine);
}

function parseLine(line: string): Form[] {
  const [left, right] = line.split('|').map((part) => part.trim().split(/\s+/)) as [string[], string[]];
  const mnemonics = left[0]!.split(',');
  const words = left[1]?.split(',') ?? [];
  const sizes = words.some((word) => /v$/.test(word))
    ? [16, 32, 64]
    : words.some((word) => /y$/.test(word))
      ? [32, 64]
      : [0];
  return mnemonics.flatMap((mnemonic) => sizes.map((size) => makeForm(mnemonic, words, size, right)));
}

function makeForm(mnemonic: string, words: readonly string[], variable: number, encoding: readonly string[]): Form {
  const has = (word: string): boolean => encoding.includes(word);
  const number = (pattern: RegExp): number =>
    Number(encoding.map((word) => pattern.exec(word)?.[1]).find(Boolean) ?? 0);
  const operands = words.map((word) => parsePattern(word, variable));
  const kindAt = (kinds: ReadonlySet<string>): number => operands.findIndex(({ kind }) => kinds.has(kind));

  const branch = operands.some(({ kind }) => kind === 'rel' || kind === 'far') && variable !== 0;
  const stackLike = has('d64') || (branch && !has('jf'));
  const fixed = operands.find(({ kind }) => GPR_KINDS.has(kind))?.size ?? 0;
  const simd = operands.some(({ kind }) => kind.startsWith('mm') || kind.startsWith('xmm'));
  const operandSize = number(/^o(16|32|64)$/) || variable || (fixed === 8 ? 0 : fixed);
  const bare = has('w0') || (operandSize === 64 && stackLike) || (simd && operandSize !== 64);

  const hasModRm = encoding.some((word) => /^\/(r|rr|[0-7])$/.test(word));
  const digit = Number(encoding.find((word) => /^\/[0-7]$/.test(word))?.slice(1) ?? -1);
  const same = has('/rr');
  const bytes = encoding.filter((word) => /^[0-9a-f]{2}$/.test(word)).map((word) => Number.parseInt(word, 16));
  const wait = bytes[0] === 0x9b && bytes.length > 1;
  const immediates = operands.flatMap(({ kind }, index) => (IMMEDIATE_KINDS.has(kind) ? [index] : []));
  const trailers = encoding
    .filter((word): word is Trailer['code'] => /^(i[bwdqv]|j[bvf]|mo)$/.test(word))
    .map((code, index) => ({ code, operand: immediates[index]! }));
  return {
    mnemonic,
    operands,
    operandSize,
    addressSize: number(/^a(16|32|64)$/),
    mandatory: Number.parseInt(encoding.find((word) => /^p(66|f2|f3)$/.test(word))?.slice(1) ?? '0', 16),
    wait,
    opcode: wait ? bytes.slice(1) : bytes,
    digit,
    reg: hasModRm && digit < 0 ? kindAt(REG_KINDS) : -1,
    rm: hasModRm ? (same ? kindAt(REG_KINDS) : kindAt(RM_KINDS)) : -1,
    plus: has('+r') ? operands.findIndex(({ kind }) => kind === 'r' || kind === 'st') : -1,
    trailers,
    tail: encoding.some((word) => /^t0[0-7]$/.test(word)) ? number(/^t0([0-7])$/) : -1,
    bare,
    in64: !has('n64') && !(stackLike && variable === 32),
    inLegacy: !has('x64') && operandSize !== 64,
    defaultSize: has('def') || branch || operands.some(({ kind }) => kind === 'mfar'),
  };
}

function parsePattern(word: string, variable: number): Pattern {
  const special: Readonly<Record<string, Pattern>> = {
    mm64: { kind: 'mm/m', size: 64 },
    xmm32: { kind: 'xmm/m', size: 32 },
    xmm64: { kind: 'xmm/m', size: 64 },
    xmm128: { kind: 'xmm/m', size: 128 },
    av: { kind: { 16: 'ax', 32: 'eax', 64: 'rax' }[variable] ?? '', size: variable },
    '1': { kind: '1', size: 0 },
    st0: { kind: 'st0', size: 80 },
  };
  const found = special[word];
  if (found !== undefined) return found;
  const match = /^(rm|r|q|mfar|moffs|m|imm|simm|uconst|sconst|rel|far)(8|16|32|64|80|128|v|y)$/.exec(word);
  if (match === null) return { kind: word, size: 0 };
  const size = match[2] === 'v' || match[2] === 'y' ? variable : Number(match[2]);
  return { kind: match[1]!, size };
}

/** All forms by mnemonic, in table order. */
export const FORMS: ReadonlyMap<string, readonly Form[]> = Map.groupBy(
  [
    GENERAL_TABLE,
    repeatedGeneralForms(),
    SYSTEM_TABLE,
    X87_TABLE,
    repeatedX87Forms(),
    SIMD_TABLE,
    repeatedSimdForms(),
  ].flatMap(parseForms),
  ({ mnemonic }) => mnemonic,
);
