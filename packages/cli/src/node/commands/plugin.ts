import { ConfigError, describeProperties, PLUGIN_API_VERSION, type Plugin, type PropertyTable } from '@sterna/core';
import { checkLoadedPlugin } from '../plugin/check-plugin.ts';
import { recordTables } from '../plugin/check-tables.ts';
import { loadPluginFolder } from '../plugin/plugin-folder.ts';
import { makeRegistry } from '../registry.ts';
import { type Command, parseOptions, printJson } from './command.ts';

/** `sterna plugin`. */
export const pluginCommand: Command = {
  usage: `usage: sterna plugin list [SPEC...] [--json]
       sterna plugin info SPEC [--json]
       sterna plugin check SPEC... [--record] [--json]

SPEC is a folder with a package.json, a file, or an installed package.

'list' shows the devices, CPU models and machine types that come with Sterna and with the plugins named.
'info' shows what one plugin provides, with the properties of its devices.
'check' loads plugins and says what is wrong with them: runs the conformance kit for every device, compares their state
tables with those in vmstate.json, which were published last, and looks at the package as publishing would.

  --record   writes vmstate.json: what is published now. Do it with each release
  --json     everything as one line of JSON

Options of the kit (operations, properties, services) come from a module that package.json names:
"sterna": { "conformance": "./test/options.ts" }, whose default export has them by device name.

Exit codes of 'check': 0 when nothing is wrong, 2 otherwise.
`,
  async run(args) {
    const { positionals, switches } = parseOptions(args, { json: 'switch', record: 'switch' });
    const [action, ...specs] = positionals;
    const json = switches.has('json');
    if (action === 'check' && specs.length > 0) return check(specs, { json, record: switches.has('record') });
    if (action === 'info' && specs.length === 1) return info(specs[0]!, json);
    if (action === 'list') return list(specs, json);
    throw new ConfigError('STERNA_ERR_OPTION_VALUE', 'usage: sterna plugin list [SPEC...] | info SPEC | check SPEC...');
  },
};

async function list(specs: readonly string[], json: boolean): Promise<number> {
  const registry = await makeRegistry(specs);
  if (json) printJson({ apiVersion: PLUGIN_API_VERSION, plugins: registry.plugins.map(contents) });
  else for (const plugin of registry.plugins) process.stdout.write(describe(plugin));
  return 0;
}

async function info(spec: string, json: boolean): Promise<number> {
  const { plugin, manifest } = await loadPluginFolder(spec);
  const { name, version, description, license } = manifest;
  if (json) printJson({ ...contents(plugin), package: { name, version, description, license } });
  else {
    if (name !== undefined) process.stdout.write(`${name} ${version ?? ''}: ${description ?? ''}\n`);
    process.stdout.write(describe(plugin));
  }
  return 0;
}

async function check(
  specs: readonly string[],
  { json, record }: { readonly json: boolean; readonly record: boolean },
): Promise<number> {
  let failed = 0;
  const results: object[] = [];
  for (const spec of specs) {
    try {
      const loaded = await loadPluginFolder(spec);
      const recorded = record ? await recordTables(loaded) : undefined;
      const steps = await checkLoadedPlugin(loaded);
      const faults = steps.filter(({ outcome }) => outcome === 'failed');
      if (faults.length > 0) failed++;
      results.push({ spec, ok: faults.length === 0, ...contents(loaded.plugin), steps });
      if (json) continue;
      for (const { name, outcome, message } of steps)
        process.stdout.write(`${outcome.padEnd(8)} ${name}${message === undefined ? '' : `: ${message}`}\n`);
      if (recorded !== undefined) process.stdout.write(`written  ${recorded}\n`);
      process.stdout.write(`${spec}: ${faults.length === 0 ? 'ok' : `${faults.length} findings`}\n`);
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

function contents({ name, apiVersion, devices, cpus, machines, blockDrivers }: Plugin) {
  return {
    name,
    apiVersion,
    devices: [...devices, ...machines.flatMap((machine) => machine.devices)].map(({ descriptor }) => descriptor.name),
    cpus: [...cpus, ...machines.flatMap((machine) => machine.cpus)].map((cpu) => cpu.name),
    machines: machines.map((machine) => machine.name),
    blockDrivers: blockDrivers.map(({ descriptor }) => descriptor.name),
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
  for (const { descriptor } of plugin.blockDrivers)
    lines.push(`  block driver ${descriptor.name} (${descriptor.kind}): ${descriptor.description}`);
  return lines.map((line) => `${line}\n`).join('');
}
