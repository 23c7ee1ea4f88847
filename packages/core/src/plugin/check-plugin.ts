import { ConfigError } from '../errors.ts';
import type { MachineType } from '../machine/define-machine-type.ts';
import { PLUGIN_API_VERSION, type Plugin } from './define-plugin.ts';

/**
 * Whether a plugin made for API version `wanted` works with `provided`: same major version and nothing newer than we
 * have; below 1.0 every minor version may break.
 */
export function isApiCompatible(wanted: string, provided: string = PLUGIN_API_VERSION): boolean {
  const [w, p] = [parseVersion(wanted), parseVersion(provided)];
  if (w === undefined || p === undefined) return false;
  if (w.major !== p.major) return false;
  return w.major === 0 ? w.minor === p.minor : w.minor <= p.minor;
}

function parseVersion(text: string): { readonly major: number; readonly minor: number } | undefined {
  const match = /^(\d+)\.(\d+)\.(\d+)(?:[-+].*)?$/.exec(text);
  return match === null ? undefined : { major: Number(match[1]), minor: Number(match[2]) };
}

/**
 * Checks that a module's default export is a plugin for this version of the API. The check is by shape, because a
 * plugin may have been made with another installed copy of this package.
 *
 * @param value - The default export; a bare device, CPU or machine type counts as a plugin of one.
 * @param origin - Package or file it came from, for messages.
 * @throws ConfigError `STERNA_ERR_PLUGIN_LOAD` or `STERNA_ERR_PLUGIN_VERSION`, naming the plugin and the reason.
 */
export function checkPlugin(value: unknown, origin: string): Plugin {
  const fail = (reason: string) => new ConfigError('STERNA_ERR_PLUGIN_LOAD', `plugin ${origin}: ${reason}`);
  if (value === undefined)
    throw fail('the module has no default export; export the result of definePlugin() as default');
  const plugin = wrapSingle(value, origin);
  if (plugin === undefined || plugin.kind !== 'plugin') {
    throw fail(`the default export is ${describe(value)}; export the result of definePlugin()`);
  }
  if (typeof plugin.name !== 'string' || plugin.name === '') throw fail('the plugin has no name');
  if (typeof plugin.apiVersion !== 'string' || !isApiCompatible(plugin.apiVersion)) {
    throw new ConfigError(
      'STERNA_ERR_PLUGIN_VERSION',
      `plugin ${plugin.name} (${origin}) was made for plugin API ${String(plugin.apiVersion)}, this is ${PLUGIN_API_VERSION}; install a version of the plugin made for it`,
    );
  }
  checkList(plugin.devices, 'devices', 'device', fail);
  checkList(plugin.cpus, 'cpus', 'cpu', fail);
  checkList(plugin.machines, 'machines', 'machine', fail);
  checkList(plugin.blockDrivers, 'blockDrivers', 'block-driver', fail);
  checkList(plugin.objects, 'objects', 'object', fail);
  for (const [index, device] of plugin.devices.entries()) {
    const { descriptor } = device;
    if (typeof descriptor?.name !== 'string') throw fail(`devices[${index}] has no descriptor; use defineDevice()`);
    if (typeof descriptor.create !== 'function') throw fail(`device '${descriptor.name}' has no create()`);
    if (descriptor.vmstate === undefined) {
      throw fail(
        `device '${descriptor.name}' does not say what of its state travels; give vmstate a table, 'stateless' or unmigratable(reason)`,
      );
    }
  }
  return { ...plugin, machines: plugin.machines.map(bare) };
}

/** The machine type itself, where the callable form that `defineMachineType` returns was given. */
function bare(machine: MachineType | { readonly type: MachineType }): MachineType {
  return 'type' in machine ? machine.type : machine;
}

function wrapSingle(value: unknown, origin: string): Plugin | undefined {
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null) return undefined;
  const { kind } = value as { readonly kind?: unknown };
  const empty: Plugin = {
    kind: 'plugin',
    name: origin,
    apiVersion: PLUGIN_API_VERSION,
    devices: [],
    cpus: [],
    machines: [],
    blockDrivers: [],
    objects: [],
  };
  // Shapes are checked by the caller; here only the kind tells them apart.
  if (kind === 'device') return { ...empty, devices: [value as Plugin['devices'][number]] };
  if (kind === 'cpu') return { ...empty, cpus: [value as Plugin['cpus'][number]] };
  if (kind === 'machine') return { ...empty, machines: [value as Plugin['machines'][number]] };
  if (kind === 'block-driver') return { ...empty, blockDrivers: [value as Plugin['blockDrivers'][number]] };
  if (kind === 'object') return { ...empty, objects: [value as Plugin['objects'][number]] };
  return value as Plugin;
}

const MAKERS: Readonly<Record<string, string>> = {
  device: 'defineDevice',
  cpu: 'defineCpu',
  machine: 'defineMachineType',
  'block-driver': 'defineBlockDriver',
  object: 'defineObject',
};

function checkList(list: unknown, name: string, kind: string, fail: (reason: string) => ConfigError): void {
  if (!Array.isArray(list)) throw fail(`'${name}' is not a list`);
  for (const [index, item] of list.entries()) {
    if ((item as { readonly kind?: unknown } | undefined)?.kind !== kind) {
      throw fail(`${name}[${index}] is ${describe(item)}, not the result of ${MAKERS[kind]}()`);
    }
  }
}

function describe(value: unknown): string {
  if (value === null) return 'null';
  if (typeof value === 'function') return `a function '${value.name}'`;
  if (typeof value === 'object') return Array.isArray(value) ? 'an array' : 'an object of another kind';
  return JSON.stringify(value) ?? typeof value;
}
