import { AssemblerError, type SourcePosition } from './errors.ts';
import { evaluate, parseExpression, plain, TokenReader } from './expression.ts';
import { type Token, tokenize } from './lexer.ts';
import { Definitions, type SourceLine, splitArguments, substitute } from './macros.ts';

/** Options of {@link preprocess}. */
export interface PreprocessorOptions {
  /** Name of the source in messages. */
  readonly file: string;
  /** Names that are defined from the start, with the text they stand for. */
  readonly defines: Readonly<Record<string, string | number | bigint>>;
  /** Returns the text of a file named by `%include`. */
  readonly include: ((name: string) => string) | undefined;
}

interface MultiLineMacro {
  readonly least: number;
  readonly most: number;
  readonly greedy: boolean;
  readonly defaults: readonly (readonly Token[])[];
  readonly body: readonly SourceLine[];
}

/** A `%if` that is open: whether this branch is taken, whether one was, whether the surroundings are. */
interface Condition {
  active: boolean;
  taken: boolean;
  readonly outer: boolean;
}

const MAX_DEPTH = 100;
const MAX_LINES = 2_000_000;

/**
 * Expands all `%` directives of NASM that this assembler knows: `%define`, `%xdefine`, `%assign`, `%undef`, the `%if`
 * family, `%macro`, `%rep`, `%exitrep`, `%rotate`, `%include`, `%error`, `%[...]`, `%+` and `%%label`.
 *
 * Expressions in directives may use numbers and definitions, not labels: they are evaluated before any label has an
 * address.
 *
 * @throws AssemblerError for anything unknown or unbalanced
 */
export function preprocess(source: string, options: PreprocessorOptions): SourceLine[] {
  return new Preprocessor(options).run(source);
}

class Preprocessor {
  readonly #definitions = new Definitions();
  readonly #macros = new Map<string, MultiLineMacro[]>();
  readonly #conditions: Condition[] = [];
  readonly #out: SourceLine[] = [];
  readonly #options: PreprocessorOptions;
  #uses = 0;
  #exitRep = false;

  constructor(options: PreprocessorOptions) {
    this.#options = options;
    const position = { file: options.file, line: 0 };
    for (const [name, value] of Object.entries(options.defines))
      this.#definitions.set(name, tokenize(String(value), position));
  }

  run(source: string): SourceLine[] {
    this.#lines(readLines(source, this.#options.file), 0);
    return this.#out;
  }

