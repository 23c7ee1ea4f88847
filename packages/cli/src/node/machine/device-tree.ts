import type { Machine } from '@sterna/core';

type Device = Machine['devices'][number];

/** Text of `info qtree`: devices by bus, with their properties and where they are mapped. */
export function describeDevices(machine: Machine): string {
  const onBus = (bus: string) => machine.devices.filter((device) => String(device.type.descriptor.bus) === bus);
  const lines = ['bus: main-system-bus', '  type System'];
  for (const device of onBus('sysbus')) lines.push(...describe(device, '  '));
  const isa = onBus('isa');
  if (isa.length > 0) {
    lines.push('  dev: isabus-bridge, id ""', '    bus: isa.0', '      type ISA');
    for (const device of isa) lines.push(...describe(device, '      '));
  }
  const others = new Set(machine.devices.map((device) => String(device.type.descriptor.bus)));
  for (const bus of others) {
    if (bus === 'sysbus' || bus === 'isa') continue;
    lines.push(`bus: ${bus}`, `  type ${bus}`);
    for (const device of onBus(bus)) lines.push(...describe(device, '  '));
  }
  return lines.map((line) => `${line}\n`).join('');
}

function describe(device: Device, indent: string): string[] {
  const lines = [`${indent}dev: ${device.type.descriptor.name}, id "${device.id}"`];
  for (const [name, value] of Object.entries(device.properties)) lines.push(`${indent}  ${name} = ${valueText(value)}`);
  const hex = (value: number) => value.toString(16).padStart(16, '0');
  for (const { space, base, size } of device.mappings)
    lines.push(`${indent}  ${space === 'io' ? 'io' : 'mmio'} ${hex(base)}/${hex(size)}`);
  return lines;
}

function valueText(value: unknown): string {
  if (typeof value === 'number') return `${value} (0x${value.toString(16)})`;
  return typeof value === 'string' ? `"${value}"` : value === undefined ? '<unset>' : String(value);
}

/** Text of `info mtree`: what is mapped where, in the memory and the port space. */
export function describeMemory(machine: Machine): string {
  const address = (value: number): string => value.toString(16).padStart(16, '0');
  return [machine.ports, machine.physical]
    .map(({ name, flat }) => {
      const lines = flat.map(({ start, end, region }) => {
        const kind = region.kind === 'mmio' ? 'i/o' : region.readonly === true ? 'rom' : 'ram';
        return `  ${address(start)}-${address(end - 1)} (prio 0, ${kind}): ${region.name}\n`;
      });
      return `address-space: ${name}\n${lines.join('')}\n`;
    })
    .join('');
}
