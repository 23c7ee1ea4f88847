import type { BlockdevOption, DriveSpec } from '@sterna/block';
import type { ChardevOption, CpuTopology, ObjectSpec, TranslationOptions } from '@sterna/core';

/** Addressing and properties of a `-device`, as text; JSON values are turned into text. */
export interface DeviceOption {
  readonly driver: string;
  readonly id: string | undefined;
  readonly properties: readonly (readonly [name: string, value: string])[];
  /** The option as given, for messages. */
  readonly origin: string;
}

/** A `-mon` option, or what `-monitor` and `-qmp` stand for. */
export interface MonitorOption {
  /** `control` is QMP, `readline` the human monitor. */
  readonly mode: 'control' | 'readline';
  /** Short form (`unix:...`) or `chardev:ID`. */
  readonly chardev: string;
  readonly pretty: boolean;
  /** The option as given, for messages. */
  readonly origin: string;
}

/** What `-snapshot-store` says. */
export interface SnapshotStoreOption {
  /** What `vmstate` and `devices` call it. */
  readonly name: string;
  readonly directory: string;
}

/** What `-accel` says. */
export interface AccelOption {
  readonly translation: TranslationOptions;
  /** File that gets the list of hot spots when the process ends. */
  readonly hotSpotFile?: string;
}

/** What the command line of `sterna-system-x86_64` says, still without knowing any machine. */
export interface SystemOptions {
  machine: Record<string, string>;
  cpu?: string;
  cpuCount?: number;
  topology?: CpuTopology;
  ramSize?: number;
  kernel?: string;
  initrd?: string;
  append?: string;
  bios?: string;
  /** User-creatable objects, in order. */
  objects: ObjectSpec[];
  devices: DeviceOption[];
  blockdevs: BlockdevOption[];
  drives: DriveSpec[];
  chardevs: ChardevOption[];
  serials: string[];
  /** `none` in it stands for `-monitor none`: no default monitor. */
  monitors: MonitorOption[];
  defaultMonitor: boolean;
  nographic: boolean;
  nodefaults: boolean;
  autostart: boolean;
  /** Refuses what cannot be migrated. */
  onlyMigratable?: boolean;
  reboot?: 'reset' | 'shutdown';
  shutdown?: 'poweroff' | 'pause';
  /** Device of the gdb server. */
  gdb?: string;
  accel?: AccelOption;
  incoming?: string;
  name?: string;
  processName?: string;
  uuid?: string;
  /** File for traces of migrations. */
  migrationTrace?: string;
  /** Place for snapshots. */
  snapshotStore?: SnapshotStoreOption;
  /** Snapshot that the machine begins with. */
  loadvm?: string;
  pidfile?: string;
  daemonize: boolean;
  plugins: string[];
  globals: Record<string, string>;
  rtc?: { source: 'host' | 'vm'; baseNs?: bigint };
  icountShift?: number;
  logGuestErrors: boolean;
  logFile?: string;
  /** File that gets the tables of the machine's state, instead of running it. */
  vmstateDump?: string;
  /** Something to print instead of running. */
  info?:
    | 'help'
    | 'version'
    | 'machines'
    | 'cpus'
    | 'devices'
    | 'accelerators'
    | 'accelerator-properties'
    | 'objects'
    | { readonly device: string }
    | { readonly object: string };
}

/** Options of an empty command line. */
export function emptyOptions(): SystemOptions {
  return {
    machine: {},
    objects: [],
    devices: [],
    blockdevs: [],
    drives: [],
    chardevs: [],
    serials: [],
    monitors: [],
    defaultMonitor: true,
    nographic: false,
    nodefaults: false,
    autostart: true,
    daemonize: false,
    plugins: [],
    globals: {},
    logGuestErrors: false,
  };
}
