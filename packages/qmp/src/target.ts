import type { BlockDeviceInfo, BlockInfo, InfoBlockOptions } from '@sterna/block';
import type {
  BlockDriverType,
  CpuPlace,
  CpuType,
  JobList,
  MachineType,
  ObjectType,
  RunState,
  UserObjects,
} from '@sterna/core';
import type {
  CapabilityStatus,
  DirtyLimits,
  DirtyRateMeter,
  MigrationInfo,
  MigrationParameters,
  Snapshots,
} from '@sterna/migration';
import type { QomNode, QomType } from './qom/qom-node.ts';

/** An event of QMP, before its timestamp. */
export interface MonitorEvent {
  readonly event: string;
  readonly data?: Readonly<Record<string, unknown>>;
}

/** A vCPU as `query-cpus-fast` shows it. */
export interface MonitorCpu {
  readonly index: number;
  /** QEMU's name of the architecture, `x86_64`. */
  readonly target: 'x86_64';
  /** Name of its type in the tree of objects, `qemu64-x86_64-cpu`. */
  readonly type: string;
  /** Its place in the tree of objects. */
  readonly path: string;
  readonly place: CpuPlace;
  /** Text of `info registers`. */
  describe(): string;
  /** A register's value; undefined when there is none of that name. */
  register?(name: string): bigint | undefined;
}

/** A character backend as `query-chardev` shows it. */
export interface MonitorChardev {
  /** The backend's id. */
  readonly label: string;
  /** What it is, for people: `unix:/tmp/s,server=on`. */
  readonly filename: string;
  /** Whether a device or monitor is attached to it. */
  readonly frontendOpen: boolean;
  /** The bytes of a `ringbuf`; undefined for other kinds. */
  readonly ring?: MonitorRing | undefined;
}

/** What a `ringbuf` backend holds. */
export interface MonitorRing {
  /** Takes out up to so many of the oldest bytes. */
  read(size: number): Uint8Array;
  /** Puts bytes in; the oldest ones go when there is no room. */
  write(bytes: Uint8Array): void;
}

/** An option of the command line and its parameters (QAPI CommandLineOptionInfo). */
export interface CommandLineOption {
  readonly option: string;
  readonly parameters: readonly {
    readonly name: string;
    readonly type: 'string' | 'boolean' | 'number' | 'size';
    readonly help?: string | undefined;
    readonly default?: string | undefined;
  }[];
}

/** What the program offers, with its plugins. */
export interface MonitorCatalog {
  readonly machines: readonly MachineType[];
  readonly cpus: readonly CpuType[];
  readonly blockDrivers: readonly BlockDriverType[];
  readonly objects: readonly ObjectType[];
  readonly commandLine: readonly CommandLineOption[];
}

/** The parts of a machine as a tree of objects. */
export interface MonitorQom {
  readonly root: QomNode;
  /** All types, with those they build on. */
  readonly types: readonly QomType[];
}

/** How devices come and go while the machine exists. All errors are thrown as `SternaError` or `QmpError`. */
export interface MonitorPlugging {
  /** @param options - `driver`, perhaps `bus` and `id`, and properties. */
  add(options: Readonly<Record<string, unknown>> & { readonly driver: string }): void | Promise<void>;
  /** @param id - Or path in the tree of objects. */
  remove(id: string): void | Promise<void>;
}

/** What a core file shall hold. */
export interface DumpRequest {
  /** Addresses are those of the guest's page tables, not physical ones. */
  readonly paging: boolean;
  /** `file:PATH` or `fd:NAME`. */
  readonly protocol: string;
  /** Answers before the file is complete. */
  readonly detach: boolean;
  /** Only this part of memory. */
  readonly range: { readonly begin: number; readonly length: number } | undefined;
}

/** How far a core file is (QAPI DumpQueryResult), in bytes of memory. */
export interface DumpQuery {
  readonly status: 'none' | 'active' | 'completed' | 'failed';
  readonly completed: number;
  readonly total: number;
}

/** Writes core files. All errors are thrown as `SternaError`. */
export interface MonitorDump {
  start(request: DumpRequest): void | Promise<void>;
  query(): DumpQuery;
}

