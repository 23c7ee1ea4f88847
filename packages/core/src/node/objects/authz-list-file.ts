import { readFileSync, statSync } from 'node:fs';
import { prop, resolveProperties } from '../../device/properties.ts';
import { type Authorization, listAuthorization, RULE_PROPERTIES } from '../../objects/authorization.ts';
import { defineObject } from '../../objects/define-object.ts';

/** What the file is like: JSON with the properties of `authz-list`. */
const FILE_PROPERTIES = {
  policy: prop.enum(['allow', 'deny'], { help: 'what becomes of those no rule is about', default: 'deny' }),
  rules: prop.structs(RULE_PROPERTIES, { help: 'the rules, in order' }),
} as const;

/** An access list in a file. With `refresh` a file that has changed counts from then on. */
export const authzListFile = defineObject({
  name: 'authz-list-file',
  description: 'Access list in a JSON file with policy and rules as those of authz-list',
  properties: {
    filename: prop.string({ help: 'the file' }),
    refresh: prop.bool({ help: 'whether a changed file counts', default: true }),
  },
  create({ filename, refresh }): Authorization {
    let list = load(filename);
    return {
      kind: 'authorization',
      allows(identity) {
        if (refresh && stamp(filename) !== list.stamp) list = reload(filename, list);
        return list.allows(identity);
      },
    };
  },
});

interface Loaded extends Pick<Authorization, 'allows'> {
  readonly stamp: string;
}

/** Changes when the file does. */
function stamp(filename: string): string | undefined {
  const found = statSync(filename, { throwIfNoEntry: false });
  return found === undefined ? undefined : `${found.ino} ${found.mtimeMs} ${found.size}`;
}

function load(filename: string): Loaded {
  let data: unknown;
  const seen = stamp(filename) ?? '';
  try {
    data = JSON.parse(readFileSync(filename, 'utf8'));
  } catch (cause) {
    throw new RangeError(`cannot use the access list ${filename}: ${(cause as Error).message}`, { cause });
  }
  if (typeof data !== 'object' || data === null) throw new RangeError(`${filename} holds no JSON object`);
  const { rules, policy } = resolveProperties(FILE_PROPERTIES, data as Readonly<Record<string, unknown>>, filename);
  return { allows: listAuthorization(rules, policy).allows, stamp: seen };
}

/** A file that cannot be used any more lets nobody in. */
function reload(filename: string, before: Loaded): Loaded {
  try {
    return load(filename);
  } catch {
    return { allows: () => false, stamp: stamp(filename) ?? before.stamp };
  }
}
