import { ConfigError, type PluginRegistry, unknownNameHint } from '@sterna/core';
import { QEMU_VERSION } from '@sterna/qmp';
import { cpuHelp, deviceHelp, deviceListHelp, machineHelp, objectHelp, objectListHelp } from '../system/help.ts';
import type { SystemOptions } from '../system/options.ts';
import { parseSystemArgs, systemHelp } from '../system/parse-args.ts';
import { VERSION } from '../version.ts';
import { isDaemonChild, leaveForeground, runInBackground } from './daemonize.ts';
import type { MachineProcess } from './machine/machine-process.ts';
import type { MachinePlan } from './machine/plan.ts';
import { reportError } from './report-error.ts';
import { endOnSignals } from './signals.ts';

const PROGRAM = 'sterna-system-x86_64';

/** Runs `sterna-system-x86_64` and answers its exit code. */
export async function systemMain(args: readonly string[]): Promise<number> {
  try {
    const options = parseSystemArgs(args);
    if (options.info !== undefined) return await printInfo(options);
    if (options.daemonize && !isDaemonChild()) return await runInBackground(args);
    return await runSystem(options);
  } catch (error) {
    return reportError(PROGRAM, error);
  }
}

async function runSystem(options: SystemOptions): Promise<number> {
  if (options.processName !== undefined) process.title = options.processName;
  // Loaded late, so that -help and errors of the command line come at once.
  const [{ makeRegistry }, processes, { planFromOptions }, { writePidfile }] = await Promise.all([
    import('./registry.ts'),
    import('./machine/machine-process.ts'),
    import('./machine/plan.ts'),
    import('./pidfile.ts'),
  ]);
  const registry = await makeRegistry(options.plugins);
  checkGlobals(options, registry);
  const plan = planFromOptions(options, registry);
  if (options.vmstateDump !== undefined) return dumpVmState(options.vmstateDump, plan, registry);
  let machine: MachineProcess | undefined;
  let removePidfile: (() => void) | undefined;
  // Before the pid file, since who has read it may send a signal.
  endOnSignals(PROGRAM, () => {
    if (machine !== undefined) return machine.quit('host-signal');
    removePidfile?.();
    process.exit(0);
  });
  if (options.pidfile !== undefined) removePidfile = writePidfile(options.pidfile);
  try {
    machine = await processes.MachineProcess.create(plan, registry);
    if (options.daemonize) leaveForeground();
    machine.start();
    return await machine.ended;
  } finally {
    removePidfile?.();
  }
}

async function dumpVmState(file: string, plan: MachinePlan, registry: PluginRegistry): Promise<number> {
  const [{ dumpTables }, { writeDump }, { vmStateDumpText }] = await Promise.all([
    import('./machine/table-dump.ts'),
    import('./commands/vmstate.ts'),
    import('@sterna/migration'),
  ]);
  writeDump(file, vmStateDumpText(await dumpTables(plan, registry)));
  return 0;
}

/**
 * As in QEMU, a default for a device that does not exist is no error, since scripts set them for several machines; one
 * for a property that does not exist is.
 */
function checkGlobals(options: SystemOptions, registry: PluginRegistry): void {
  for (const key of Object.keys(options.globals)) {
    const dot = key.lastIndexOf('.');
    const [driver, property] = [key.slice(0, dot), key.slice(dot + 1)];
    if (key.startsWith('migration.')) continue;
    const type = registry.devices.find(({ descriptor }) => descriptor.name === driver);
    if (type === undefined) {
      process.stderr.write(`${PROGRAM}: warning: -global ${key}: there is no device '${driver}'\n`);
      continue;
    }
    const names = Object.keys(type.descriptor.properties ?? {});
    if (names.includes(property)) continue;
    throw new ConfigError(
      'STERNA_ERR_PROPERTY_UNKNOWN',
      `device ${driver} has no property '${property}'; ${unknownNameHint(property, names)}`,
      { path: `-global ${key}` },
    );
  }
}

const ACCEL_HELP = `tcg options:
  tb-size=<MiB>          most translated code that is kept
  thread=single          vCPUs take turns in one thread
  jit=<on|off>           off: everything is interpreted
  jit-threshold=<num>    executions of a place after which it is translated
  jit-thread=<on|off>    a thread beside the guest's translates
  jit-counters=<on|off>  'info jit' counts why translated code is left (slower)
  jit-hot-spots=<file>   writes the guest's hottest places there at the end (slower)
`;

async function printInfo({ info, plugins }: SystemOptions): Promise<number> {
  const { major, minor, micro } = QEMU_VERSION;
  const version = `Sterna ${VERSION}, a machine emulator with the command line and migration stream of QEMU ${major}.${minor}.${micro}\n`;
  if (info === 'version') return print(version);
  if (info === 'help') return print(version + systemHelp(PROGRAM));
  if (info === 'accelerators') return print('Accelerators supported:\ntcg\n');
  if (info === 'accelerator-properties') return print(ACCEL_HELP);
  const { makeRegistry } = await import('./registry.ts');
  const registry = await makeRegistry(plugins);
  if (info === 'machines') return print(machineHelp(registry));
  if (info === 'cpus') return print(cpuHelp(registry));
  if (info === 'devices') return print(deviceListHelp(registry));
  if (info === 'objects') return print(objectListHelp(registry));
  if ('object' in info!) return print(objectHelp(registry.object(info.object)));
  return print(deviceHelp(registry.device(info!.device)));
}

function print(text: string): number {
  process.stdout.write(text);
  return 0;
}
