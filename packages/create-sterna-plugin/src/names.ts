import { UsageError } from './kinds.ts';

/** One name in the spellings that a plugin needs. */
export interface PluginNames {
  /** `blink-led`: driver name, folder, files. */
  readonly kebab: string;
  /** `blinkLed`: the exported constant. */
  readonly camel: string;
  /** `BlinkLed`: the class. */
  readonly pascal: string;
}

/** Words that would not compile as the name of the exported constant. */
const RESERVED = new Set(
  'await break case catch class const continue debugger default delete do else enum export extends false finally for function if implements import in instanceof interface let new null package private protected public return static super switch this throw true try typeof var void while with yield plugin'.split(
    ' ',
  ),
);

/**
 * Spells the name of a plugin.
 *
 * @param name - Lower-case words with hyphens between them, such as `blink-led`.
 * @throws UsageError when it is not
 */
export function pluginNames(name: string): PluginNames {
  if (!/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/.test(name))
    throw new UsageError(`'${name}' is no name for a plugin; use lower-case words with hyphens, such as blink-led`);
  if (name.length > 60) throw new UsageError(`'${name}' is longer than 60 characters`);
  const pascal = name
    .split('-')
    .map((word) => word[0]!.toUpperCase() + word.slice(1))
    .join('');
  const camel = pascal[0]!.toLowerCase() + pascal.slice(1);
  if (RESERVED.has(camel)) throw new UsageError(`'${name}' is a word of the language; take another name`);
  return { kebab: name, camel, pascal };
}

/**
 * Name of a plugin in a folder, or with an npm scope and the customary prefix.
 *
 * @returns `blink-led` for `sterna-plugin-blink-led`, `@me/blink-led` and `work/blink-led`
 */
export function nameFromPath(path: string): string {
  const last =
    path
      .split(/[\\/]/)
      .filter((part) => part !== '' && part !== '.')
      .at(-1) ?? '';
  return last.replace(/^sterna-plugin-/, '');
}
