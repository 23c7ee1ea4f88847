import { AssemblerError, type SourcePosition } from './errors.ts';
import { stringValue, type Token } from './lexer.ts';

/**
 * A value during assembly. `base` names what the number moves with: 0 is a plain number, anything else the section of a
 * label. An instruction takes its short form only for plain numbers, as NASM does, so the two are kept apart.
 */
export interface Value {
  readonly number: bigint;
  readonly base: number;
  /** False while a label that the value needs has not been seen in any pass. */
  readonly known: boolean;
}

/** Meaning of names for one evaluation. */
export interface Scope {
  /** Value of a symbol; `undefined` if it has none yet. */
  lookup(name: string): Value | undefined;
  /** `$`: address of this statement. */
  readonly here: Value;
  /** `$$`: start of the current section. */
  readonly start: Value;
}

/** An expression that can be evaluated again in each pass. */
export type Expression =
  | { readonly kind: 'number'; readonly value: bigint }
  | { readonly kind: 'symbol'; readonly name: string }
  | { readonly kind: 'here' | 'start' }
  | { readonly kind: 'unary'; readonly op: string; readonly a: Expression }
  | { readonly kind: 'binary'; readonly op: string; readonly a: Expression; readonly b: Expression }
  | { readonly kind: 'choice'; readonly test: Expression; readonly a: Expression; readonly b: Expression };

/** Binary operators by rising precedence (NASM manual, section 3.5). */
const LEVELS: readonly (readonly string[])[] = [
  ['||'],
  ['^^'],
  ['&&'],
  ['=', '==', '!=', '<>', '<', '<=', '>', '>='],
  ['|'],
  ['^'],
  ['&'],
  ['<<', '>>', '<<<', '>>>'],
  ['+', '-'],
  ['*', '/', '//', '%', '%%'],
];
const UNARY = new Set(['-', '+', '~', '!']);

/** Reads tokens one after the other. */
export class TokenReader {
  at = 0;
  readonly tokens: readonly Token[];
  readonly position: SourcePosition;

  constructor(tokens: readonly Token[], position: SourcePosition) {
    this.tokens = tokens;
    this.position = position;
  }

  /** The next token, or `undefined` at the end of the line. */
  peek(): Token | undefined {
    return this.tokens[this.at];
  }

  /** Whether the next token is this operator. */
  isOp(text: string): boolean {
    const token = this.peek();
    return token !== undefined && token.kind === 'op' && token.text === text;
  }

  /** Takes the next token if it is this operator. */
  takeOp(text: string): boolean {
    const found = this.isOp(text);
    if (found) this.at++;
    return found;
  }

  /** Takes this operator. @throws AssemblerError if something else comes */
  expectOp(text: string): void {
    if (!this.takeOp(text)) throw this.error(`expected '${text}' before ${describe(this.peek())}`);
  }

  /** Takes the next token if it is this word, in any case. */
  takeWord(text: string): boolean {
    const token = this.peek();
    const found = token !== undefined && token.kind === 'id' && token.text.toLowerCase() === text;
    if (found) this.at++;
    return found;
  }

  /** Whether every token was taken. */
  get done(): boolean {
    return this.at >= this.tokens.length;
  }

  /** @throws AssemblerError if tokens are left */
  expectEnd(): void {
    if (!this.done) throw this.error(`unexpected ${describe(this.peek())}`);
  }

  error(reason: string): AssemblerError {
    return new AssemblerError(this.position, reason);
  }
}

/** Parses one expression. */
export function parseExpression(reader: TokenReader): Expression {
  const test = parseLevel(reader, 0);
  if (!reader.takeOp('?')) return test;
  const a = parseExpression(reader);
  reader.expectOp(':');
  return { kind: 'choice', test, a, b: parseExpression(reader) };
}

function parseLevel(reader: TokenReader, level: number): Expression {
  const ops = LEVELS[level];
  if (ops === undefined) return parseUnary(reader);
  let a = parseLevel(reader, level + 1);
  for (;;) {
    const token = reader.peek();
    if (token === undefined || token.kind !== 'op' || !ops.includes(token.text)) return a;
    reader.at++;
    a = { kind: 'binary', op: token.text, a, b: parseLevel(reader, level + 1) };
  }
}

function parseUnary(reader: TokenReader): Expression {
  const token = reader.peek();
  if (token === undefined) throw reader.error('an expression is missing');
  reader.at++;
  switch (token.kind) {
    case 'number':
      return { kind: 'number', value: token.value };
    case 'string':
      return { kind: 'number', value: stringValue(token.text) };
    case 'id':
      return { kind: 'symbol', name: token.text };
    case 'op': {
      if (token.text === '$') return { kind: 'here' };
      if (token.text === '$$') return { kind: 'start' };
      if (UNARY.has(token.text)) return { kind: 'unary', op: token.text, a: parseUnary(reader) };
      if (token.text === '(') {
        const inner = parseExpression(reader);
        reader.expectOp(')');
        return inner;
      }
    }
  }
  reader.at--;
  throw reader.error(`expected a value before ${describe(token)}`);
}

