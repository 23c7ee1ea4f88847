import { ConfigError, unknownNameHint } from '../errors.ts';

/** One `key=value` of an option text, in the order given. */
export type OptionEntry = readonly [key: string, value: string];

/**
 * Splits QEMU's option form `first,key=value,flag,noflag`: a doubled comma stands for one in a value, a key without
 * value means `on`, and the same with `no` in front means `off`.
 *
 * @param implied - Key of a first element that has no `=`, such as `driver` for `-device`; without one it is a flag.
 * @param words - Keys that start with `no` and are no negation.
 */
export function parseOptionList(text: string, implied?: string, words: readonly string[] = []): OptionEntry[] {
  const entries: OptionEntry[] = [];
  for (const [index, part] of splitCommas(text).entries()) {
    const equals = part.indexOf('=');
    if (equals >= 0) entries.push([part.slice(0, equals), part.slice(equals + 1)]);
    else if (index === 0 && implied !== undefined) entries.push([implied, part]);
    else if (part === '') continue;
    else if (part.startsWith('no') && part.length > 2 && !words.includes(part)) entries.push([part.slice(2), 'off']);
    else entries.push([part, 'on']);
  }
  return entries;
}

function splitCommas(text: string): string[] {
  const parts: string[] = [];
  let part = '';
  for (let at = 0; at < text.length; at++) {
    if (text[at] !== ',') part += text[at];
    else if (text[at + 1] === ',') {
      part += ',';
      at++;
    } else {
      parts.push(part);
      part = '';
    }
  }
  parts.push(part);
  return parts;
}

/** Writes a value so that {@link parseOptionList} reads it back. */
export function escapeOptionValue(value: string): string {
  return value.replaceAll(',', ',,');
}

/**
 * The keys of one option with typed access. Whoever reads an option takes every key it knows and calls
 * {@link OptionReader.finish}, which refuses the rest by name.
 */
export class OptionReader {
  readonly #values = new Map<string, string>();
  readonly #known: string[] = [];
  readonly #origin: string;

  /** @param origin - Where the text came from, for messages: `-chardev socket`. */
  constructor(entries: readonly OptionEntry[], origin: string) {
    this.#origin = origin;
    for (const [key, value] of entries) this.#values.set(key, value);
  }

  /** The text of `key`, and marks the key as known. */
  string(key: string): string | undefined {
    this.#known.push(key);
    const value = this.#values.get(key);
    this.#values.delete(key);
    return value;
  }

  /** @throws ConfigError when the key is missing. */
  required(key: string): string {
    const value = this.string(key);
    if (value === undefined || value === '') {
      throw new ConfigError('STERNA_ERR_OPTION_VALUE', `'${key}=' is missing`, { path: this.#origin });
    }
    return value;
  }

  /** `on` or `off`. @throws ConfigError for anything else. */
  bool(key: string, preset: boolean): boolean {
    return this.optionalBool(key) ?? preset;
  }

  /** `on`, `off` or not given. @throws ConfigError for anything else. */
  optionalBool(key: string): boolean | undefined {
    const value = this.string(key);
    if (value === undefined) return undefined;
    if (value === 'on' || value === 'yes' || value === 'true') return true;
    if (value === 'off' || value === 'no' || value === 'false') return false;
    throw new ConfigError('STERNA_ERR_OPTION_VALUE', `'${value}' is neither on nor off`, {
      path: `${this.#origin},${key}`,
    });
  }

  /** A whole number from `min` to `max`. @throws ConfigError for anything else. */
  integer(key: string, min: number, max: number): number | undefined {
    const value = this.string(key);
    if (value === undefined) return undefined;
    const number = /^(0x[0-9a-f]+|[0-9]+)$/i.test(value) ? Number(value) : Number.NaN;
    if (Number.isSafeInteger(number) && number >= min && number <= max) return number;
    throw new ConfigError('STERNA_ERR_OPTION_VALUE', `'${value}' is not a number from ${min} to ${max}`, {
      path: `${this.#origin},${key}`,
    });
  }

  /** @throws ConfigError when a key is left that nobody asked for. */
  finish(): void {
    const [left] = this.#values.keys();
    if (left === undefined) return;
    throw new ConfigError(
      'STERNA_ERR_OPTION_VALUE',
      `${this.#origin} has no option '${left}'; ${unknownNameHint(left, [...new Set(this.#known)].sort())}`,
    );
  }
}
