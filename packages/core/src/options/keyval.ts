import { parseOptionList } from '../chardev/option-list.ts';
import { ConfigError } from '../errors.ts';

/** Values of a nested option: text, lists and objects of them. */
export type OptionTree = { readonly [key: string]: OptionValue };
/** A value of {@link OptionTree}. */
export type OptionValue = string | OptionTree | readonly OptionValue[];

/** Elements of a list in an option; more are a mistake. */
const MAX_ELEMENTS = 1024;

type Building = Map<string, Building | string>;

/**
 * Parses `-blockdev`'s form `driver=raw,file.driver=file,file.filename=x`: dots make objects, and keys that are numbers
 * from 0 on make a list. Values stay text.
 *
 * @param implied - Key of a first element that has no `=`.
 * @throws ConfigError naming the key that contradicts another one
 */
export function parseKeyval(text: string, implied: string, origin: string): OptionTree {
  const root: Building = new Map();
  for (const [key, value] of parseOptionList(text, implied)) {
    const parts = key.split('.');
    if (parts.some((part) => !/^(?:[a-zA-Z_][\w-]*|\d+)$/.test(part)))
      throw bad(`'${key}' is no name of an option`, origin);
    let at = root;
    for (const part of parts.slice(0, -1)) {
      const next = at.get(part) ?? new Map<string, Building | string>();
      if (typeof next === 'string') throw bad(`'${key}' and '${part}' contradict each other`, origin);
      at.set(part, next);
      at = next;
    }
    const last = parts.at(-1)!;
    if (at.get(last) instanceof Map) throw bad(`'${key}' and its parts contradict each other`, origin);
    at.set(last, value);
  }
  return finish(root, origin, '') as OptionTree;
}

function finish(node: Building | string, origin: string, path: string): OptionValue {
  if (typeof node === 'string') return node;
  const keys = [...node.keys()];
  const numbers = keys.filter((key) => /^\d+$/.test(key));
  const inner = (key: string) => finish(node.get(key)!, origin, `${path}${key}.`);
  if (numbers.length === 0) return Object.fromEntries(keys.map((key) => [key, inner(key)]));
  if (path === '' || numbers.length !== keys.length) throw bad(`'${path}${keys[0]}': a list has only numbers`, origin);
  if (keys.length > MAX_ELEMENTS) throw bad(`'${path}' has more than ${MAX_ELEMENTS} elements`, origin);
  return keys.map((_, index) => {
    if (!node.has(String(index))) throw bad(`'${path}${index}' is missing in the list`, origin);
    return inner(String(index));
  });
}

function bad(message: string, origin: string): ConfigError {
  return new ConfigError('STERNA_ERR_OPTION_VALUE', message, { path: origin });
}
