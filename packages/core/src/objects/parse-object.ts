import { ConfigError } from '../errors.ts';
import { parseKeyval } from '../options/keyval.ts';
import type { ObjectSpec } from './user-objects.ts';

/**
 * Parses `-object [qom-type=]TYPE,id=ID[,PROP=VALUE...]` or its JSON form.
 *
 * @throws ConfigError when it is neither, or lacks one of the two
 */
export function parseObject(argument: string, origin = '-object'): ObjectSpec {
  if (!argument.trimStart().startsWith('{')) return objectSpec(parseKeyval(argument, 'qom-type', origin), true, origin);
  let data: unknown;
  try {
    data = JSON.parse(argument);
  } catch (cause) {
    throw new ConfigError('STERNA_ERR_OPTION_VALUE', `this is no JSON: ${(cause as Error).message}`, {
      path: origin,
      cause,
    });
  }
  // What starts with a brace and parses is an object.
  return objectSpec(data as Readonly<Record<string, unknown>>, false, origin);
}

/** Takes type and id out of the arguments of `object-add`. @throws ConfigError when one of them is missing */
export function objectSpec(data: Readonly<Record<string, unknown>>, text: boolean, origin: string): ObjectSpec {
  const { 'qom-type': type, id, ...properties } = data;
  for (const [name, value] of [
    ['qom-type', type],
    ['id', id],
  ] as const) {
    if (typeof value !== 'string' || value === '')
      throw new ConfigError('STERNA_ERR_OPTION_VALUE', `'${name}=' is missing`, { path: origin });
  }
  return { type: type as string, id: id as string, properties, text };
}
