import { ConfigError, type PropertyTable, prop, resolveProperties } from '@sterna/core';

/** What every node may be told, whatever its driver. */
export interface NodeOptions {
  readonly readOnly: boolean;
  readonly autoReadOnly: boolean;
  readonly forceShare: boolean;
  readonly discard: 'ignore' | 'unmap';
  readonly detectZeroes: 'off' | 'on' | 'unmap';
  /** `cache.no-flush`: flushes do nothing, and a crash of the host loses data. */
  readonly noFlush: boolean;
  /** Undefined: as the machine is. */
  readonly active: boolean | undefined;
}

/** The options, as they are written. */
export const NODE_PROPERTIES = {
  'read-only': prop.bool({ default: false, help: 'The node cannot be written to' }),
  'auto-read-only': prop.bool({ default: false, help: 'Read-only where the image cannot be opened for writing' }),
  'force-share': prop.bool({ default: false, help: 'Other processes may write to the image; needs read-only=on' }),
  discard: prop.enum(['ignore', 'off', 'unmap', 'on'] as const, {
    default: 'ignore',
    help: 'Whether discarded ranges are given back to the host',
  }),
  'detect-zeroes': prop.enum(['off', 'on', 'unmap'] as const, {
    default: 'off',
    help: 'Whether zeroes that are written become a zeroed range',
  }),
  active: prop.optionalBool({
    help: 'Whether the node is ours from the start (default: not while a migration comes in)',
  }),
} as const;

const CACHE_PROPERTIES = {
  direct: prop.bool({ default: false, help: "Past the host's cache" }),
  'no-flush': prop.bool({ default: false, help: 'Ignores flushes' }),
} as const;

/** Names of options that are the node's, not the driver's. */
export const NODE_OPTION_NAMES: readonly string[] = ['driver', 'node-name', 'cache', ...Object.keys(NODE_PROPERTIES)];

/**
 * Reads the general options out of a node's.
 *
 * @param text - Values are text to parse.
 * @throws ConfigError for a value that does not fit, and for what cannot be done here
 */
export function nodeOptions(given: Readonly<Record<string, unknown>>, origin: string, text: boolean): NodeOptions {
  const values = resolveProperties(NODE_PROPERTIES, pick(given, NODE_PROPERTIES), origin, { text });
  const cache = resolveProperties(
    CACHE_PROPERTIES,
    asObject(given['cache'] ?? {}, `${origin}.cache`),
    `${origin}.cache`,
    {
      text,
    },
  );
  if (cache.direct)
    throw new ConfigError('STERNA_ERR_UNSUPPORTED', "'cache.direct=on' is not supported: Node has no aligned buffers", {
      path: origin,
    });
  if (values['force-share'] && !values['read-only'])
    throw new ConfigError('STERNA_ERR_PROPERTY_VALUE', "'force-share=on' needs 'read-only=on'", { path: origin });
  const { discard } = values;
  if (values['detect-zeroes'] === 'unmap' && (discard === 'ignore' || discard === 'off'))
    throw new ConfigError('STERNA_ERR_PROPERTY_VALUE', "'detect-zeroes=unmap' needs 'discard=unmap'", { path: origin });
  return {
    readOnly: values['read-only'],
    autoReadOnly: values['auto-read-only'],
    forceShare: values['force-share'],
    discard: discard === 'unmap' || discard === 'on' ? 'unmap' : 'ignore',
    detectZeroes: values['detect-zeroes'],
    noFlush: cache['no-flush'],
    active: values.active,
  };
}

/** The members of `given` that `table` knows. */
function pick(given: Readonly<Record<string, unknown>>, table: PropertyTable): Record<string, unknown> {
  return Object.fromEntries(Object.entries(given).filter(([key]) => Object.hasOwn(table, key)));
}

/** @throws ConfigError when it is none */
export function asObject(value: unknown, origin: string): Readonly<Record<string, unknown>> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return value as Readonly<Record<string, unknown>>;
  throw new ConfigError('STERNA_ERR_PROPERTY_VALUE', 'this is not an object of options', { path: origin });
}
