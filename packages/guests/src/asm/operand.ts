import { describe, type Expression, parseExpression, TokenReader } from './expression.ts';
import type { Token } from './lexer.ts';
import { REGISTERS, type Register } from './registers.ts';

/** Sizes that may be written before an operand, in bits. */
const SIZE_WORDS: Readonly<Record<string, number>> = {
  byte: 8,
  word: 16,
  dword: 32,
  qword: 64,
  tword: 80,
  oword: 128,
};

/** A register of an address, with its factor where one is written. */
export interface AddressRegister {
  readonly register: Register;
  readonly factor: Expression | undefined;
}

/** A memory operand as written: registers with factors, the rest is the displacement. */
export interface MemoryReference {
  readonly segment: Register | undefined;
  /** Registers in order. */
  readonly registers: readonly AddressRegister[];
  readonly displacement: Expression | undefined;
  /** `[rel x]` or `[abs x]`; `undefined` takes the `default`. */
  readonly relative: boolean | undefined;
  /** Size written inside the brackets: of the displacement or, in 64-bit code, of the address. */
  readonly addressSize: number | undefined;
}

/** One operand as written. */
export type Operand = {
  /** Size word before the operand, in bits. */
  readonly size: number | undefined;
  readonly strict: boolean;
  /** `short`, `near` or `far` before a jump target. */
  readonly distance: 'short' | 'near' | 'far' | undefined;
} & (
  | { readonly kind: 'register'; readonly register: Register }
  | { readonly kind: 'immediate'; readonly value: Expression }
  | { readonly kind: 'far'; readonly selector: Expression; readonly value: Expression }
  | { readonly kind: 'memory'; readonly memory: MemoryReference }
);

/**
 * Parses one operand of an instruction.
 *
 * @throws AssemblerError for anything that is none
 */
export function parseOperand(reader: TokenReader): Operand {
  let size: number | undefined;
  let strict = false;
  let distance: 'short' | 'near' | 'far' | undefined;
  for (;;) {
    const token = reader.peek();
    const word = token?.kind === 'id' ? token.text.toLowerCase() : '';
    if (SIZE_WORDS[word] !== undefined) size = SIZE_WORDS[word];
    else if (word === 'strict') strict = true;
    else if (word === 'short' || word === 'near' || word === 'far') distance = word;
    else break;
    reader.at++;
  }
  const common = { size, strict, distance };
  if (reader.takeOp('[')) return { ...common, kind: 'memory', memory: parseMemory(reader) };
  const register = registerOf(reader.peek());
  if (register !== undefined) {
    reader.at++;
    return { ...common, kind: 'register', register };
  }
  const value = parseExpression(reader);
  if (!reader.takeOp(':')) return { ...common, kind: 'immediate', value };
  return { ...common, kind: 'far', selector: value, value: parseExpression(reader) };
}

function registerOf(token: Token | undefined): Register | undefined {
  return token?.kind === 'id' ? REGISTERS.get(token.text.toLowerCase()) : undefined;
}

/** Parses up to and with the closing bracket. */
function parseMemory(reader: TokenReader): MemoryReference {
  let segment: Register | undefined;
  let relative: boolean | undefined;
  let addressSize: number | undefined;
  for (;;) {
    const token = reader.peek();
    const word = token?.kind === 'id' ? token.text.toLowerCase() : '';
    const register = registerOf(token);
    if (SIZE_WORDS[word] !== undefined) addressSize = SIZE_WORDS[word];
    else if (word === 'rel' || word === 'abs') relative = word === 'rel';
    else if (register?.class === 'sreg' && reader.tokens[reader.at + 1]?.text === ':') {
      segment = register;
      reader.at++;
    } else break;
    reader.at++;
  }
  const terms = splitTerms(reader);
  const registers: AddressRegister[] = [];
  const rest: Token[] = [];
  for (const { sign, tokens } of terms) {
    const scaled = scaledRegister(reader, tokens);
    if (scaled === undefined) {
      rest.push(sign, ...tokens);
      continue;
    }
    if (sign.text === '-') throw reader.error('a register cannot be subtracted in an address');
    registers.push(scaled);
  }
  let displacement: Expression | undefined;
  if (rest.length > 0) {
    const inner = new TokenReader(rest[0]!.text === '+' ? rest.slice(1) : rest, reader.position);
    displacement = parseExpression(inner);
    inner.expectEnd();
  }
  return { segment, registers, displacement, relative, addressSize };
}

const PLUS: Token = { kind: 'op', text: '+', value: 0n, spaced: false };

/** Splits the address at its top-level + and -. */
function splitTerms(reader: TokenReader): { sign: Token; tokens: Token[] }[] {
  const terms: { sign: Token; tokens: Token[] }[] = [{ sign: PLUS, tokens: [] }];
  let depth = 0;
  for (;;) {
    const token = reader.peek();
    if (token === undefined) throw reader.error("']' is missing");
    reader.at++;
    const text = token.kind === 'op' ? token.text : '';
    if (depth === 0 && text === ']') break;
    if (text === '(') depth++;
    if (text === ')') depth--;
    const current = terms.at(-1)!;
    const last = current.tokens.at(-1);
    const afterValue = last !== undefined && (last.kind !== 'op' || [')', '$', '$$'].includes(last.text));
    if (depth > 0 || (text !== '+' && text !== '-')) current.tokens.push(token);
    else if (afterValue) terms.push({ sign: token, tokens: [] });
    else if (last === undefined && terms.length === 1) terms[0] = { sign: token, tokens: [] };
    else current.tokens.push(token); // a sign of the value that follows
  }
  const empty = terms.find(({ tokens }) => tokens.length === 0);
  if (empty !== undefined) throw reader.error('an address has an empty part');
  return terms;
}

function scaledRegister(reader: TokenReader, tokens: readonly Token[]): AddressRegister | undefined {
  const [first, last] = [registerOf(tokens[0]), registerOf(tokens.at(-1))];
  if (first !== undefined && tokens.length === 1) return { register: first, factor: undefined };
  const parse = (part: readonly Token[]): Expression => {
    const inner = new TokenReader(part, reader.position);
    const factor = parseExpression(inner);
    inner.expectEnd();
    return factor;
  };
  if (first !== undefined && tokens[1]!.text === '*') return { register: first, factor: parse(tokens.slice(2)) };
  if (last !== undefined && tokens.at(-2)!.text === '*') return { register: last, factor: parse(tokens.slice(0, -2)) };
  return undefined;
}

/** Parses a list of operands up to the end of the line. */
export function parseOperands(reader: TokenReader): Operand[] {
  if (reader.done) return [];
  const operands = [parseOperand(reader)];
  while (reader.takeOp(',')) operands.push(parseOperand(reader));
  if (!reader.done) throw reader.error(`unexpected ${describe(reader.peek())}`);
  return operands;
}
