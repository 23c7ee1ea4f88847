import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { BlockdevOption, DriveSpec } from '@sterna/block';
import {
  type BootImages,
  type ChardevOption,
  ConfigError,
  type CpuTopology,
  type DeviceSpec,
  type MachineConfig,
  type MachineSetup,
  type MachineType,
  type ObjectSpec,
  type PluginRegistry,
  parseChardevOption,
  parseCpuModel,
  parseSize,
  SternaError,
  unknownNameHint,
} from '@sterna/core';
import { deviceSpec } from '../../system/device-spec.ts';
import { SNAPSHOT_STORE } from '../../system/option-values.ts';
import type { MonitorOption, SnapshotStoreOption, SystemOptions } from '../../system/options.ts';

/** A machine to run in this process: names resolved, files and sockets not yet opened. */
export interface MachinePlan {
  readonly type: MachineType;
  readonly properties: Readonly<Record<string, unknown>>;
  readonly cpu: string | undefined;
  readonly cpuCount: number;
  readonly topology: CpuTopology | undefined;
  readonly ramSize: number;
  /** Directory that the paths below are relative to. */
  readonly directory: string;
  readonly kernel: string | undefined;
  readonly initrd: string | undefined;
  readonly append: string | undefined;
  readonly bios: string | undefined;
  /** User-creatable objects, in order. */
  readonly objects: readonly ObjectSpec[];
  readonly devices: readonly DeviceSpec[];
  /** Block nodes, before the drives and devices that use them. */
  readonly blockdevs: readonly BlockdevOption[];
  readonly drives: readonly DriveSpec[];
  readonly chardevs: readonly ChardevOption[];
  /** Serial ports in short form. */
  readonly serials: readonly string[];
  readonly monitors: readonly MonitorOption[];
  readonly globals: Readonly<Record<string, string>>;
  readonly rtc: MachineSetup['rtc'];
  readonly icountShift: number | undefined;
  readonly translation: MachineSetup['translation'];
  /** File that gets the list of hot spots at the end. */
  readonly hotSpotFile: string | undefined;
  readonly actions: NonNullable<MachineSetup['actions']>;
  readonly name: string | undefined;
  readonly uuid: string | undefined;
  readonly autostart: boolean;
  readonly onlyMigratable: boolean;
  readonly incoming: string | undefined;
  /** File for traces of migrations. */
  readonly migrationTrace: string | undefined;
  readonly snapshotStore: SnapshotStoreOption | undefined;
  /** Snapshot that the machine begins with. */
  readonly loadvm: string | undefined;
  /** Device of the gdb server. */
  readonly gdb: string | undefined;
  readonly logGuestErrors: boolean;
  readonly logFile: string | undefined;
}

/** The plan of a QEMU command line. @throws ConfigError for names that no plugin provides. */
export function planFromOptions(options: SystemOptions, registry: PluginRegistry): MachinePlan {
  const { type: name, ...properties } = options.machine;
  if (name === undefined) {
    const names = registry.machines.map((machine) => machine.name);
    throw new ConfigError(
      'STERNA_ERR_MACHINE_UNKNOWN',
      `no machine type was given and there is no default; use -machine with one of ${names.join(', ')}`,
    );
  }
  const type = registry.machine(name);
  return {
    type,
    properties,
    cpu: options.cpu,
    cpuCount: options.cpuCount ?? 1,
    topology: options.topology,
    ramSize: options.ramSize ?? type.defaultRamSize,
    directory: process.cwd(),
    kernel: options.kernel,
    initrd: options.initrd,
    append: options.append,
    bios: options.bios,
    objects: options.objects,
    devices: options.devices.map((device) => deviceSpec(device, registry)),
    blockdevs: options.blockdevs,
    drives: options.drives,
    chardevs: options.chardevs,
    ...consoles(options),
    globals: options.globals,
    rtc: options.rtc,
    icountShift: options.icountShift,
    translation: options.accel?.translation,
    hotSpotFile: options.accel?.hotSpotFile,
    actions: {
      ...(options.reboot === undefined ? {} : { reboot: options.reboot }),
      ...(options.shutdown === undefined ? {} : { shutdown: options.shutdown }),
    },
    name: options.name,
    uuid: options.uuid,
    autostart: options.autostart,
    onlyMigratable: options.onlyMigratable ?? false,
    incoming: options.incoming,
    migrationTrace: options.migrationTrace,
    snapshotStore: options.snapshotStore,
    loadvm: options.loadvm,
    gdb: options.gdb,
    logGuestErrors: options.logGuestErrors,
    logFile: options.logFile,
  };
}

/** QEMU's default devices: without a display serial port and monitor go nowhere, with -nographic to the terminal. */
function consoles(options: SystemOptions): Pick<MachinePlan, 'serials' | 'monitors'> {
  const { serials, monitors, nographic, nodefaults } = options;
  const defaultSerial = !nodefaults && serials.length === 0;
  const defaultMonitor = !nodefaults && options.defaultMonitor;
  if (!nographic) return { serials: defaultSerial ? ['null'] : serials, monitors };
  if (options.daemonize && (defaultSerial || defaultMonitor))
    throw new ConfigError('STERNA_ERR_OPTION_VALUE', '-nographic needs the terminal that -daemonize gives up');
  if (defaultSerial) return { serials: [defaultMonitor ? 'mon:stdio' : 'stdio'], monitors };
  const own: MonitorOption = { mode: 'readline', chardev: 'stdio', pretty: false, origin: '-nographic' };
  return { serials, monitors: defaultMonitor ? [...monitors, own] : monitors };
}

