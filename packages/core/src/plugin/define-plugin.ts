import type { Bind } from 'inversify';
import type { BlockDriverType } from '../block/define-block-driver.ts';
import type { CpuType } from '../cpu/define-cpu.ts';
import type { DeviceType } from '../device/define-device.ts';
import type { MachineType } from '../machine/define-machine-type.ts';
import type { ObjectType } from '../objects/define-object.ts';

/** Version of the plugin API: a plugin made for another major (below 1.0: minor) version is refused. */
export const PLUGIN_API_VERSION = '0.1.0';

/** What a package contributes. */
export interface Plugin {
  readonly kind: 'plugin';
  readonly name: string;
  /** API version the plugin was made for. */
  readonly apiVersion: string;
  readonly devices: readonly DeviceType[];
  readonly cpus: readonly CpuType[];
  readonly machines: readonly MachineType[];
  readonly blockDrivers: readonly BlockDriverType[];
  /** Kinds of user-creatable objects. */
  readonly objects: readonly ObjectType[];
  /** Provides services to the machine scope; `bind` is inversify's. */
  readonly bind?: (bind: Bind) => void;
}

/** What an author writes for a plugin. */
export type PluginDescriptor = Partial<Omit<Plugin, 'kind' | 'name'>> & { readonly name: string };

/** Declares a plugin; export the result as the module's default. */
export function definePlugin(descriptor: PluginDescriptor): Plugin {
  return {
    kind: 'plugin',
    apiVersion: PLUGIN_API_VERSION,
    devices: [],
    cpus: [],
    machines: [],
    blockDrivers: [],
    objects: [],
    ...descriptor,
  };
}
