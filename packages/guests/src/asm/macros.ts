import { AssemblerError, type SourcePosition } from './errors.ts';
import { type Token, tokenize } from './lexer.ts';

/** A line of source as tokens. */
export interface SourceLine {
  readonly tokens: readonly Token[];
  readonly position: SourcePosition;
}

/** A `%define` or `%assign`. */
interface Definition {
  /** Parameter names, or `undefined` for one that takes no parentheses. */
  readonly parameters: readonly string[] | undefined;
  readonly body: readonly Token[];
}

/** A macro parameter as its token, for example `%1`, with what it stands for. */
export type Bindings = ReadonlyMap<string, readonly Token[]>;

const MAX_DEPTH = 64;

/** The single-line macros of a source, and their expansion. */
export class Definitions {
  readonly #definitions = new Map<string, Definition>();

  has(name: string): boolean {
    return this.#definitions.has(name);
  }

  set(name: string, body: readonly Token[], parameters?: readonly string[]): void {
    this.#definitions.set(name, { parameters, body });
  }

  delete(name: string): void {
    this.#definitions.delete(name);
  }

  /** Replaces all defined names, and `%[...]` by its expansion. */
  expand(line: readonly Token[], position: SourcePosition, active: readonly string[] = []): Token[] {
    if (active.length > MAX_DEPTH) throw new AssemblerError(position, `definition of ${active[0]} never ends`);
    const out: Token[] = [];
    for (let at = 0; at < line.length; at++) {
      const token = line[at]!;
      if (token.kind === 'pp' && token.text === '%[') {
        const end = closing(line, at, '[', ']', position);
        paste(out, this.expand(line.slice(at + 1, end), position, active), token.spaced, position);
        at = end;
        const next = line[end + 1];
        if (next !== undefined && !next.spaced && joinsTo(next)) {
          paste(out, [next], false, position); // a name such as a%[i]b
          at++;
        }
        continue;
      }
      if (token.kind === 'pp' && token.text === '%+') {
        const next = this.expand(line.slice(at + 1, at + 2), position, active);
        paste(out, next, false, position);
        at++;
        continue;
      }
      const definition =
        token.kind === 'id' && !active.includes(token.text) ? this.#definitions.get(token.text) : undefined;
      if (definition === undefined) {
        out.push(token);
        continue;
      }
      const nested = [...active, token.text];
      if (definition.parameters === undefined) {
        append(out, this.expand(definition.body, position, nested), token.spaced);
        continue;
      }
      if (line[at + 1]?.text !== '(' || line[at + 1]?.kind !== 'op') {
        out.push(token); // the bare name of a macro that takes arguments stands for itself
        continue;
      }
      const end = closing(line, at + 1, '(', ')', position);
      const given = splitArguments(line.slice(at + 2, end)).map((part) => this.expand(part, position, active));
      const { parameters } = definition;
      if (given.length !== parameters.length)
        throw new AssemblerError(position, `${token.text} takes ${parameters.length} arguments, not ${given.length}`);
      const bindings = new Map(parameters.map((name, index) => [name, given[index]!]));
      const body = definition.body.flatMap((part) => {
        const value = part.kind === 'id' ? bindings.get(part.text) : undefined;
        return value === undefined ? [part] : withSpacing(value, part.spaced);
      });
      append(out, this.expand(body, position, nested), token.spaced);
      at = end;
    }
    return out;
  }
}

/** Puts parameters of a multi-line macro into a line of its body, joined to neighbours without a space. */
export function substitute(line: readonly Token[], bindings: Bindings, position: SourcePosition): Token[] {
  const out: Token[] = [];
  let joinable = false;
  for (const token of line) {
    const name = token.kind === 'pp' ? token.text.replace(/^%\{(.*)\}$/, '%$1') : undefined;
    const value = name === undefined ? undefined : name.startsWith('%%') ? localOf(name, bindings) : bindings.get(name);
    if (name !== undefined && value === undefined && /^%[0-9]+$/.test(name))
      throw new AssemblerError(position, `macro parameter ${name} was not given`);
    if (value !== undefined) {
      if (!token.spaced && joinsTo(out.at(-1))) paste(out, value, false, position);
      else append(out, value, token.spaced);
      joinable = true;
    } else if (joinable && !token.spaced && (token.kind === 'id' || token.kind === 'number') && joinsTo(out.at(-1))) {
      paste(out, [token], false, position);
    } else {
      out.push(token);
      joinable = false;
    }
  }
  return out;
}

/** `%%name` is a label of its own in each use of the macro. */
function localOf(name: string, bindings: Bindings): readonly Token[] | undefined {
  const prefix = bindings.get('%%')?.[0]?.text;
  return prefix === undefined
    ? undefined
    : [{ kind: 'id', text: `${prefix}.${name.slice(2)}`, value: 0n, spaced: false }];
}

const joinsTo = (token: Token | undefined): boolean => token?.kind === 'id' || token?.kind === 'number';

function append(out: Token[], tokens: readonly Token[], spaced: boolean): void {
  out.push(...withSpacing(tokens, spaced));
}

function withSpacing(tokens: readonly Token[], spaced: boolean): Token[] {
  return tokens.map((token, index) => (index === 0 ? { ...token, spaced } : token));
}

/** Appends tokens, the first of them joined to the last one there. */
function paste(out: Token[], tokens: readonly Token[], spaced: boolean, position: SourcePosition): void {
  const last = out.at(-1);
  const first = tokens[0];
  if (spaced || last === undefined || first === undefined || !joinsTo(last)) {
    append(out, tokens, spaced);
    return;
  }
  out.pop();
  const joined = tokenize(last.text + first.text, position);
  append(out, joined, last.spaced);
  out.push(...tokens.slice(1));
}

function closing(line: readonly Token[], at: number, open: string, close: string, position: SourcePosition): number {
  let depth = 0;
  for (let index = at; index < line.length; index++) {
    const { kind, text } = line[index]!;
    if (kind === 'string') continue;
    if (text === open || (open === '[' && text === '%[')) depth++;
    else if (text === close && --depth === 0) return index;
  }
  throw new AssemblerError(position, `'${open}' is not closed`);
}

/** Splits at commas outside parentheses, brackets and braces. No tokens at all are no argument. */
export function splitArguments(tokens: readonly Token[]): Token[][] {
  if (tokens.length === 0) return [];
  const parts: Token[][] = [[]];
  let depth = 0;
  for (const token of tokens) {
    if (token.kind === 'op' && (token.text === '(' || token.text === '[')) depth++;
    else if (token.kind === 'op' && (token.text === ')' || token.text === ']')) depth--;
    if (token.kind === 'op' && token.text === ',' && depth === 0) parts.push([]);
    else parts.at(-1)!.push(token);
  }
  return parts;
}
