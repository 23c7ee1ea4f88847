import { blockDrivers } from '@sterna/block';
import { definePlugin, PluginRegistry } from '@sterna/core';
import { loadPlugin, securityObjects } from '@sterna/core/node';
import vfioStub from '@sterna/device-vfio-stub';
import { microvm } from '@sterna/machine-microvm';
import { noneMachine } from './none-machine.ts';

/**
 * A registry with what we ship and the plugins the user names, in their order.
 *
 * @throws ConfigError naming the plugin and the reason.
 */
export async function makeRegistry(plugins: readonly string[], cwd: string = process.cwd()): Promise<PluginRegistry> {
  const registry = new PluginRegistry();
  registry.add(definePlugin({ name: '@sterna/machine-microvm', machines: [microvm.type] }));
  registry.add(definePlugin({ name: '@sterna/cli', machines: [noneMachine.type] }));
  registry.add(definePlugin({ name: '@sterna/block', blockDrivers }));
  registry.add(definePlugin({ name: '@sterna/core', objects: securityObjects }));
  registry.add(vfioStub);
  for (const spec of plugins) registry.add(await loadPlugin(spec, cwd), spec);
  return registry;
}
