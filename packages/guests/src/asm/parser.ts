import { isPrefix } from './encode.ts';
import type { SourcePosition } from './errors.ts';
import { describe, type Expression, parseExpression, TokenReader } from './expression.ts';
import { FORMS } from './forms.ts';
import type { Instruction } from './instruction.ts';
import type { Token } from './lexer.ts';
import { type SourceLine, splitArguments } from './macros.ts';
import { parseOperands } from './operand.ts';

/** One value of a `db` and its like. */
export type DataItem =
  | { readonly kind: 'value'; readonly value: Expression }
  | { readonly kind: 'string' | 'float'; readonly text: string }
  | { readonly kind: 'gap' };

/** What a line does, besides defining its label. */
export type Action =
  | { readonly kind: 'instruction'; readonly instruction: Instruction }
  | { readonly kind: 'data'; readonly unit: number; readonly items: readonly DataItem[] }
  | { readonly kind: 'reserve'; readonly unit: number; readonly count: Expression }
  | { readonly kind: 'equ'; readonly value: Expression }
  | { readonly kind: 'times'; readonly count: Expression; readonly action: Action }
  | { readonly kind: 'align'; readonly to: Expression; readonly fill: Action | undefined; readonly reserve: boolean }
  | { readonly kind: 'org' | 'absolute'; readonly value: Expression }
  | { readonly kind: 'bits'; readonly bits: 16 | 32 | 64 }
  | { readonly kind: 'default'; readonly relative: boolean }
  | {
      readonly kind: 'section';
      readonly name: string;
      readonly attributes: ReadonlyMap<string, Expression | undefined>;
    }
  | { readonly kind: 'struc'; readonly name: string }
  | { readonly kind: 'endstruc' | 'nothing' };

/** A parsed line. */
export interface Statement {
  readonly label: string | undefined;
  readonly action: Action;
  readonly position: SourcePosition;
}

const DATA_UNITS: Readonly<Record<string, number>> = { db: 1, dw: 2, dd: 4, dq: 8, dt: 10, do: 16 };
const RESERVE_UNITS: Readonly<Record<string, number>> = { resb: 1, resw: 2, resd: 4, resq: 8, rest: 10, reso: 16 };
const DIRECTIVES = new Set(
  'equ times align alignb org bits use16 use32 use64 default section segment absolute struc endstruc global cpu'.split(
    ' ',
  ),
);

const startsAction = (word: string): boolean =>
  FORMS.has(word) || isPrefix(word) || word in DATA_UNITS || word in RESERVE_UNITS || DIRECTIVES.has(word);

/**
 * Parses one preprocessed line.
 *
 * @throws AssemblerError for anything that is no statement
 */
export function parseStatement({ tokens, position }: SourceLine): Statement {
  let rest = tokens;
  // `[bits 32]` is the same as `bits 32`.
  if (rest[0]?.text === '[' && rest.at(-1)?.text === ']') rest = rest.slice(1, -1);
  const first = rest[0];
  let label: string | undefined;
  if (first?.kind === 'id') {
    if (rest[1]?.kind === 'op' && rest[1].text === ':') {
      label = first.text;
      rest = rest.slice(2);
    } else if (
      !startsAction(first.text.toLowerCase()) &&
      rest[1]?.kind === 'id' &&
      startsAction(rest[1].text.toLowerCase())
    ) {
      label = first.text;
      rest = rest.slice(1);
    }
  }
  return { label, action: parseAction(new TokenReader(rest, position)), position };
}

function parseAction(reader: TokenReader): Action {
  if (reader.done) return { kind: 'nothing' };
  const token = reader.peek()!;
  if (token.kind !== 'id') throw reader.error(`expected an instruction before ${describe(token)}`);
  const word = token.text.toLowerCase();
  if (DIRECTIVES.has(word)) {
    reader.at++;
    return parseDirective(word, reader);
  }
  if (word in DATA_UNITS) {
    reader.at++;
    return {
      kind: 'data',
      unit: DATA_UNITS[word]!,
      items: splitArguments(rest(reader)).map((part) => dataItem(part, reader)),
    };
  }
  if (word in RESERVE_UNITS) {
    reader.at++;
    return { kind: 'reserve', unit: RESERVE_UNITS[word]!, count: lastExpression(reader) };
  }
  return { kind: 'instruction', instruction: parseInstruction(reader) };
}

