import { ConfigError, unknownNameHint } from '@sterna/core';
import { type MigrationController, type ParameterName, WIRE_GLOBALS, type WireProperties } from '@sterna/migration';

/** `-global migration.*` sorted by what it sets. */
export interface MigrationGlobals {
  readonly wire: Partial<WireProperties>;
  readonly capabilities: readonly { readonly capability: string; readonly state: boolean }[];
  readonly parameters: Readonly<Record<string, unknown>>;
}

/** Properties of QEMU's that have the value we always have. */
const FIXED: Readonly<Record<string, string>> = {
  'x-clear-bitmap-shift': '18',
};

/**
 * Sorts the globals of the driver `migration`: stream properties by their name, capabilities as `x-NAME`, and
 * parameters by their name.
 *
 * @throws ConfigError for a name or value that does not exist.
 */
export function migrationGlobals(
  globals: Readonly<Record<string, string>>,
  parameters: readonly ParameterName[],
): MigrationGlobals {
  const wire: Record<string, boolean> = {};
  const capabilities: { capability: string; state: boolean }[] = [];
  const values: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(globals)) {
    if (!key.startsWith('migration.')) continue;
    const name = key.slice('migration.'.length);
    const wireName = Object.hasOwn(WIRE_GLOBALS, name) ? WIRE_GLOBALS[name] : undefined;
    if (wireName !== undefined) wire[wireName] = onOff(key, value);
    else if (parameters.includes(name as ParameterName)) values[name] = parameterValue(value);
    else if (FIXED[name] === value) continue;
    else if (name.startsWith('x-')) capabilities.push({ capability: name.slice(2), state: onOff(key, value) });
    else {
      const names = [...Object.keys(WIRE_GLOBALS), ...parameters];
      throw new ConfigError(
        'STERNA_ERR_PROPERTY_UNKNOWN',
        `migration has no property '${name}'; ${unknownNameHint(name, names)}`,
        { path: '-global' },
      );
    }
  }
  return { wire, capabilities, parameters: values };
}

/** Applies the capabilities and parameters. */
export function applyMigrationGlobals(controller: MigrationController, globals: MigrationGlobals): void {
  if (globals.capabilities.length > 0) controller.setCapabilities(globals.capabilities);
  if (Object.keys(globals.parameters).length > 0) controller.setParameters(globals.parameters);
}

function onOff(key: string, value: string): boolean {
  if (value === 'on' || value === 'true') return true;
  if (value === 'off' || value === 'false') return false;
  throw new ConfigError('STERNA_ERR_PROPERTY_VALUE', `'${value}' is neither on nor off`, { path: `-global ${key}` });
}

function parameterValue(text: string): unknown {
  if (text === 'on' || text === 'off') return text === 'on';
  return /^[0-9]+$/.test(text) ? Number(text) : text;
}
