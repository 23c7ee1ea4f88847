import type { MachineType, PluginRegistry, Property } from '@sterna/core';
import type { CommandLineOption, MonitorCatalog } from '@sterna/qmp';

type Parameter = CommandLineOption['parameters'][number];

const text = (...names: readonly string[]): Parameter[] => names.map((name) => ({ name, type: 'string' }));
const bool = (...names: readonly string[]): Parameter[] => names.map((name) => ({ name, type: 'boolean' }));
const number = (...names: readonly string[]): Parameter[] => names.map((name) => ({ name, type: 'number' }));
const size = (...names: readonly string[]): Parameter[] => names.map((name) => ({ name, type: 'size' }));

const KINDS: Readonly<Record<string, Parameter['type']>> = {
  'on/off': 'boolean',
  uint8: 'number',
  uint16: 'number',
  uint32: 'number',
  uint64: 'number',
  size: 'size',
};

function machineParameter([name, property]: [string, Property<unknown>]): Parameter {
  return { name, type: KINDS[property.kind] ?? 'string', help: property.help };
}

/** What `query-command-line-options` tells; groups have QEMU's names, and the parameters are those that we take. */
export function commandLineOptions(machine: MachineType): readonly CommandLineOption[] {
  return [
    {
      option: 'machine',
      parameters: [...text('type', 'accel'), ...Object.entries(machine.properties).map(machineParameter)],
    },
    { option: 'accel', parameters: [...text('accel', 'thread'), ...number('tb-size'), ...bool('jit')] },
    { option: 'memory', parameters: size('size') },
    { option: 'smp-opts', parameters: number('cpus', 'sockets', 'cores', 'threads') },
    { option: 'name', parameters: text('guest', 'process') },
    { option: 'rtc', parameters: text('base', 'clock') },
    { option: 'icount', parameters: text('shift') },
    { option: 'action', parameters: text('reboot', 'shutdown') },
    {
      option: 'chardev',
      parameters: [
        ...text('backend', 'path', 'host', 'port', 'fd', 'input-path'),
        ...bool('server', 'wait', 'nodelay', 'mux', 'append', 'signal'),
        ...size('size'),
      ],
    },
    { option: 'mon', parameters: [...text('mode', 'chardev'), ...bool('pretty')] },
    { option: 'device', parameters: [] },
    { option: 'object', parameters: [] },
    { option: 'global', parameters: text('driver', 'property', 'value') },
    { option: 'drive', parameters: [...text('if', 'id', 'file', 'format'), ...bool('read-only')] },
  ];
}

/** What this program offers. */
export function catalogOf(registry: PluginRegistry, machine: MachineType): MonitorCatalog {
  return {
    machines: registry.machines,
    cpus: registry.cpus,
    blockDrivers: registry.blockDriverTypes,
    objects: registry.objects,
    commandLine: commandLineOptions(machine),
  };
}