function parseInstruction(reader: TokenReader): Instruction {
  const prefixes: string[] = [];
  for (;;) {
    const token = reader.peek();
    const word = token?.kind === 'id' ? token.text.toLowerCase() : '';
    if (token !== undefined && isPrefix(word)) {
      prefixes.push(word);
      reader.at++;
      continue;
    }
    if (token === undefined) throw reader.error(`${prefixes.join(' ')} stands without an instruction`);
    if (!FORMS.has(word)) throw reader.error(`unknown instruction ${describe(token)}`);
    reader.at++;
    return { mnemonic: word, prefixes, operands: parseOperands(reader), position: reader.position };
  }
}

function parseDirective(word: string, reader: TokenReader): Action {
  switch (word) {
    case 'equ':
      return { kind: 'equ', value: lastExpression(reader) };
    case 'times': {
      const count = parseExpression(reader);
      return { kind: 'times', count, action: parseAction(reader) };
    }
    case 'align':
    case 'alignb': {
      const to = parseExpression(reader);
      const fill = reader.takeOp(',') ? parseAction(reader) : undefined;
      reader.expectEnd();
      return { kind: 'align', to, fill, reserve: word === 'alignb' };
    }
    case 'org':
    case 'absolute':
      return { kind: word, value: lastExpression(reader) };
    case 'use16':
    case 'use32':
    case 'use64':
      return { kind: 'bits', bits: bitsOf(Number(word.slice(3)), reader) };
    case 'bits': {
      const bits = bitsOf(Number(reader.peek()?.value ?? 0n), reader);
      reader.at++;
      reader.expectEnd();
      return { kind: 'bits', bits };
    }
    case 'default': {
      const relative = reader.takeWord('rel');
      if (!relative && !reader.takeWord('abs')) throw reader.error("default takes 'rel' or 'abs'");
      reader.expectEnd();
      return { kind: 'default', relative };
    }
    case 'section':
    case 'segment':
      return parseSection(reader);
    case 'struc': {
      const name = reader.peek()?.text;
      if (name === undefined) throw reader.error('struc needs a name');
      reader.at++;
      reader.expectEnd();
      return { kind: 'struc', name };
    }
    case 'endstruc':
      reader.expectEnd();
      return { kind: 'endstruc' };
    default: // global, cpu: nothing to do in a flat file
      rest(reader);
      return { kind: 'nothing' };
  }
}

function parseSection(reader: TokenReader): Action {
  const name = reader.peek()?.text;
  if (name === undefined) throw reader.error('section needs a name');
  reader.at++;
  const attributes = new Map<string, Expression | undefined>();
  while (!reader.done) {
    const word = reader.peek()!.text.toLowerCase();
    reader.at++;
    attributes.set(word, reader.takeOp('=') ? parseExpression(reader) : undefined);
  }
  return { kind: 'section', name, attributes };
}

function bitsOf(value: number, reader: TokenReader): 16 | 32 | 64 {
  if (value === 16 || value === 32 || value === 64) return value;
  throw reader.error('bits takes 16, 32 or 64');
}

function lastExpression(reader: TokenReader): Expression {
  const expression = parseExpression(reader);
  reader.expectEnd();
  return expression;
}

function rest(reader: TokenReader): readonly Token[] {
  const tokens = reader.tokens.slice(reader.at);
  reader.at = reader.tokens.length;
  return tokens;
}

function dataItem(tokens: readonly Token[], outer: TokenReader): DataItem {
  const [a, b] = tokens;
  if (a === undefined) throw outer.error('a value is missing');
  if (tokens.length === 1 && a.kind === 'string') return { kind: 'string', text: a.text };
  if (tokens.length === 1 && a.kind === 'float') return { kind: 'float', text: a.text };
  if (tokens.length === 2 && b!.kind === 'float' && (a.text === '-' || a.text === '+'))
    return { kind: 'float', text: a.text + b!.text };
  if (tokens.length === 1 && a.text === '?') return { kind: 'gap' };
  const reader = new TokenReader(tokens, outer.position);
  return { kind: 'value', value: lastExpression(reader) };
}
