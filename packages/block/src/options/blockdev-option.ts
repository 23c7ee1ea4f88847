import { ConfigError, parseKeyval } from '@sterna/core';

/** A `-blockdev`: options of a node, and whether their scalars are text still. */
export interface BlockdevOption {
  readonly spec: Readonly<Record<string, unknown>>;
  readonly text: boolean;
}

/**
 * Parses `-blockdev [driver=]DRIVER,node-name=NAME,...` or its JSON form.
 *
 * @throws ConfigError when it is neither
 */
export function parseBlockdev(argument: string): BlockdevOption {
  if (!argument.trimStart().startsWith('{')) return { spec: parseKeyval(argument, 'driver', '-blockdev'), text: true };
  let spec: unknown;
  try {
    spec = JSON.parse(argument);
  } catch (cause) {
    throw new ConfigError('STERNA_ERR_OPTION_VALUE', `this is no JSON: ${(cause as Error).message}`, {
      path: '-blockdev',
      cause,
    });
  }
  // What starts with a brace and parses is an object.
  return { spec: spec as Readonly<Record<string, unknown>>, text: false };
}
