import type { GenerateOptions } from './generate.ts';

/** A group of instructions: what the generator is told, and its share of a run. */
export interface Group extends Pick<GenerateOptions, 'isa' | 'only'> {
  readonly name: string;
  /** Parts of the whole. */
  readonly weight: number;
  /** Needs `-cpu max`. */
  readonly max?: boolean;
}

const SHIFTS = 'ro[lr]|rc[lr]|s[ah][lr]|sh[lr]d(_cl)?';
const MULTIPLY = 'i?mul[23]?|i?div';
const BITS = 'bt[src]?(_i)?|bs[fr]|bswap';
const STRINGS = 'movs|cmps|stos|lods|scas';
const FLAGS =
  '(add|or|adc|sbb|and|sub|xor|cmp)(_ai|_i|_82)?|inc(_r)?|dec(_r)?|neg|not|test(_ai|_mi1?)?|cmc|clc|stc|cld|std|lahf|sahf|setcc|cmovcc|daa|das|aaa|aas|aam|aad|salc|pushf|popf';
const whole = (...patterns: readonly string[]): string => `^(${patterns.join('|')})$`;

/** Every group of the comparison with the host. */
export const GROUPS: readonly Group[] = [
  { name: 'general', isa: 'x86', only: `^(?!(${[FLAGS, SHIFTS, MULTIPLY, BITS, STRINGS].join('|')})$)`, weight: 4 },
  { name: 'flags', isa: 'x86', only: whole(FLAGS), weight: 4 },
  { name: 'shifts', isa: 'x86', only: whole(SHIFTS), weight: 2 },
  { name: 'mul/div', isa: 'x86', only: whole(MULTIPLY), weight: 2 },
  { name: 'bit', isa: 'x86', only: whole(BITS), weight: 2 },
  { name: 'string', isa: 'x86', only: whole(STRINGS), weight: 2 },
  { name: 'x87', isa: 'x87', weight: 6 },
  { name: 'mmx', isa: 'mmx', weight: 4 },
  { name: 'sse/sse2', isa: 'sse2', weight: 6 },
  { name: 'sse3/ssse3', isa: 'ssse3', weight: 3, max: true },
  { name: 'sse4.1', isa: 'sse41', weight: 3, max: true },
  { name: 'sse4.2/popcnt', isa: 'sse42', weight: 2, max: true },
  { name: 'movbe/lzcnt', isa: 'bmi', only: '^(movbe|lzcnt)$', weight: 1, max: true },
];