  #lines(lines: readonly SourceLine[], depth: number): void {
    const first = lines[0];
    if (depth > MAX_DEPTH)
      throw new AssemblerError(first?.position ?? { file: '', line: 0 }, 'macros are nested too deep');
    const open = this.#conditions.length;
    for (let at = 0; at < lines.length && !this.#exitRep; at++) at = this.#line(lines, at, depth);
    if (this.#exitRep) this.#conditions.length = open;
    if (this.#conditions.length !== open) throw new AssemblerError(lines.at(-1)!.position, '%endif is missing');
  }

  /** Handles the line at `at`, and for `%macro` and `%rep` its body; returns the index of the last line used. */
  #line(lines: readonly SourceLine[], at: number, depth: number): number {
    const { tokens, position } = lines[at]!;
    const first = tokens[0];
    if (first?.kind !== 'pp' || !/^%[a-z]/i.test(first.text)) {
      if (this.#active) this.#statement(tokens, position, depth);
      return at;
    }
    const directive = first.text.slice(1).toLowerCase();
    const rest = tokens.slice(1);
    if (this.#condition(directive, rest, position)) return at;
    if (directive === 'macro' || directive === 'imacro' || directive === 'rep') {
      const end = bodyEnd(lines, at, directive === 'rep' ? 'rep' : 'macro');
      const body = lines.slice(at + 1, end);
      if (this.#active && directive === 'rep') this.#repeat(rest, body, position, depth);
      else if (this.#active) this.#defineMacro(rest, body, position);
      return end;
    }
    if (this.#active) this.#directive(directive, rest, position, depth);
    return at;
  }

  get #active(): boolean {
    return this.#conditions.at(-1)?.active ?? true;
  }

  #condition(directive: string, rest: readonly Token[], position: SourcePosition): boolean {
    if (directive === 'endif' || directive === 'else') {
      const condition = this.#conditions.at(-1);
      if (condition === undefined) throw new AssemblerError(position, `%${directive} without %if`);
      if (directive === 'endif') this.#conditions.pop();
      else condition.active = condition.outer && !condition.taken;
      condition.taken = true;
      return true;
    }
    const match = /^(el)?if(n?)(def|macro|idn|idni|num|id|str|empty|)$/.exec(directive);
    if (match === null) return false;
    const [, isElse, negate, test] = match;
    if (isElse === undefined) {
      this.#conditions.push({ active: false, taken: false, outer: this.#active });
    } else if (this.#conditions.length === 0) {
      throw new AssemblerError(position, `%${directive} without %if`);
    }
    const condition = this.#conditions.at(-1)!;
    condition.active = false;
    if (!condition.outer || condition.taken) return true;
    condition.active = this.#test(test!, rest, position) !== (negate === 'n');
    condition.taken = condition.active;
    return true;
  }

  #test(test: string, rest: readonly Token[], position: SourcePosition): boolean {
    if (test === 'def') return rest.some((token) => this.#definitions.has(token.text));
    if (test === 'macro') return rest.length > 0 && this.#macros.has(rest[0]!.text.toLowerCase());
    const tokens = this.#definitions.expand(rest, position);
    switch (test) {
      case 'empty':
        return tokens.length === 0;
      case 'num':
        return tokens.length === 1 && tokens[0]!.kind === 'number';
      case 'id':
        return tokens.length === 1 && tokens[0]!.kind === 'id';
      case 'str':
        return tokens.length === 1 && tokens[0]!.kind === 'string';
      case 'idn':
      case 'idni': {
        const [a = '', b = ''] = splitArguments(tokens).map((part) => part.map((token) => token.text).join(' '));
        return test === 'idn' ? a === b : a.toLowerCase() === b.toLowerCase();
      }
      default:
        return this.#number(rest, position) !== 0n;
    }
  }

  #directive(directive: string, rest: readonly Token[], position: SourcePosition, depth: number): void {
    const name = rest[0]?.text;
    switch (directive) {
      case 'define':
      case 'xdefine':
      case 'idefine': {
        if (name === undefined) throw new AssemblerError(position, `%${directive} needs a name`);
        // Parameters follow the name without a space; otherwise the parenthesis belongs to the body.
        const takesArguments = rest[1]?.text === '(' && rest[1].kind === 'op' && !rest[1].spaced;
        const end = takesArguments ? rest.findIndex((token) => token.text === ')') : 0;
        const parameters = takesArguments
          ? splitArguments(rest.slice(2, end)).map((part) => part[0]?.text ?? '')
          : undefined;
        const body = rest.slice(end + 1);
        const expanded = directive === 'xdefine' ? this.#definitions.expand(body, position) : body;
        this.#definitions.set(name, expanded, parameters);
        return;
      }
      case 'assign': {
        if (name === undefined) throw new AssemblerError(position, '%assign needs a name');
        const value = this.#number(rest.slice(1), position);
        this.#definitions.set(name, [{ kind: 'number', text: String(value), value, spaced: true }]);
        return;
      }
      case 'undef':
        if (name !== undefined) this.#definitions.delete(name);
        return;
      case 'exitrep':
        this.#exitRep = true;
        return;
      case 'include': {
        const { include } = this.#options;
        if (include === undefined || name === undefined)
          throw new AssemblerError(position, '%include is not available here');
        this.#lines(readLines(include(name), name), depth + 1);
        return;
      }
      case 'error':
      case 'fatal':
        throw new AssemblerError(position, rest.map((token) => token.text).join(' '));
      case 'warning':
        return;
      default:
        throw new AssemblerError(position, `unknown directive %${directive}`);
    }
  }

  #repeat(rest: readonly Token[], body: readonly SourceLine[], position: SourcePosition, depth: number): void {
    const count = this.#number(rest, position);
    for (let i = 0n; i < count && !this.#exitRep; i++) this.#lines(body, depth + 1);
    this.#exitRep = false;
  }

  #defineMacro(rest: readonly Token[], body: readonly SourceLine[], position: SourcePosition): void {
    const [name, ...spec] = rest;
    if (name === undefined) throw new AssemblerError(position, '%macro needs a name');
    // The number of parameters is written without spaces; defaults follow after one.
    const end = spec.findIndex((token, index) => index > 0 && token.spaced);
    const used = end < 0 ? spec.length : end;
    const text = spec
      .slice(0, used)
      .map((token) => token.text)
      .join('');
    const match = /^([0-9]+)(-([0-9]+|\*))?(\+?)$/.exec(text);
    if (match === null && text !== '') throw new AssemblerError(position, `%macro cannot have ${text} parameters`);
    const least = Number(match?.[1] ?? 0);
    const most = match?.[3] === undefined ? least : match[3] === '*' ? Number.MAX_SAFE_INTEGER : Number(match[3]);
    const macro = { least, most, greedy: match?.[4] === '+', defaults: splitArguments(spec.slice(used)), body };
    const key = name.text.toLowerCase();
    this.#macros.set(key, [...(this.#macros.get(key) ?? []).filter((other) => other.least !== least), macro]);
  }

  #statement(tokens: readonly Token[], position: SourcePosition, depth: number): void {
    if (this.#out.length > MAX_LINES) throw new AssemblerError(position, 'the expanded source is too long');
    const expanded = this.#definitions.expand(tokens, position);
    if (expanded.length === 0) return;
    // A macro may follow a label.
    const labelled = expanded[1]?.text === ':' && expanded[1].kind === 'op';
    const at = labelled ? 2 : 0;
    const name = expanded[at];
    const candidates = name?.kind === 'id' ? this.#macros.get(name.text.toLowerCase()) : undefined;
    if (candidates === undefined) {
      this.#out.push({ tokens: expanded, position });
      return;
    }
    if (labelled) this.#out.push({ tokens: expanded.slice(0, 2), position });
    this.#call(candidates, expanded.slice(at), position, depth);
  }

  #call(candidates: readonly MultiLineMacro[], line: readonly Token[], position: SourcePosition, depth: number): void {
    const parts = splitArguments(line.slice(1));
    const macro = candidates.find(
      ({ least, most, greedy }) => parts.length >= least && (greedy || parts.length <= most),
    );
    if (macro === undefined)
      throw new AssemblerError(position, `macro ${line[0]!.text} does not take ${parts.length} arguments`);
    let given: (readonly Token[])[] = parts.map(unbrace);
    if (macro.greedy && given.length > macro.most) {
      const comma: Token = { kind: 'op', text: ',', value: 0n, spaced: false };
      const tail = given.slice(macro.most - 1).flatMap((part, index) => (index === 0 ? part : [comma, ...part]));
      given = [...given.slice(0, macro.most - 1), tail];
    }
    const most = Math.min(macro.most, macro.least + macro.defaults.length);
    while (given.length < most) given.push(macro.defaults[given.length - macro.least]!);

    const prefix: Token = { kind: 'id', text: `..@${++this.#uses}`, value: 0n, spaced: false };
    let rotated = 0;
    const bind = (): Map<string, readonly Token[]> => {
      const bindings = new Map<string, readonly Token[]>([['%%', [prefix]]]);
      const count = BigInt(given.length);
      bindings.set('%0', [{ kind: 'number', text: String(count), value: count, spaced: false }]);
      given.forEach((_, index) => {
        bindings.set(`%${index + 1}`, given[(index + rotated) % given.length]!);
      });
      return bindings;
    };
    const outerExit = this.#exitRep;
    const body: SourceLine[] = [];
    for (const entry of macro.body) {
      if (entry.tokens[0]?.text === '%rotate') {
        // Handled here, because it changes what the following lines' parameters stand for.
        rotated += Number(this.#number(substitute(entry.tokens.slice(1), bind(), entry.position), entry.position));
        rotated = ((rotated % given.length) + given.length) % given.length;
      } else {
        body.push({ tokens: substitute(entry.tokens, bind(), entry.position), position: entry.position });
      }
    }
    this.#lines(body, depth + 1);
    this.#exitRep = outerExit;
  }

  #number(tokens: readonly Token[], position: SourcePosition): bigint {
    const reader = new TokenReader(this.#definitions.expand(tokens, position), position);
    const expression = parseExpression(reader);
    reader.expectEnd();
    const value = evaluate(expression, { lookup: () => undefined, here: plain(0n), start: plain(0n) }, position);
    if (!value.known)
      throw new AssemblerError(position, 'a directive can only use numbers and definitions, not labels');
    return value.number;
  }
}

function readLines(source: string, file: string): SourceLine[] {
  const lines: SourceLine[] = [];
  const rows = source.split('\n');
  for (let index = 0; index < rows.length; index++) {
    const position = { file, line: index + 1 };
    let row = rows[index]!.replace(/\r$/, '');
    while (row.endsWith('\\') && index + 1 < rows.length) row = row.slice(0, -1) + rows[++index]!.replace(/\r$/, '');
    lines.push({ tokens: tokenize(row, position), position });
  }
  return lines;
}

function bodyEnd(lines: readonly SourceLine[], start: number, kind: 'macro' | 'rep'): number {
  const opens = kind === 'rep' ? ['%rep'] : ['%macro', '%imacro'];
  const closes = kind === 'rep' ? ['%endrep'] : ['%endmacro', '%endm'];
  let depth = 0;
  for (let at = start; at < lines.length; at++) {
    const word = lines[at]!.tokens[0]?.text.toLowerCase() ?? '';
    if (opens.includes(word)) depth++;
    else if (closes.includes(word) && --depth === 0) return at;
  }
  throw new AssemblerError(lines[start]!.position, `${opens[0]} is not closed by ${closes[0]}`);
}

/** A macro argument in braces may contain commas; the lexer has no braces outside `%{}`, so only spacing is dropped. */
function unbrace(part: readonly Token[]): readonly Token[] {
  return part.length === 0 ? part : [{ ...part[0]!, spaced: false }, ...part.slice(1)];
}
