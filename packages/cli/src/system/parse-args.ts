import { ConfigError, unknownNameHint } from '@sterna/core';
import { OPTION_TABLE, type OptionRow, UNSUPPORTED_OPTIONS } from './option-table.ts';
import { emptyOptions, type SystemOptions } from './options.ts';

/**
 * Reads a QEMU command line. One dash or two make no difference.
 *
 * @throws ConfigError naming the option that is unknown, not supported or has a wrong value.
 */
export function parseSystemArgs(args: readonly string[]): SystemOptions {
  const options = emptyOptions();
  for (let at = 0; at < args.length; at++) {
    const word = args[at]!;
    if (!word.startsWith('-') || word === '-') {
      throw new ConfigError(
        'STERNA_ERR_UNSUPPORTED',
        `'${word}' would be the image of an IDE disk, which this machine does not have; use -drive if=none and a -device`,
      );
    }
    const row = findRow(word.replace(/^--?/, ''), word);
    if (row.argument === undefined) Object.assign(options, row.apply(options, ''));
    else {
      const argument = args[++at];
      if (argument === undefined) {
        throw new ConfigError('STERNA_ERR_OPTION_VALUE', `${word} needs an argument: ${word} ${row.argument}`);
      }
      Object.assign(options, row.apply(options, argument));
    }
  }
  return options;
}

function findRow(name: string, word: string): OptionRow {
  const row = OPTION_TABLE.find(({ names }) => names.includes(name));
  if (row !== undefined) return row;
  if (Object.hasOwn(UNSUPPORTED_OPTIONS, name)) {
    throw new ConfigError('STERNA_ERR_UNSUPPORTED', `${word} exists in QEMU but is not supported here yet`);
  }
  const names = OPTION_TABLE.flatMap((candidate) => candidate.names);
  const hint = unknownNameHint(name, names)
    .replace(/^valid names.*/s, '-help lists the options')
    .replace("'", "'-");
  throw new ConfigError('STERNA_ERR_OPTION_UNKNOWN', `unknown option ${word}; ${hint}`);
}

/** Text of `-help`. */
export function systemHelp(program: string): string {
  const lines = OPTION_TABLE.map(({ names, argument, help }) => {
    const form = `${names.map((name) => `-${name}`).join(' or ')}${argument === undefined ? '' : ` ${argument}`}`;
    return form.length > 27 ? `${form}\n${' '.repeat(28)}${help}` : form.padEnd(28) + help;
  });
  return [`usage: ${program} [options]`, '', ...lines, ''].join('\n');
}