/** A plain number. */
export function plain(number: bigint): Value {
  return { number: BigInt.asIntN(64, number), base: 0, known: true };
}

const UNKNOWN: Value = { number: 0n, base: 0, known: false };

/**
 * Evaluates in 64-bit two's complement arithmetic.
 *
 * @throws AssemblerError for a division by zero or an operator that labels do not take
 */
export function evaluate(expression: Expression, scope: Scope, position: SourcePosition): Value {
  switch (expression.kind) {
    case 'number':
      return plain(expression.value);
    case 'symbol':
      return scope.lookup(expression.name) ?? UNKNOWN;
    case 'here':
      return scope.here;
    case 'start':
      return scope.start;
    case 'unary': {
      const a = evaluate(expression.a, scope, position);
      if (!a.known || expression.op === '+') return a;
      if (a.base !== 0) throw new AssemblerError(position, `a label's address cannot take '${expression.op}'`);
      return plain(expression.op === '-' ? -a.number : expression.op === '~' ? ~a.number : a.number === 0n ? 1n : 0n);
    }
    case 'choice': {
      const test = evaluate(expression.test, scope, position);
      return test.known ? evaluate(test.number === 0n ? expression.b : expression.a, scope, position) : test;
    }
    case 'binary': {
      const a = evaluate(expression.a, scope, position);
      const b = evaluate(expression.b, scope, position);
      if (!a.known || !b.known) return UNKNOWN;
      return binary(expression.op, a, b, position);
    }
  }
}

function binary(op: string, a: Value, b: Value, position: SourcePosition): Value {
  if (op === '+' && (a.base === 0 || b.base === 0))
    return { number: BigInt.asIntN(64, a.number + b.number), base: a.base | b.base, known: true };
  if (op === '-' && (b.base === 0 || a.base === b.base))
    return { number: BigInt.asIntN(64, a.number - b.number), base: b.base === 0 ? a.base : 0, known: true };
  const comparable = a.base === b.base && COMPARE[op] !== undefined;
  if (!comparable && (a.base !== 0 || b.base !== 0))
    throw new AssemblerError(position, `'${op}' takes plain numbers, not a label's address`);
  const compare = COMPARE[op];
  if (compare !== undefined) return plain(compare(a.number, b.number) ? 1n : 0n);
  return plain(arithmetic(op, a.number, b.number, position));
}

const COMPARE: Readonly<Record<string, (a: bigint, b: bigint) => boolean>> = {
  '=': (a, b) => a === b,
  '==': (a, b) => a === b,
  '!=': (a, b) => a !== b,
  '<>': (a, b) => a !== b,
  '<': (a, b) => a < b,
  '<=': (a, b) => a <= b,
  '>': (a, b) => a > b,
  '>=': (a, b) => a >= b,
};

/** `/` and `%` are unsigned, `//` and `%%` signed; `>>` is unsigned, `>>>` signed. */
function arithmetic(op: string, a: bigint, b: bigint, position: SourcePosition): bigint {
  const [ua, ub] = [BigInt.asUintN(64, a), BigInt.asUintN(64, b)];
  if (b === 0n && (op === '/' || op === '//' || op === '%' || op === '%%'))
    throw new AssemblerError(position, 'division by zero');
  const bool = (value: boolean): bigint => (value ? 1n : 0n);
  switch (op) {
    case '+':
      return a + b;
    case '-':
      return a - b;
    case '*':
      return a * b;
    case '/':
      return ua / ub;
    case '//':
      return a / b;
    case '%':
      return ua % ub;
    case '%%':
      return a % b;
    case '|':
      return a | b;
    case '^':
      return a ^ b;
    case '&':
      return a & b;
    case '<<':
    case '<<<':
      return ub > 63n ? 0n : ua << ub;
    case '>>':
      return ub > 63n ? 0n : ua >> ub;
    case '>>>':
      return ub > 63n ? a >> 63n : a >> ub;
    case '||':
      return bool(a !== 0n || b !== 0n);
    case '&&':
      return bool(a !== 0n && b !== 0n);
    case '^^':
      return bool((a !== 0n) !== (b !== 0n));
    default:
      throw new AssemblerError(position, `unknown operator '${op}'`);
  }
}

/** A token as it is named in messages. */
export function describe(token: Token | undefined): string {
  return token === undefined ? 'the end of the line' : `'${token.text}'`;
}
