import { ConfigError, describeProperties, PLUGIN_API_VERSION, type Plugin, type PropertyTable } from '@sterna/core';
import { loadPlugin } from '@sterna/core/node';
import { makeRegistry } from '../registry.ts';
import { type Command, parseOptions, printJson } from './command.ts';

/** `sterna plugin`. */
export const pluginCommand: Command = {
  usage: `usage: sterna plugin list [SPEC...] [--json]
       sterna plugin check SPEC... [--json]

'list' shows the devices, CPU models and machine types that come with Sterna and with the plugins named.
'check' loads plugins, each an installed package or a file, and says what is wrong with them.
`,
  async run(args) {
    const { positionals, switches } = parseOptions(args, { json: 'switch' });
    const [action, ...specs] = positionals;
    if (action === 'check' && specs.length > 0) return check(specs, switches.has('json'));
    if (action === 'list') return list(specs, switches.has('json'));
    throw new ConfigError('STERNA_ERR_OPTION_VALUE', 'usage: sterna plugin list [SPEC...] | check SPEC...');
  },
};

async function list(specs: readonly string[], json: boolean): Promise<number> {
  const registry = await makeRegistry(specs);
  if (json) printJson({ apiVersion: PLUGIN_API_VERSION, plugins: registry.plugins.map(contents) });
  else for (const plugin of registry.plugins) process.stdout.write(describe(plugin));
  return 0;
}

async function check(specs: readonly string[], json: boolean): Promise<number> {
  let failed = 0;
  const results: object[] = [];
  for (const spec of specs) {
    try {
      const plugin = await loadPlugin(spec);
      results.push({ spec, ok: true, ...contents(plugin) });
      if (!json) process.stdout.write(`${spec}: ok\n${describe(plugin)}`);
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      failed++;
      results.push({ spec, ok: false, code: error.code, message: error.message });
      if (!json) process.stdout.write(`${spec}: ${error.message}\n`);
    }
  }
  if (json) printJson(results);
  return failed === 0 ? 0 : 2;
}

function contents({ name, apiVersion, devices, cpus, machines }: Plugin) {
  return {
    name,
    apiVersion,
    devices: [...devices, ...machines.flatMap((machine) => machine.devices)].map(({ descriptor }) => descriptor.name),
    cpus: [...cpus, ...machines.flatMap((machine) => machine.cpus)].map((cpu) => cpu.name),
    machines: machines.map((machine) => machine.name),
  };
}

function describe(plugin: Plugin): string {
  const { name, apiVersion, machines, cpus } = contents(plugin);
  const lines = [`${name} (plugin API ${apiVersion})`];
  for (const machine of machines) lines.push(`  machine ${machine}`);
  for (const cpu of cpus) lines.push(`  cpu ${cpu}`);
  for (const { descriptor } of [...plugin.devices, ...plugin.machines.flatMap((machine) => machine.devices)]) {
    lines.push(`  device ${descriptor.name} (${String(descriptor.bus)}): ${descriptor.description}`);
    lines.push(...describeProperties((descriptor.properties ?? {}) as PropertyTable).map((line) => `  ${line}`));
  }
  return lines.map((line) => `${line}\n`).join('');
}
