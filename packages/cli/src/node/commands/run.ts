import { existsSync } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import { ConfigError, type MachineConfig } from '@sterna/core';
import { importFrom } from '@sterna/core/node';
import { listenQmp } from '@sterna/qmp/node';
import { MachineProcess } from '../machine/machine-process.ts';
import { planFromConfig } from '../machine/plan.ts';
import { makeRegistry } from '../registry.ts';
import { publishedSocket } from '../runtime-directory.ts';
import { endOnSignals } from '../signals.ts';
import { type Command, parseOptions, printJson, single } from './command.ts';

const DEFAULT_FILE = 'sterna.config.ts';

/** `sterna run`. */
export const runCommand: Command = {
  usage: `usage: sterna run [FILE] [options]

Runs the machine that FILE (default: ${DEFAULT_FILE}) exports, with its console on this terminal (Ctrl-A h for help).
'sterna migrate' finds it by its name.

  --name NAME         name of the machine; default: the file's, else the file's name
  --plugin SPEC       loads a plugin: an installed package or a file (may repeat)
  --incoming URI      waits for a migration: unix:PATH, tcp:HOST:PORT, or defer
  --loadvm NAME       begins with a snapshot that was saved under this name
  --paused            does not start the guest
  --trace FILE        writes what a migration does into a file for 'sterna report'
  --serial BACKEND    serial port, as after -serial of sterna-system-x86_64
  --json              prints one line of JSON when the machine is up
`,
  async run(args) {
    const options = parseOptions(args, {
      name: 'value',
      plugin: 'values',
      incoming: 'value',
      loadvm: 'value',
      trace: 'value',
      paused: 'switch',
      serial: 'values',
      json: 'switch',
    });
    const [file = DEFAULT_FILE, ...rest] = options.positionals;
    if (rest.length > 0)
      throw new ConfigError('STERNA_ERR_OPTION_VALUE', `one machine file is enough, not also '${rest[0]}'`);
    const path = resolve(file);
    const config = await loadConfig(path, file);
    const registry = await makeRegistry(options.values.get('plugin') ?? []);
    for (const plugin of config.plugins ?? []) registry.add(plugin);
    const incoming = single(options, 'incoming');
    const loadvm = single(options, 'loadvm');
    const trace = single(options, 'trace');
    const serials = options.values.get('serial');
    const name = single(options, 'name') ?? config.name ?? basename(path).replace(/(\.config)?\.[cm]?[jt]s$/, '');
    const plan = planFromConfig(config, dirname(path), registry, {
      name,
      autostart: !options.switches.has('paused'),
      ...(incoming === undefined ? {} : { incoming }),
      ...(loadvm === undefined ? {} : { loadvm }),
      ...(trace === undefined ? {} : { migrationTrace: trace }),
      ...(serials === undefined ? {} : { serials }),
    });
    const socket = publishedSocket(name);
    const machine = await MachineProcess.create(plan, registry);
    endOnSignals('sterna', () => machine.quit('host-signal'));
    const listener = await listenQmp(socket, machine.target);
    machine.atEnd(() => listener.close());
    machine.start();
    if (options.switches.has('json')) printJson({ name, pid: process.pid, qmp: socket });
    return machine.ended;
  },
};

/** Loads a machine file. @throws ConfigError when it is not there or exports no machine */
export async function loadConfig(path: string, shown: string): Promise<MachineConfig> {
  if (!existsSync(path)) throw new ConfigError('STERNA_ERR_OPTION_VALUE', `there is no machine file ${shown}`);
  const exports = await importFrom(path, dirname(path));
  const config = exports['default'];
  if (typeof config !== 'object' || config === null) {
    throw new ConfigError(
      'STERNA_ERR_OPTION_VALUE',
      `${shown} has no default export; export default defineMachine({...})`,
    );
  }
  // Its parts are checked where they are used.
  return config as MachineConfig;
}
