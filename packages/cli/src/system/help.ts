import {
  type DeviceType,
  describeProperties,
  type ObjectType,
  type PluginRegistry,
  type PropertyTable,
} from '@sterna/core';

/** Text of `-machine help`. */
export function machineHelp(registry: PluginRegistry): string {
  const lines = registry.machines.map(({ name, description }) => `${name.padEnd(20)} ${description}`);
  return `Supported machines are:\n${lines.join('\n')}\n`;
}

/** Text of `-cpu help`. */
export function cpuHelp(registry: PluginRegistry): string {
  const lines = registry.cpus.map(({ name, description, properties }) => {
    const features = Object.keys(properties).join(' ');
    return `x86 ${name.padEnd(18)} ${description}${features === '' ? '' : `\n    properties: ${features}`}`;
  });
  return `Available CPUs:\n${lines.join('\n')}\n`;
}

/** Text of `-device help`. */
export function deviceListHelp(registry: PluginRegistry): string {
  return registry.devices
    .map(
      ({ descriptor }) =>
        `name "${descriptor.name}", bus ${String(descriptor.bus)}, desc "${descriptor.description}"\n`,
    )
    .join('');
}

/** Text of `-device NAME,help`. */
export function deviceHelp(type: DeviceType): string {
  const { name, bus, description, properties = {} } = type.descriptor;
  const table = properties as PropertyTable;
  const own = describeProperties(table);
  const address = bus === 'isa' ? 'iobase=<port>, irq=<line>' : 'mmio=<address>, irq=<line>';
  const where = Object.hasOwn(table, 'iobase')
    ? ''
    : `  ${address.padEnd(30)} - where it is; several addresses stand with ':' between them\n`;
  return `${name} options: (${description})\n${own.map((line) => `${line}\n`).join('')}${where}`;
}

/** Text of `-object help`. */
export function objectListHelp(registry: PluginRegistry): string {
  const lines = registry.objects.map(({ descriptor }) => `  ${descriptor.name.padEnd(18)} ${descriptor.description}\n`);
  return `List of user creatable objects:\n${lines.join('')}`;
}

/** Text of `-object TYPE,help`. */
export function objectHelp({ descriptor }: ObjectType): string {
  const lines = describeProperties(descriptor.properties as PropertyTable);
  return `${descriptor.name} options: (${descriptor.description})\n${lines.map((line) => `${line}\n`).join('')}`;
}