/** What `sterna run` adds to a machine file. */
export interface RunOptions {
  readonly name?: string;
  readonly incoming?: string;
  /** File for traces of migrations. */
  readonly migrationTrace?: string;
  /** Snapshot to begin with. */
  readonly loadvm?: string;
  readonly autostart: boolean;
  readonly serials?: readonly string[];
}

/** The plan of a machine file. @throws ConfigError for names that no plugin provides. */
export function planFromConfig(
  config: MachineConfig,
  directory: string,
  registry: PluginRegistry,
  run: RunOptions,
): MachinePlan {
  const { machine } = config;
  if (machine?.type?.kind !== 'machine') {
    throw new ConfigError(
      'STERNA_ERR_MACHINE_UNKNOWN',
      "'machine' is missing; use a machine type, for example machine: microvm()",
    );
  }
  const known = registry.machines.map((type) => type.name);
  if (!known.includes(machine.type.name)) {
    throw new ConfigError(
      'STERNA_ERR_MACHINE_UNKNOWN',
      `no machine type '${machine.type.name}'; ${unknownNameHint(machine.type.name, known)}`,
    );
  }
  const { memory } = config;
  return {
    type: machine.type,
    properties: machine.properties,
    cpu: config.cpu,
    ...smpOfConfig(config.smp ?? 1),
    ramSize:
      memory === undefined
        ? machine.type.defaultRamSize
        : typeof memory === 'number'
          ? memory
          : parseSize(memory, 2 ** 20),
    directory,
    kernel: config.kernel,
    initrd: config.initrd,
    append: config.append,
    bios: config.bios,
    objects: Object.entries(config.objects ?? {}).map(([id, { type, ...properties }]) => ({
      type,
      id,
      properties,
      text: false,
    })),
    devices: config.devices ?? [],
    blockdevs: (config.blockdevs ?? []).map((spec) => ({ spec, text: false })),
    drives: [],
    chardevs: Object.entries(config.chardevs ?? {}).map(([id, text]) => parseChardevOption(`${text},id=${id}`)),
    serials: run.serials ?? config.serial ?? ['mon:stdio'],
    monitors: (config.qmp ?? []).map((chardev) => ({
      mode: 'control',
      chardev,
      pretty: false,
      origin: `qmp ${chardev}`,
    })),
    globals: config.globals ?? {},
    rtc: rtcOf(config.rtc),
    icountShift: config.icount?.shift,
    translation: config.accel,
    hotSpotFile: undefined,
    actions: {},
    name: run.name ?? config.name,
    uuid: config.uuid,
    autostart: run.autostart,
    onlyMigratable: config.onlyMigratable ?? false,
    incoming: run.incoming,
    migrationTrace: run.migrationTrace,
    snapshotStore: config.snapshots === undefined ? undefined : { name: SNAPSHOT_STORE, directory: config.snapshots },
    loadvm: run.loadvm,
    gdb: undefined,
    logGuestErrors: false,
    logFile: undefined,
  };
}

function rtcOf(rtc: MachineConfig['rtc']): MachineSetup['rtc'] {
  if (rtc === undefined) return undefined;
  const source = rtc.clock ?? 'host';
  if (rtc.base === undefined || rtc.base === 'utc') return { source };
  const ms = rtc.base === 'localtime' ? Date.now() - new Date().getTimezoneOffset() * 60_000 : Date.parse(rtc.base);
  if (Number.isNaN(ms))
    throw new ConfigError('STERNA_ERR_OPTION_VALUE', `'${rtc.base}' is no date`, { path: 'rtc.base' });
  return { source, baseNs: BigInt(ms) * 1_000_000n };
}

/**
 * Reads the files a machine boots from.
 *
 * @throws SternaError `STERNA_ERR_HOST_IO` naming the file and the reason.
 */
export function readBootImages(plan: MachinePlan, findFirmware: BootImages['findFirmware']): BootImages {
  const read = (what: string, path: string): Uint8Array => {
    try {
      return readFileSync(resolve(plan.directory, path));
    } catch (cause) {
      throw new SternaError('STERNA_ERR_HOST_IO', `cannot read ${what} ${path}: ${(cause as Error).message}`, {
        cause,
      });
    }
  };
  // As in QEMU, `-bios` also finds installed firmware by its bare name.
  const bios =
    plan.bios === undefined
      ? undefined
      : ((plan.bios.includes('/') ? undefined : findFirmware(plan.bios)) ?? read('firmware', plan.bios));
  return {
    ...(plan.kernel === undefined ? {} : { kernel: read('kernel', plan.kernel) }),
    ...(plan.initrd === undefined ? {} : { initrd: read('initrd', plan.initrd) }),
    ...(plan.append === undefined ? {} : { cmdline: plan.append }),
    ...(bios === undefined ? {} : { bios }),
    findFirmware,
  };
}

/** CPU model and properties of a plan. @throws ConfigError for a model the machine does not take. */
export function planCpu(plan: MachinePlan): Pick<MachineSetup, 'cpu' | 'cpuProperties'> {
  if (plan.cpu === undefined) return { cpu: plan.type.defaultCpu, cpuProperties: {} };
  const { type, properties } = parseCpuModel(plan.cpu, plan.type.cpus);
  return { cpu: type, cpuProperties: properties };
}

function smpOfConfig(smp: number | Partial<CpuTopology>): Pick<MachinePlan, 'cpuCount' | 'topology'> {
  if (typeof smp === 'number') return { cpuCount: smp, topology: undefined };
  const { sockets = 1, cores = 1, threads = 1 } = smp;
  return { cpuCount: sockets * cores * threads, topology: { sockets, cores, threads } };
}