/** What follows when something happens to the guest (QMP `set-action`). */
export interface MachineActions {
  readonly reboot?: 'reset' | 'shutdown' | undefined;
  readonly shutdown?: 'poweroff' | 'pause' | undefined;
  readonly panic?: 'pause' | 'shutdown' | 'exit-failure' | 'none' | undefined;
  readonly watchdog?: 'reset' | 'shutdown' | 'poweroff' | 'pause' | 'debug' | 'none' | 'inject-nmi' | undefined;
}

/** Where a migration goes or comes from: one of the two is given. */
export interface MigrationDestination {
  readonly uri?: string | undefined;
  readonly channels?: readonly Readonly<Record<string, unknown>>[] | undefined;
}

/** The migration side of a machine, as monitors command it. All errors are thrown as `SternaError`. */
export interface MonitorMigration {
  /** Starts an outgoing migration; how it goes on is in {@link MonitorMigration.info}. */
  migrate(destination: MigrationDestination): void | Promise<void>;
  /** Starts to wait for an incoming one, after `-incoming defer`. */
  incoming(destination: MigrationDestination, exitOnError: boolean | undefined): void | Promise<void>;
  cancel(): void | Promise<void>;
  /** Lets a migration that was told to pause before the switchover go on. */
  resumeSwitchover(state: string): void | Promise<void>;
  setCapabilities(changes: readonly { readonly capability: string; readonly state: boolean }[]): void;
  capabilities(): readonly CapabilityStatus[];
  setParameters(changes: Readonly<Record<string, unknown>>): void;
  parameters(): Readonly<MigrationParameters>;
  info(): MigrationInfo;
  /** How streams are written, by the names of `-global migration.*`; for `info migrate -a`. */
  globals?(): Readonly<Record<string, boolean>>;
}

/** Measuring of migrations. All errors are thrown as `SternaError`. */
export interface MonitorTracing {
  /** Writes the next migration into the file. */
  start(file: string): void;
  /** Resolves when all of the trace is in its file. */
  stop(): Promise<void>;
  /** Counters in OTLP's form. */
  metrics(): object;
  /** What a destination must agree with. */
  facts(): object;
}

/** A connection that can be broken (QAPI YankInstance). */
export interface YankInstance {
  readonly type: 'block-node' | 'chardev' | 'migration';
  /** Of a `chardev`. */
  readonly id?: string | undefined;
  /** Of a `block-node`. */
  readonly 'node-name'?: string | undefined;
}

/** Where descriptors go that clients pass. It owns them; all methods throw `SternaError`. */
export interface MonitorDescriptors {
  add(name: string, fd: number): void;
  close(name: string): void;
  /** Answers the set's number. */
  addToSet(fd: number, id?: number, opaque?: string): number;
  removeFromSet(id: number, fd?: number): void;
  /** Whether there is one of that name. */
  has(name: string): boolean;
  readonly sets: readonly {
    readonly id: number;
    readonly fds: readonly { readonly fd: number; readonly opaque?: string | undefined }[];
  }[];
  /** Closes a descriptor that no command wanted. */
  discard(fd: number): void;
}

/** The disks of a machine, as monitors command them. All errors are thrown as `SternaError`. */
export interface MonitorBlocks {
  /** Makes a node that stays until it is deleted. */
  add(spec: Readonly<Record<string, unknown>>): Promise<void>;
  delete(nodeName: string): Promise<void>;
  /** Gives up or takes over a node, or all. */
  setActive(nodeName: string | undefined, active: boolean): Promise<void>;
  /** Changes the length of a node, or of the one behind a drive or device. */
  resize(
    names: { readonly device?: string | undefined; readonly nodeName?: string | undefined },
    size: number,
  ): Promise<void>;
  disks(): readonly BlockInfo[];
  nodes(): readonly BlockDeviceInfo[];
  /** Text of `info block`, lines ended by newline. */
  describe(options: InfoBlockOptions): string;
}

/** The user-creatable objects of a machine, as monitors command them. All errors are thrown as `SternaError`. */
export type MonitorObjects = Pick<UserObjects, 'add' | 'remove' | 'list'>;

/** The measurement of the dirty rate, as monitors command it. All errors are thrown as `SternaError`. */
export type MonitorDirtyRate = Pick<DirtyRateMeter, 'start' | 'query'>;

