import { ConfigError, unknownNameHint } from '../errors.ts';

/** Where a value came from, for messages: `-device trace-log`, `devices[0]`. */
export type PropertyOrigin = string;

/** One row of a property table: type, help, default and the parser of its text form. */
export interface Property<T, Required extends boolean = boolean> {
  /** QEMU's name of the kind: `uint32`, `size`, `on/off`, `str` ... */
  readonly kind: string;
  readonly help: string;
  readonly required: Required;
  readonly default?: T;
  /** Values that may be given, when it is an enumeration. */
  readonly values?: readonly string[];
  /** Properties of an element, when it is a list. */
  readonly element?: PropertyTable;
  /** Parses the text of `-device x,name=TEXT`. Throws RangeError with a sentence. */
  parse(text: string): T;
  /**
   * Checks a value that was given as data (config file, QMP). Throws RangeError with a sentence.
   *
   * @param text - Scalars inside it are text to parse, as in `-blockdev x.0.y=TEXT`.
   */
  check(value: unknown, text?: boolean): T;
}

/** A device's properties by name. */
// biome-ignore lint/suspicious/noExplicitAny: the table erases the value types of its rows
export type PropertyTable = Readonly<Record<string, Property<any>>>;

/** Values as `create` gets them: defaults applied. */
export type PropertyValues<P extends PropertyTable> = {
  readonly [K in keyof P]: P[K] extends Property<infer T> ? T : never;
};

type RequiredKeys<P extends PropertyTable> = {
  [K in keyof P]: P[K] extends Property<unknown, true> ? K : never;
}[keyof P];

/** Values as a machine file gives them: required keys required, others optional. */
export type PropertyInput<P extends PropertyTable> = { readonly [K in RequiredKeys<P>]: PropertyValues<P>[K] } & {
  readonly [K in Exclude<keyof P, RequiredKeys<P>>]?: PropertyValues<P>[K];
};

interface Common {
  readonly help: string;
}

/** A scalar row: `default` makes it optional. */
type Row<T> = {
  (options: Common & { readonly default: T }): Property<T, false>;
  (options: Common): Property<T, true>;
};

function row<T>(kind: string, parse: (text: string) => T, check: (value: unknown) => T): Row<T> {
  return ((options: Common & { default?: T }) => ({
    kind,
    help: options.help,
    required: options.default === undefined,
    ...(options.default === undefined ? {} : { default: options.default }),
    parse,
    check,
  })) as Row<T>;
}

function parseInteger(text: string): number {
  if (!/^(0x[0-9a-f]+|[0-9]+)$/i.test(text)) throw new RangeError(`'${text}' is not a number`);
  return Number(text);
}

function unsigned(max: number, what: string) {
  return (value: unknown): number => {
    if (typeof value !== 'number' || !Number.isInteger(value))
      throw new RangeError(`${JSON.stringify(value)} is not an integer`);
    if (value < 0 || value > max) throw new RangeError(`${value} does not fit ${what}`);
    return value;
  };
}

const SIZE_UNITS: Readonly<Record<string, number>> = { b: 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30, t: 2 ** 40 };

/**
 * Parses a size with QEMU's suffixes B, K, M, G, T; without a suffix `unit` counts. A hexadecimal number takes none.
 *
 * @throws RangeError when the text is not a size.
 */
export function parseSize(text: string, unit = 1): number {
  const match = /^(?:0x[0-9a-f]+|([0-9]+(?:\.[0-9]+)?)([bkmgt])?)$/i.exec(text);
  if (match === null) throw new RangeError(`'${text}' is not a size (examples: 512, 4K, 1.5G)`);
  const value = Number(match[1] ?? text) * (match[2] === undefined ? unit : SIZE_UNITS[match[2].toLowerCase()]!);
  if (!Number.isSafeInteger(value)) throw new RangeError(`'${text}' is not a whole number of bytes`);
  return value;
}

function parseBool(text: string): boolean {
  if (text === 'on' || text === 'yes' || text === 'true') return true;
  if (text === 'off' || text === 'no' || text === 'false') return false;
  throw new RangeError(`'${text}' is neither on nor off`);
}

function checkString(value: unknown): string {
  if (typeof value !== 'string') throw new RangeError(`${JSON.stringify(value)} is not a string`);
  return value;
}

function checkBool(value: unknown): boolean {
  if (typeof value !== 'boolean') throw new RangeError(`${JSON.stringify(value)} is not a boolean`);
  return value;
}

function unsignedRow(kind: string, max: number): Row<number> {
  const check = unsigned(max, kind);
  return row(kind, (text) => check(parseInteger(text)), check);
}

function enumeration<const V extends readonly string[]>(
  values: V,
  options: Common & { readonly default?: V[number] },
): Property<V[number]> {
  const check = (value: unknown): V[number] => {
    if (typeof value === 'string' && values.includes(value)) return value;
    throw new RangeError(`'${String(value)}' is not one of ${values.join(', ')}`);
  };
  return {
    kind: values.join('|'),
    help: options.help,
    required: options.default === undefined,
    ...(options.default === undefined ? {} : { default: options.default }),
    values,
    parse: check,
    check,
  };
}

function optional<T>(kind: string, parse: (text: string) => T, check: (value: unknown) => T) {
  return (options: Common): Property<T | undefined, false> => ({
    kind,
    help: options.help,
    required: false,
    parse,
    check: (value) => (value === undefined ? undefined : check(value)),
  });
}

