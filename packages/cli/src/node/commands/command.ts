import { parseArgs } from 'node:util';
import { ConfigError } from '@sterna/core';

/** A subcommand of `sterna`. */
export interface Command {
  /** Text of `--help`. */
  readonly usage: string;
  /** Answers the exit code. */
  run(args: readonly string[]): Promise<number>;
}

/** Options of a command by name: `true` for a switch, text for an option with a value, which may repeat. */
export type OptionKinds = Readonly<Record<string, 'switch' | 'value' | 'values'>>;

/** What was given. */
export interface ParsedOptions {
  readonly switches: ReadonlySet<string>;
  readonly values: ReadonlyMap<string, readonly string[]>;
  readonly positionals: readonly string[];
}

/**
 * Parses `--name`, `--name value` and `--name=value`.
 *
 * @throws ConfigError for unknown options and missing or repeated values.
 */
export function parseOptions(args: readonly string[], kinds: OptionKinds): ParsedOptions {
  const options = Object.fromEntries(
    Object.entries(kinds).map(([name, kind]) => [
      name,
      { type: kind === 'switch' ? ('boolean' as const) : ('string' as const), multiple: true },
    ]),
  );
  let parsed: { readonly values: Readonly<Record<string, unknown>>; readonly positionals: readonly string[] };
  try {
    parsed = parseArgs({ args: [...args], options, allowPositionals: true });
  } catch (cause) {
    throw new ConfigError('STERNA_ERR_OPTION_UNKNOWN', (cause as Error).message, { cause });
  }
  const switches = new Set<string>();
  const values = new Map<string, readonly string[]>();
  for (const [name, given] of Object.entries(parsed.values)) {
    if (kinds[name] === 'switch') switches.add(name);
    else {
      const list = given as readonly string[];
      if (kinds[name] === 'value' && list.length > 1) {
        throw new ConfigError('STERNA_ERR_OPTION_VALUE', `--${name} was given ${list.length} times`);
      }
      values.set(name, list);
    }
  }
  return { switches, values, positionals: parsed.positionals };
}

/** The value of an option that may be given once. */
export function single(options: ParsedOptions, name: string): string | undefined {
  return options.values.get(name)?.[0];
}

/** One line of JSON. */
export function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}
