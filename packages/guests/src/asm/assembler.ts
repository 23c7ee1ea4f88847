import { checkFits, encodeInstruction } from './encode.ts';
import { AssemblerError, type SourcePosition } from './errors.ts';
import { type Expression, evaluate, plain, type Scope, type Value } from './expression.ts';
import { encodeFloat } from './float.ts';
import { stringBytes } from './lexer.ts';
import { type Action, type DataItem, parseStatement, type Statement } from './parser.ts';
import { preprocess } from './preprocessor.ts';
import { Layout, type Section } from './sections.ts';

/** Options of {@link assemble}. */
export interface AssembleOptions {
  /** Names defined before the first line, as with `%define`; a number or the text they stand for. */
  readonly defines?: Readonly<Record<string, string | number | bigint>>;
  /** Name of the source in messages. Default: `source`. */
  readonly file?: string;
  /** Code size before the first `bits`. Default: 16, as in NASM's flat format. */
  readonly bits?: 16 | 32 | 64;
  /** Address of the first byte where the source has no `org`. Default: 0. */
  readonly origin?: number | bigint;
  /** Returns the text of a file named by `%include`; without it, `%include` is an error. */
  readonly include?: (name: string) => string;
}

/** What {@link assemble} returns. */
export interface Assembly {
  /** The flat file: all sections with content, in order. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Addresses of labels and values of `equ`; a local label has its full name, such as `main.loop`. */
  readonly symbols: ReadonlyMap<string, bigint>;
  /** Address of the first byte. */
  readonly origin: bigint;
}

const MAX_PASSES = 100;
const NOP = 0x90;

/**
 * Assembles x86 source in NASM's syntax to a flat file, with NASM's choice of the shortest encodings.
 *
 * Known: 16-, 32- and 64-bit code; general, system, x87, MMX, SSE, SSE2 and SSE3 instructions; labels and local labels;
 * `equ`, `times`, `align`, `org`, `bits`, `default`, `section`, `absolute`, `struc`; `db` to `do`, `resb` to `reso`;
 * the preprocessor as far as `preprocess` says. Anything else is an error.
 *
 * @throws AssemblerError with file and line
 */
export function assemble(source: string, options: AssembleOptions = {}): Assembly {
  const file = options.file ?? 'source';
  const lines = preprocess(source, { file, defines: options.defines ?? {}, include: options.include });
  const statements = lines.map(parseStatement);
  const symbols = new Map<string, Value>();
  const layout = new Layout(BigInt(options.origin ?? 0));
  for (let number = 1; number <= MAX_PASSES; number++) {
    const pass = new Pass(statements, symbols, layout, options.bits ?? 16, number);
    pass.run();
    const moved = layout.place();
    if (!moved && !pass.changed && number > 1) {
      pass.check();
      return {
        bytes: layout.join(),
        symbols: new Map([...symbols].map(([name, { number: value }]) => [name, value])),
        origin: layout.origin,
      };
    }
  }
  throw new AssemblerError({ file, line: 1 }, `addresses do not settle in ${MAX_PASSES} passes`);
}

/** One pass over all statements. Labels ahead have the value of the pass before; the first pass hopes for short code. */
class Pass {
  /** Whether a symbol has another value than in the pass before. */
  changed = false;
  readonly #statements: readonly Statement[];
  readonly #symbols: Map<string, Value>;
  readonly #layout: Layout;
  readonly #defined = new Map<string, SourcePosition>();
  readonly #first: boolean;
  #bits: 16 | 32 | 64;
  #defaultRelative = false;
  #scopeLabel = '';
  #position: SourcePosition = { file: '', line: 0 };
  #section: Section;
  #struc: { name: string; section: Section; scopeLabel: string } | undefined;
  /** A value that nothing could give; the source is wrong if there is one in the last pass. */
  #unknown: AssemblerError | undefined;

  constructor(
    statements: readonly Statement[],
    symbols: Map<string, Value>,
    layout: Layout,
    bits: 16 | 32 | 64,
    number: number,
  ) {
    this.#statements = statements;
    this.#symbols = symbols;
    this.#layout = layout;
    this.#bits = bits;
    this.#first = number === 1;
    layout.restart();
    this.#section = layout.section('.text');
  }

