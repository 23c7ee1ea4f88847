import type { BlockDriverType } from '../block/define-block-driver.ts';
import type { CpuType } from '../cpu/define-cpu.ts';
import type { DeviceType } from '../device/define-device.ts';
import { ConfigError, type ErrorCode, unknownNameHint } from '../errors.ts';
import type { MachineType } from '../machine/define-machine-type.ts';
import type { ObjectType } from '../objects/define-object.ts';
import { checkPlugin } from './check-plugin.ts';
import type { Plugin } from './define-plugin.ts';

/** Something a plugin provides, with the plugin's name for messages. */
interface Entry<T> {
  readonly value: T;
  readonly provider: string;
}

/** Everything that can be named on a command line: devices, CPU models, machine types, block drivers and objects. */
export class PluginRegistry {
  readonly #plugins: Plugin[] = [];
  readonly #devices = new Map<string, Entry<DeviceType>>();
  readonly #cpus = new Map<string, Entry<CpuType>>();
  readonly #machines = new Map<string, Entry<MachineType>>();
  readonly #blockDrivers = new Map<string, Entry<BlockDriverType>>();
  readonly #objects = new Map<string, Entry<ObjectType>>();

  /** Loaded plugins in order. */
  get plugins(): readonly Plugin[] {
    return this.#plugins;
  }

  /**
   * Adds what a plugin provides. A machine type brings its CPU models and devices along. Adding the same plugin again
   * does nothing.
   *
   * @param origin - Package or file it came from, for messages.
   * @throws ConfigError `STERNA_ERR_PLUGIN_LOAD` or `STERNA_ERR_PLUGIN_VERSION`, naming the plugin and the reason; then
   * nothing has been added.
   */
  add(plugin: Plugin, origin = plugin.name): void {
    if (this.#plugins.includes(plugin)) return;
    const checked = checkPlugin(plugin, origin);
    const devices = [...checked.devices, ...checked.machines.flatMap((machine) => machine.devices)];
    const cpus = [...checked.cpus, ...checked.machines.flatMap((machine) => machine.cpus)];
    for (const device of devices) claim(this.#devices, device.descriptor.name, device, 'device', origin);
    for (const cpu of cpus) claim(this.#cpus, cpu.name, cpu, 'CPU', origin);
    for (const machine of checked.machines) claim(this.#machines, machine.name, machine, 'machine type', origin);
    for (const driver of checked.blockDrivers)
      claim(this.#blockDrivers, driver.descriptor.name, driver, 'block driver', origin);
    for (const object of checked.objects) claim(this.#objects, object.descriptor.name, object, 'object', origin);
    for (const device of devices) this.#devices.set(device.descriptor.name, { value: device, provider: checked.name });
    for (const cpu of cpus) this.#cpus.set(cpu.name, { value: cpu, provider: checked.name });
    for (const machine of checked.machines)
      this.#machines.set(machine.name, { value: machine, provider: checked.name });
    for (const driver of checked.blockDrivers)
      this.#blockDrivers.set(driver.descriptor.name, { value: driver, provider: checked.name });
    for (const object of checked.objects)
      this.#objects.set(object.descriptor.name, { value: object, provider: checked.name });
    this.#plugins.push(plugin);
  }

  /** @throws ConfigError `STERNA_ERR_DEVICE_UNKNOWN` with a suggestion. */
  device(name: string): DeviceType {
    return find(this.#devices, name, 'device', 'STERNA_ERR_DEVICE_UNKNOWN');
  }

  /** @throws ConfigError `STERNA_ERR_CPU_UNKNOWN` with a suggestion. */
  cpu(name: string): CpuType {
    return find(this.#cpus, name, 'CPU model', 'STERNA_ERR_CPU_UNKNOWN');
  }

  /** @throws ConfigError `STERNA_ERR_MACHINE_UNKNOWN` with a suggestion. */
  machine(name: string): MachineType {
    return find(this.#machines, name, 'machine type', 'STERNA_ERR_MACHINE_UNKNOWN');
  }

  /** @throws ConfigError `STERNA_ERR_BLOCK_DRIVER` with a suggestion. */
  blockDriver(name: string): BlockDriverType {
    return find(this.#blockDrivers, name, 'block driver', 'STERNA_ERR_BLOCK_DRIVER');
  }

  /** @throws ConfigError `STERNA_ERR_OBJECT` with a suggestion. */
  object(name: string): ObjectType {
    return find(this.#objects, name, 'object type', 'STERNA_ERR_OBJECT');
  }

  /** All block drivers, by name. */
  get blockDriverTypes(): readonly BlockDriverType[] {
    return sorted(this.#blockDrivers);
  }

  /** All types of user-creatable objects, by name. */
  get objects(): readonly ObjectType[] {
    return sorted(this.#objects);
  }

  /** All device types, by name. */
  get devices(): readonly DeviceType[] {
    return sorted(this.#devices);
  }

  /** All CPU models, by name. */
  get cpus(): readonly CpuType[] {
    return sorted(this.#cpus);
  }

  /** All machine types, by name. */
  get machines(): readonly MachineType[] {
    return sorted(this.#machines);
  }

  /** Name of the plugin that provides a device, for listings. */
  providerOfDevice(name: string): string | undefined {
    return this.#devices.get(name)?.provider;
  }
}

function claim<T>(map: ReadonlyMap<string, Entry<T>>, name: string, value: T, what: string, origin: string): void {
  const taken = map.get(name);
  if (taken === undefined || taken.value === value) return;
  throw new ConfigError(
    'STERNA_ERR_PLUGIN_LOAD',
    `plugin ${origin}: ${what} '${name}' is already provided by ${taken.provider}`,
  );
}

function find<T>(map: ReadonlyMap<string, Entry<T>>, name: string, what: string, code: ErrorCode): T {
  const entry = map.get(name);
  if (entry !== undefined) return entry.value;
  throw new ConfigError(code, `no ${what} '${name}'; ${unknownNameHint(name, [...map.keys()].sort())}`);
}

function sorted<T>(map: ReadonlyMap<string, Entry<T>>): T[] {
  return [...map].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, entry]) => entry.value);
}
