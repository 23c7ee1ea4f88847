import { ConfigError, type DeviceSpec, type PluginRegistry, type PropertyTable, unknownNameHint } from '@sterna/core';
import type { DeviceOption } from './options.ts';

/** Keys of a `-device` that are its address, by bus; a property of the same name in the device's table comes first. */
const ADDRESS_KEYS: Readonly<Record<string, readonly string[]>> = {
  sysbus: ['mmio', 'irq'],
  isa: ['iobase', 'irq'],
};

/**
 * Turns a `-device` into what a machine takes: addresses as numbers, properties as text, which the device's own table
 * parses.
 *
 * @throws ConfigError for an unknown device or property, with a suggestion.
 */
export function deviceSpec(option: DeviceOption, registry: PluginRegistry): DeviceSpec {
  const type = registry.device(option.driver);
  // The registry erases the descriptor's generics; every table is a PropertyTable.
  const table = (type.descriptor.properties ?? {}) as PropertyTable;
  const addressKeys = ADDRESS_KEYS[String(type.descriptor.bus)] ?? [];
  const at: Record<string, number | number[]> = {};
  const properties: Record<string, string> = {};
  for (const [key, value] of option.properties) {
    if (Object.hasOwn(table, key)) properties[key] = value;
    else if (addressKeys.includes(key)) at[key] = addresses(value, `${option.origin},${key}`);
    else {
      const names = [...Object.keys(table), ...addressKeys, 'id'];
      throw new ConfigError(
        'STERNA_ERR_PROPERTY_UNKNOWN',
        `${option.origin} has no property '${key}'; ${unknownNameHint(key, names)}`,
      );
    }
  }
  return { type, id: option.id, at: Object.keys(at).length === 0 ? undefined : at, properties };
}

/** One address, or several with `:` between them. */
function addresses(text: string, path: string): number | number[] {
  const numbers = text.split(':').map((part) => (/^(0x[0-9a-f]+|[0-9]+)$/i.test(part) ? Number(part) : Number.NaN));
  if (numbers.some((number) => !Number.isSafeInteger(number))) {
    throw new ConfigError('STERNA_ERR_BUS_ADDRESS', `'${text}' is not an address`, { path });
  }
  return numbers.length === 1 ? numbers[0]! : numbers;
}