  run(): void {
    for (const { label, action, position } of this.#statements) {
      this.#position = position;
      if (label !== undefined) {
        const name = this.#fullName(label);
        if (!label.startsWith('.')) this.#scopeLabel = label;
        // The line's own label counts for its local names, also in `name equ value`.
        this.#define(name, action.kind === 'equ' ? this.#value(action.value) : this.#section.here());
      } else if (action.kind === 'equ') {
        throw new AssemblerError(position, 'equ needs a label');
      }
      this.#perform(action);
    }
    if (this.#struc !== undefined) throw new AssemblerError(this.#position, 'endstruc is missing');
  }

  /** @throws AssemblerError if a value was needed that nothing gives */
  check(): void {
    if (this.#unknown !== undefined) throw this.#unknown;
  }

  #perform(action: Action): void {
    const section = this.#section;
    switch (action.kind) {
      case 'instruction':
        section.append(encodeInstruction(action.instruction, this.#instructionContext()));
        return;
      case 'data': {
        const scope = this.#scope();
        for (const item of action.items) this.#data(item, action.unit, scope);
        return;
      }
      case 'reserve':
        section.reserve(this.#count(action.count) * action.unit, this.#position);
        return;
      case 'times': {
        const count = this.#count(action.count);
        for (let i = 0; i < count; i++) this.#perform(action.action);
        return;
      }
      case 'align':
        this.#align(action);
        return;
      case 'org':
        this.#layout.setOrigin(this.#constant(action.value));
        return;
      case 'bits':
        this.#bits = action.bits;
        return;
      case 'default':
        this.#defaultRelative = action.relative;
        return;
      case 'absolute':
        this.#section = this.#layout.absolute(this.#value(action.value));
        return;
      case 'section': {
        this.#section = this.#layout.section(action.name);
        for (const [word, value] of action.attributes)
          this.#section.setAttribute(word, value && this.#constant(value), this.#position);
        return;
      }
      case 'struc':
        this.#struc = { name: action.name, section, scopeLabel: this.#scopeLabel };
        this.#section = this.#layout.absolute(plain(0n));
        this.#define(action.name, plain(0n));
        this.#scopeLabel = action.name;
        return;
      case 'endstruc': {
        if (this.#struc === undefined) throw new AssemblerError(this.#position, 'endstruc without struc');
        this.#define(`${this.#struc.name}_size`, section.here());
        this.#section = this.#struc.section;
        this.#scopeLabel = this.#struc.scopeLabel;
        this.#struc = undefined;
        return;
      }
    }
  }

  #align(action: Extract<Action, { kind: 'align' }>): void {
    const to = Number(this.#constant(action.to));
    const section = this.#section;
    if (to <= 0 || (to & (to - 1)) !== 0) throw new AssemblerError(this.#position, `cannot align to ${to}`);
    section.needAlignment(to);
    // NASM counts from the start of a section, but from address zero after `absolute`.
    const from = section.isAbsolute ? Number(section.address & BigInt(to - 1)) : 0;
    const end = section.size + (-(from + section.size) & (to - 1));
    if (section.noContent || action.reserve) section.reserve(end - section.size, this.#position);
    else if (action.fill === undefined) section.append(new Array<number>(end - section.size).fill(NOP));
    else while (section.size < end) this.#perform(action.fill);
  }

  #data(item: DataItem, unit: number, scope: Scope): void {
    const section = this.#section;
    const out: number[] = [];
    const append = (number: bigint): void => {
      for (let index = 0; index < unit; index++) out.push(Number((number >> BigInt(8 * index)) & 0xffn));
    };
    switch (item.kind) {
      case 'gap':
        append(0n);
        break;
      case 'string':
        out.push(...stringBytes(item.text));
        while (out.length % unit !== 0) out.push(0);
        break;
      case 'float': {
        const bits = encodeFloat(item.text, unit);
        if (bits === undefined)
          throw new AssemblerError(this.#position, `there are no ${unit}-byte numbers with a point`);
        append(bits);
        break;
      }
      case 'value': {
        const value = evaluate(item.value, scope, this.#position);
        checkFits(value, unit, this.#position);
        append(value.number);
      }
    }
    section.append(out);
  }

  #instructionContext(): { bits: 16 | 32 | 64; defaultRelative: boolean; scope: Scope } {
    return { bits: this.#bits, defaultRelative: this.#defaultRelative, scope: this.#scope() };
  }

  #scope(): Scope {
    const { start } = this.#section;
    return { lookup: (name) => this.#lookup(name), here: this.#section.here(), start };
  }

  #lookup(name: string): Value | undefined {
    const value = this.#symbols.get(this.#fullName(name));
    if (value === undefined && !this.#first) throw new AssemblerError(this.#position, `symbol ${name} is not defined`);
    if (value === undefined || !value.known)
      this.#unknown ??= new AssemblerError(this.#position, `${name} has no value`);
    return value;
  }

  /** A local name belongs to the last label that is none. */
  #fullName(name: string): string {
    return name.startsWith('.') && !name.startsWith('..') ? this.#scopeLabel + name : name;
  }

  #define(name: string, value: Value): void {
    const earlier = this.#defined.get(name);
    if (earlier !== undefined)
      throw new AssemblerError(this.#position, `${name} is already defined in ${earlier.file}:${earlier.line}`);
    this.#defined.set(name, this.#position);
    const before = this.#symbols.get(name);
    if (before?.number !== value.number || before.base !== value.base || before.known !== value.known)
      this.changed = true;
    this.#symbols.set(name, value);
  }

  #value(expression: Expression): Value {
    return evaluate(expression, this.#scope(), this.#position);
  }

  /** A value that decides the layout; labels ahead count as zero in the first pass. */
  #constant(expression: Expression): bigint {
    return this.#value(expression).number;
  }

  #count(expression: Expression): number {
    const count = this.#constant(expression);
    if (count < 0n && !this.#first) throw new AssemblerError(this.#position, `a count cannot be ${count}`);
    return Math.max(Number(count), 0);
  }
}