/** Limits on how fast vCPUs dirty memory, as monitors command them. All errors are thrown as `SternaError`. */
export type MonitorDirtyLimits = Pick<DirtyLimits, 'set' | 'cancel' | 'query'>;

/** Snapshots of a machine, as monitors command them. All errors are thrown as `SternaError`. */
export type MonitorSnapshots = Pick<Snapshots, 'save' | 'load' | 'remove' | 'list'>;

/** What a monitor needs of a machine: the only thing this package knows of one. */
export interface MonitorTarget {
  readonly name: string | undefined;
  readonly uuid: string | undefined;
  /** Our own version, shown in `query-version`'s package. */
  readonly version: string;
  readonly runState: RunState;
  /** Process id, shown as the thread of every vCPU. */
  readonly pid: number;
  readonly cpus: readonly MonitorCpu[];
  readonly migration: MonitorMigration;
  /** Absent where migrations are not measured. */
  readonly tracing?: MonitorTracing;
  readonly chardevs: readonly MonitorChardev[];
  /** Bytes of main RAM. */
  readonly ramSize: number;
  /** Absent where nothing is known of what else could be run. */
  readonly catalog?: MonitorCatalog;
  /** Absent where the machine does not show its parts. */
  readonly qom?: MonitorQom;
  /** Absent where the devices of a machine are fixed. */
  readonly plugging?: MonitorPlugging;
  /** Absent where no core files are written. */
  readonly dump?: MonitorDump;
  /** Absent where there are no disks. */
  readonly blocks?: MonitorBlocks;
  /** Absent where a client cannot pass any. */
  readonly descriptors?: MonitorDescriptors;
  /** Absent where no command goes on after its answer. */
  readonly jobs?: JobList;
  /** Absent where nothing measures. */
  readonly dirtyRate?: MonitorDirtyRate;
  /** Absent where it cannot be limited how fast vCPUs dirty memory. */
  readonly dirtyLimits?: MonitorDirtyLimits;
  /** Absent where nobody makes any. */
  readonly objects?: MonitorObjects;
  /** Absent where there are none. */
  readonly snapshots?: MonitorSnapshots;
  /** Connections that can be broken now. */
  yankable(): readonly { readonly instance: YankInstance; yank(): void }[];
  stop(): void | Promise<void>;
  /** @throws SternaError when the machine cannot run now. */
  cont(): void | Promise<void>;
  /** Ends the process soon after the answer has been sent. */
  quit(): void;
  reset(): void;
  powerDown(): void;
  /** Whether the platform can wake a guest that sleeps. */
  readonly canWakeUp: boolean;
  /** Wakes a guest that sleeps. @throws SternaError when it does not, or cannot be woken */
  wakeUp(): void;
  /** Text of `info mtree`, lines ended by newline. */
  describeMemory?(): string;
  /** Reads memory as a vCPU sees it, or physical memory; undefined when a part of it is not there. */
  readMemory?(address: bigint, size: number, cpu: number | undefined): Uint8Array | undefined;
  /** Gives the vCPUs a non-maskable interrupt. @throws SternaError when they take none */
  injectNmi(): void;
  /** Changes what follows when something happens to the guest. @throws SternaError for what cannot be done here */
  setActions(actions: MachineActions): void;
  /**
   * Writes so many bytes of memory to a file.
   *
   * @param cpu - Index of the vCPU whose addresses are meant; without one they are physical.
   * @throws SternaError when the file cannot be written, or nothing is at the address
   */
  saveMemory(address: number, size: number, path: string, cpu?: number): void;
  /** Opens the gdb server on a device, or closes it for `none`; answers what it did. Absent: there is none. */
  gdbServer?(device: string): Promise<string>;
  /** Text of `info jit`, lines ended by newline; undefined when the CPU only interprets. */
  describeTranslation?(): string | undefined;
  /** Text of `info qtree`, lines ended by newline. */
  describeDevices(): string;
  /** Nanoseconds since 1970, for timestamps. */
  wallNs(): bigint;
  /** Tells the listener of every event until disposed. */
  onEvent(listener: (event: MonitorEvent) => void): Disposable;
}

/** The QEMU version whose contract is kept. */
export const QEMU_VERSION = { major: 11, minor: 1, micro: 0 } as const;