/** A list of structures; its text form is one `NAME.INDEX.KEY=VALUE` for each value. */
function structs<const P extends PropertyTable>(
  table: P,
  options: Common,
): Property<readonly PropertyValues<P>[], false> {
  return {
    kind: 'list',
    element: table,
    help: options.help,
    required: false,
    default: [],
    parse(text) {
      throw new RangeError(`'${text}' is not a list; write one 'NAME.0.KEY=VALUE' for each value`);
    },
    check(value, text = false) {
      if (!Array.isArray(value)) throw new RangeError(`${JSON.stringify(value)} is not a list`);
      return value.map((element: unknown, index) => {
        if (typeof element !== 'object' || element === null || Array.isArray(element))
          throw new RangeError(`element ${index} is not an object`);
        return resolveProperties(table, element as Readonly<Record<string, unknown>>, `element ${index}`, { text });
      });
    },
  };
}

const u32 = unsigned(0xffff_ffff, 'uint32');
const safe = unsigned(Number.MAX_SAFE_INTEGER, 'a size');

/** Builders of property rows. Without `default` a property is required; the `optional...` kinds may be left out. */
export const prop = {
  u8: unsignedRow('uint8', 0xff),
  u16: unsignedRow('uint16', 0xffff),
  u32: unsignedRow('uint32', 0xffff_ffff),
  /** Up to 2^53 - 1. */
  u64: unsignedRow('uint64', Number.MAX_SAFE_INTEGER),
  /** Bytes, with suffixes in text form. */
  size: row('size', (text) => parseSize(text), safe),
  bool: row('on/off', parseBool, checkBool),
  string: row('str', (text) => text, checkString),
  optionalString: optional('str', (text) => text, checkString),
  optionalU32: optional('uint32', (text) => u32(parseInteger(text)), u32),
  optionalU64: optional('uint64', (text) => safe(parseInteger(text)), safe),
  optionalSize: optional('size', (text) => parseSize(text), safe),
  optionalBool: optional('on/off', parseBool, checkBool),
  structs,
  /** Id of a `-chardev`; the backend itself is injected as `CharBackend`. */
  chardev: optional('chardev', (text) => text, checkString),
  /** One of a list of words. */
  enum: enumeration as {
    <const V extends readonly string[]>(
      values: V,
      options: Common & { readonly default: NoInfer<V[number]> },
    ): Property<V[number], false>;
    <const V extends readonly string[]>(values: V, options: Common): Property<V[number], true>;
  },
  /** `on`, `off` or `auto`, QEMU's OnOffAuto. */
  onOffAuto: (
    options: Common & { readonly default: 'on' | 'off' | 'auto' },
  ): Property<'on' | 'off' | 'auto', false> => {
    const base = enumeration(['auto', 'on', 'off'] as const, options);
    const parse = (text: string) => (text === 'auto' ? 'auto' : parseBool(text) ? 'on' : 'off');
    const check = (value: unknown) => (typeof value === 'boolean' ? (value ? 'on' : 'off') : base.check(value));
    return { ...base, kind: 'OnOffAuto', required: false, parse, check } as Property<'on' | 'off' | 'auto', false>;
  },
} as const;

/**
 * Applies defaults and checks values given as data or as text (`text: true`: every value is a string to parse).
 *
 * @throws ConfigError for an unknown or missing name or a value that does not fit.
 */
export function resolveProperties<P extends PropertyTable>(
  table: P,
  given: Readonly<Record<string, unknown>>,
  origin: PropertyOrigin,
  options: { readonly text?: boolean } = {},
): PropertyValues<P> {
  const values: Record<string, unknown> = {};
  for (const name of Object.keys(given)) {
    if (!Object.hasOwn(table, name)) {
      throw new ConfigError(
        'STERNA_ERR_PROPERTY_UNKNOWN',
        `${origin} has no property '${name}'; ${unknownNameHint(name, Object.keys(table))}`,
        { path: `${origin}.${name}` },
      );
    }
  }
  for (const [name, property] of Object.entries(table)) {
    const value = Object.hasOwn(given, name) ? given[name] : undefined;
    if (value === undefined) {
      if (property.required)
        throw new ConfigError(
          'STERNA_ERR_PROPERTY_MISSING',
          `property '${name}' (${property.kind}) is required: ${property.help}`,
          { path: origin },
        );
      values[name] = property.default;
      continue;
    }
    try {
      values[name] =
        options.text === true && typeof value === 'string'
          ? property.parse(value)
          : property.check(value, options.text);
    } catch (cause) {
      throw new ConfigError(
        'STERNA_ERR_PROPERTY_VALUE',
        `${cause instanceof Error ? cause.message : String(cause)} (${property.kind}: ${property.help})`,
        { path: `${origin}.${name}`, cause },
      );
    }
  }
  return values as PropertyValues<P>;
}

/** Lines for `-device NAME,help`, in QEMU's form `  name=<kind>  - help (default: x)`. */
export function describeProperties(table: PropertyTable): string[] {
  return Object.entries(table)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, property]) => {
      const preset = property.default === undefined ? '' : ` (default: ${formatDefault(property.default)})`;
      return `  ${name}=<${property.kind}>`.padEnd(32) + ` - ${property.help}${preset}`;
    });
}

function formatDefault(value: unknown): string {
  return typeof value === 'boolean' ? (value ? 'on' : 'off') : String(value);
}
