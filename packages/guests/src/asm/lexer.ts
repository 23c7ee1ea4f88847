import { AssemblerError, type SourcePosition } from './errors.ts';

/** Kinds of token. `pp` is a word that starts with `%`: a directive, a macro parameter or a macro-local label. */
export type TokenKind = 'id' | 'number' | 'float' | 'string' | 'pp' | 'op';

/** One token of a source line. */
export interface Token {
  readonly kind: TokenKind;
  /** The text; of a string, its content. */
  readonly text: string;
  /** Value of a `number`. */
  readonly value: bigint;
  /** Whether white space comes before it; a macro parameter without any is joined to its neighbour. */
  readonly spaced: boolean;
}

const SPACE = /[ \t\r]+/y;
const NUMBER = /(?:\$[0-9][0-9a-fA-F_]*|[0-9][0-9a-zA-Z_]*)/y;
const FLOAT = /[0-9][0-9_]*\.[0-9_]*(?:[eE][+-]?[0-9]+)?|[0-9][0-9_]*[eE][+-]?[0-9]+(?![0-9a-zA-Z_])/y;
const IDENTIFIER = /\$?[A-Za-z_.@][A-Za-z0-9_.?@$#~]*/y;
const PREPROCESSOR = /%(?:%[A-Za-z_.?@][A-Za-z0-9_.?@$#~]*|[0-9]+|\+[0-9]*|[A-Za-z][A-Za-z0-9]*|\{[^}]*\}|\[)/y;
const OPERATOR = /<<<|>>>|<<|>>|<=|>=|<>|==|!=|\|\||&&|\^\^|\/\/|%%|\$\$|[-+*/%&|^~!<>=()[\],:?$]/y;

/**
 * Splits one line into tokens; a comment ends it.
 *
 * @throws AssemblerError for an unfinished string, a malformed number or a stray character
 */
export function tokenize(line: string, position: SourcePosition): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  let spaced = false;
  const match = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = at;
    return pattern.exec(line)?.[0];
  };
  const push = (kind: TokenKind, text: string, length: number, value = 0n): void => {
    tokens.push({ kind, text, value, spaced });
    at += length;
    spaced = false;
  };
  while (at < line.length) {
    const space = match(SPACE);
    if (space !== undefined) {
      at += space.length;
      spaced = true;
      continue;
    }
    const first = line[at]!;
    if (first === ';') break;
    if (first === "'" || first === '"' || first === '`') {
      const { content, length } = readString(line, at, position);
      push('string', content, length);
      continue;
    }
    // `%` before a space, and after a value where no word follows, is the modulo operator.
    const pp = first === '%' ? match(PREPROCESSOR) : undefined;
    const float = match(FLOAT);
    const number = match(NUMBER);
    const identifier = match(IDENTIFIER);
    const operator = match(OPERATOR);
    if (pp !== undefined) push('pp', pp, pp.length);
    else if (float !== undefined && !/^0[xXhH]/.test(float)) push('float', float.replaceAll('_', ''), float.length);
    else if (number !== undefined) push('number', number, number.length, parseNumber(number, position));
    else if (identifier !== undefined) push('id', identifier.replace(/^\$/, ''), identifier.length);
    else if (operator !== undefined) push('op', operator, operator.length);
    else throw new AssemblerError(position, `unexpected character ${JSON.stringify(first)}`);
  }
  return tokens;
}

/** Value of a number in any of NASM's spellings: 0x10, $10, 10h, 0b101, 101b, 0o17, 17q, 0d10, 1_000. */
function parseNumber(text: string, position: SourcePosition): bigint {
  const digits = text.replaceAll('_', '').toLowerCase();
  const spellings: readonly [RegExp, string][] = [
    [/^0[xh]([0-9a-f]+)$/, '0x'],
    [/^\$([0-9][0-9a-f]*)$/, '0x'],
    [/^([0-9][0-9a-f]*)[hx]$/, '0x'],
    [/^0[by]([01]+)$/, '0b'],
    [/^([01]+)[by]$/, '0b'],
    [/^0[oq]([0-7]+)$/, '0o'],
    [/^([0-7]+)[oq]$/, '0o'],
    [/^0[dt]([0-9]+)$/, ''],
    [/^([0-9]+)[dt]?$/, ''],
  ];
  for (const [pattern, prefix] of spellings) {
    const found = pattern.exec(digits)?.[1];
    if (found !== undefined) return BigInt(prefix + found);
  }
  throw new AssemblerError(position, `malformed number ${text}`);
}

const ESCAPES: Readonly<Record<string, string>> = {
  n: '\n',
  r: '\r',
  t: '\t',
  '0': '\0',
  a: '\x07',
  b: '\b',
  e: '\x1b',
  f: '\f',
  v: '\v',
};

/** Only a string in backquotes knows escapes. */
function readString(line: string, start: number, position: SourcePosition): { content: string; length: number } {
  const quote = line[start];
  let content = '';
  for (let at = start + 1; at < line.length; at++) {
    const char = line[at]!;
    if (char === quote) return { content, length: at + 1 - start };
    if (char !== '\\' || quote !== '`') {
      content += char;
      continue;
    }
    const hex = /^x([0-9a-fA-F]{1,2})/.exec(line.slice(at + 1));
    if (hex !== null) {
      content += String.fromCharCode(Number.parseInt(hex[1]!, 16));
      at += hex[0].length;
    } else {
      const escaped = line[++at] ?? '';
      content += ESCAPES[escaped] ?? escaped;
    }
  }
  throw new AssemblerError(position, 'a string is not closed on its line');
}

const encoder = new TextEncoder();

/** A string's bytes (UTF-8; characters up to 0xff that came from an escape stay one byte). */
export function stringBytes(text: string): Uint8Array {
  return /^[\0-\xff]*$/.test(text) ? Uint8Array.from(text, (char) => char.charCodeAt(0)) : encoder.encode(text);
}

/** A string as a number: its first eight bytes, little-endian. */
export function stringValue(text: string): bigint {
  let value = 0n;
  stringBytes(text)
    .subarray(0, 8)
    .forEach((byte, index) => {
      value |= BigInt(byte) << BigInt(index * 8);
    });
  return value;
}
