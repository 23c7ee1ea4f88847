import { type Machine, type PluginRegistry, SternaError } from '@sterna/core';
import { type MonitorPlugging, QmpError } from '@sterna/qmp';
import { deviceSpec } from '../../system/device-spec.ts';
import { cpuPath } from './qom-tree.ts';

type Device = Machine['devices'][number];

/** What QEMU calls the bus a device would be put on. */
function busName(bus: string): string {
  return bus === 'sysbus' ? 'main-system-bus' : `${bus}.0`;
}

/** Plugs devices of a machine that exists: those whose types allow it. */
export class DevicePlugging implements MonitorPlugging {
  /** Devices that were plugged in. */
  readonly plugged: Set<Device> = new Set();
  readonly #machine: Machine;
  readonly #registry: PluginRegistry;
  readonly #deleted: (device: string, path: string) => void;

  /** @param deleted - Told of a device that has left, for DEVICE_DELETED. */
  constructor(machine: Machine, registry: PluginRegistry, deleted: (device: string, path: string) => void) {
    this.#machine = machine;
    this.#registry = registry;
    this.#deleted = deleted;
  }

  add({ driver, bus, id, ...properties }: Readonly<Record<string, unknown>> & { readonly driver: string }): void {
    const type = this.#registry.devices.find(({ descriptor }) => descriptor.name === driver);
    if (type === undefined) throw new QmpError('GenericError', `'${driver}' is not a valid device model name`);
    const { bus: kind, hotpluggable } = type.descriptor;
    const place = busName(String(kind));
    if (typeof bus === 'string' && bus !== place) throw new QmpError('GenericError', `Bus '${bus}' not found`);
    if (hotpluggable !== true) throw new QmpError('GenericError', `Bus '${place}' does not support hotplugging`);
    if (typeof id === 'string' && this.#machine.devices.some((device) => device.id === id))
      throw new QmpError('GenericError', `Duplicate device ID '${id}'`, 'STERNA_ERR_DUPLICATE_ID');
    const texts = Object.entries(properties).map(([name, value]): [string, string] => [name, propertyText(value)]);
    const spec = deviceSpec(
      { driver, id: id as string | undefined, properties: texts, origin: `device_add ${driver}` },
      this.#registry,
    );
    this.plugged.add(this.#machine.plug(spec));
  }

  remove(id: string): void {
    const name = id.startsWith('/machine/peripheral/') ? id.slice('/machine/peripheral/'.length) : id;
    const device = this.#machine.devices.find((candidate) => candidate.id === name);
    if (device === undefined) {
      if (this.#machine.cpus.some(({ index }) => cpuPath(index) === id))
        throw new QmpError('GenericError', `unplug not supported by ${this.#machine.setup.type.name}`);
      throw new QmpError('DeviceNotFound', `Device '${id}' not found`);
    }
    const { bus, hotpluggable } = device.type.descriptor;
    if (hotpluggable !== true)
      throw new QmpError('GenericError', `Bus '${busName(String(bus))}' does not support hotplugging`);
    if (this.#machine.runState === 'finish-migrate')
      throw new SternaError('STERNA_ERR_RUN_STATE', 'devices stay where they are while the machine moves');
    this.#machine.unplug(device.id);
    this.plugged.delete(device);
    this.#deleted(device.id, `/machine/peripheral/${device.id}`);
  }
}

/** The form of a `-device`, which takes every value as text. */
function propertyText(value: unknown): string {
  if (typeof value === 'boolean') return value ? 'on' : 'off';
  if (Array.isArray(value)) return value.map(propertyText).join(':');
  return String(value);
}
