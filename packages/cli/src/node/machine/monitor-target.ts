import { type BlockLayer, describeDisks, describeNodes, infoBlock } from '@sterna/block';
import {
  cpuPlace,
  isLive,
  isRunning,
  JobList,
  type Machine,
  MachineDebugger,
  type PluginRegistry,
  RingbufBackend,
  type ShutdownCause,
  SternaError,
  type UserObjects,
  type VCpu,
} from '@sterna/core';
import { type PassedDescriptors, SocketBackend } from '@sterna/core/node';
import {
  type DirtyLimits,
  type DirtyRateMeter,
  type MigrationAddress,
  type MigrationController,
  parseMigrationChannels,
  parseMigrationUri,
  type Snapshots,
  WIRE_GLOBALS,
} from '@sterna/migration';
import {
  cpuTypeName,
  type MachineActions,
  type MigrationDestination,
  type MonitorBlocks,
  type MonitorCatalog,
  type MonitorEvent,
  type MonitorMigration,
  type MonitorQom,
  type MonitorTarget,
} from '@sterna/qmp';
import { catalogOf } from '../../system/command-line-options.ts';
import { VERSION } from '../../version.ts';
import type { ChardevListing } from './char-devices.ts';
import { CoreFiles } from './core-files.ts';
import { describeDevices, describeMemory } from './device-tree.ts';
import type { MigrationTracing } from './migration-tracing.ts';
import { DevicePlugging } from './plugging.ts';
import { cpuPath, qomTree } from './qom-tree.ts';

/** Bytes of guest memory that are written to a file at once. */
const MEMORY_PART = 2 ** 20;

/** What the process does for its monitors. */
export interface TargetHost {
  /** `-incoming` was given. */
  readonly expectsIncoming: boolean;
  /** Ends the process after the answer has been sent. */
  quit(cause: ShutdownCause): void;
  /** Opens or closes the gdb server. */
  gdbServer(device: string): Promise<string>;
  /** An incoming migration failed that was asked to end the process then. */
  incomingFailed(error: unknown): void;
  /** Measures migrations. */
  readonly tracing: MigrationTracing;
  /** Told before a migration starts. */
  migrating(): void;
}

/** What stands beside the machine in its process. */
export interface TargetParts {
  readonly snapshots: Snapshots;
  readonly layer: BlockLayer;
  readonly chardevs: readonly ChardevListing[];
  readonly descriptors: PassedDescriptors;
  readonly objects: UserObjects;
  readonly dirtyRate: DirtyRateMeter;
  readonly registry: PluginRegistry;
}

/** A machine and its migration as monitors see them. */
export class MachineTarget implements MonitorTarget {
  readonly version = VERSION;
  readonly pid = process.pid;
  readonly cpus: MonitorTarget['cpus'];
  readonly migration: MonitorMigration;
  readonly tracing: MigrationTracing;
  readonly blocks: MonitorBlocks;
  readonly jobs = new JobList((id, status) => this.emit({ event: 'JOB_STATUS_CHANGE', data: { status, id } }));
  readonly snapshots: Snapshots;
  readonly descriptors: PassedDescriptors;
  readonly objects: UserObjects;
  readonly dirtyRate: DirtyRateMeter;
  readonly dirtyLimits: DirtyLimits;
  readonly catalog: MonitorCatalog;
  readonly plugging: DevicePlugging;
  readonly dump: CoreFiles;
  readonly qom: MonitorQom;
  readonly #debugger: MachineDebugger;
  readonly #layer: BlockLayer;
  readonly #chardevs: readonly ChardevListing[];
  readonly #machine: Machine;
  readonly #controller: MigrationController;
  readonly #host: TargetHost;
  readonly #listeners = new Set<(event: MonitorEvent) => void>();

  constructor(
    machine: Machine,
    controller: MigrationController,
    { snapshots, layer, chardevs, descriptors, objects, dirtyRate, registry }: TargetParts,
    host: TargetHost,
  ) {
    this.snapshots = snapshots;
    this.#layer = layer;
    this.blocks = blocksOf(layer);
    this.#chardevs = chardevs;
    this.descriptors = descriptors;
    this.objects = objects;
    this.dirtyRate = dirtyRate;
    this.dirtyLimits = controller.dirtyLimits;
    this.#machine = machine;
    this.#controller = controller;
    this.#host = host;
    this.cpus = machine.cpus.map((cpu) => ({
      index: cpu.index,
      target: 'x86_64' as const,
      type: cpuTypeName(machine.setup.cpu.name),
      path: cpuPath(cpu.index),
      place: cpuPlace(cpu.index, machine.topology),
      describe: () => cpu.describe(),
      register: (name) => registerValue(cpu, name),
    }));
    this.migration = this.#migration();
    this.#debugger = new MachineDebugger(machine);
    this.catalog = catalogOf(registry, machine.setup.type);
    this.plugging = new DevicePlugging(machine, registry, (device, path) =>
      this.emit({ event: 'DEVICE_DELETED', data: { device, path } }),
    );
    this.dump = new CoreFiles(machine, descriptors, (event) => this.emit(event));
    this.qom = qomTree({ machine, chardevs, objects, registry, plugged: this.plugging.plugged });
    this.tracing = host.tracing;
    this.#followMachine();
  }

  get name(): string | undefined {
    return this.#machine.setup.name;
  }

  get uuid(): string | undefined {
    return this.#machine.setup.uuid;
  }

  get ramSize(): number {
    return this.#machine.setup.ramSize;
  }

  get runState(): MonitorTarget['runState'] {
    return this.#machine.runState;
  }

  get chardevs(): MonitorTarget['chardevs'] {
    return this.#chardevs.map(({ label, description, backend, seated }) => ({
      label,
      filename: backend.connected ? description : `disconnected:${description}`,
      frontendOpen: seated() || this.#machine.devices.some(({ properties }) => properties['chardev'] === label),
      ring: backend instanceof RingbufBackend ? backend : undefined,
    }));
  }

  yankable(): ReturnType<MonitorTarget['yankable']> {
    const controller = this.#controller;
    return [
      ...(controller.migrating ? [{ instance: { type: 'migration' as const }, yank: () => controller.yank() }] : []),
      ...this.#chardevs.flatMap(({ label, backend }) =>
        backend instanceof SocketBackend
          ? [{ instance: { type: 'chardev' as const, id: label }, yank: () => backend.yank() }]
          : [],
      ),
    ];
  }

  /** Resolves when disks have finished what the guest asked for, and have put it on stable storage. */
  async stop(): Promise<void> {
    const { runState } = this.#machine;
    if (runState === 'inmigrate') this.#controller.autostart = false;
    else if (this.#stoppedForSnapshot) this.snapshots.goOn(false);
    else if (isLive(runState)) {
      this.#machine.stop('paused');
      await this.#layer.settle();
      await this.#layer.flushAll();
    }
  }

  /** Disks that were given up become ours again, or the guest does not run. */
  async cont(): Promise<void> {
    const { runState } = this.#machine;
    if (this.#stoppedForSnapshot) this.snapshots.goOn(true);
    else if (runState === 'restore-vm')
      throw new SternaError(
        'STERNA_ERR_RUN_STATE',
        'a snapshot was loaded only in part; reset the machine or load another one',
      );
    else if (runState === 'shutdown' || runState === 'internal-error' || runState === 'guest-panicked') {
      throw new SternaError('STERNA_ERR_RUN_STATE', `the machine is in state ${runState} and must be reset first`);
    } else {
      this.#checkNoSnapshot();
      await this.#controller.cont();
    }
  }

  quit(): void {
    this.#host.quit('host-qmp-quit');
  }

  reset(): void {
    this.#checkNoSnapshot();
    this.#machine.requestReset('host-qmp-system-reset');
    const { runState } = this.#machine;
    // A machine that stood still does so after the reset too, ready to start.
    if (!isRunning(runState) && runState !== 'inmigrate' && runState !== 'finish-migrate')
      this.#machine.setRunState('prelaunch');
  }

  /** The guest ran when its snapshot began, and stands still for it now. */
  get #stoppedForSnapshot(): boolean {
    const { runState } = this.#machine;
    return runState === 'save-vm' || (runState === 'restore-vm' && this.snapshots.busy === 'loaded');
  }

  /** Keeps hands off a machine whose state is being written or read. */
  #checkNoSnapshot(): void {
    const { busy } = this.snapshots;
    if (busy === 'saved' || busy === 'loaded')
      throw new SternaError('STERNA_ERR_RUN_STATE', `a snapshot is being ${busy}; wait for its end`);
  }

  describeMemory(): string {
    return describeMemory(this.#machine);
  }

  readMemory(address: bigint, size: number, cpu: number | undefined): Uint8Array | undefined {
    const bytes = new Uint8Array(size);
    if (cpu !== undefined)
      return this.#debugger.readMemory(this.#machine.cpus[cpu]!, address, bytes) === size ? bytes : undefined;
    if (address + BigInt(size) > BigInt(Number.MAX_SAFE_INTEGER)) return undefined;
    this.#machine.bus.read(Number(address), bytes);
    return bytes;
  }

  injectNmi(): void {
    this.#machine.injectNmi();
  }

  /** There is no watchdog, and nothing by which a guest could tell of a panic: those two never happen. */
  setActions({ reboot, shutdown }: MachineActions): void {
    const { actions } = this.#machine;
    this.#machine.actions = { reboot: reboot ?? actions.reboot, shutdown: shutdown ?? actions.shutdown };
  }

  saveMemory(address: number, size: number, path: string, cpu?: number): void {
    if (cpu === undefined) this.#savePhysicalMemory(address, size, path);
    else this.#saveVirtualMemory(address, size, path, cpu);
  }

  #savePhysicalMemory(address: number, size: number, path: string): void {
    const { bus, host } = this.#machine;
    const part = new Uint8Array(Math.min(size, MEMORY_PART));
    host.files.write(path, part.subarray(0, 0));
    for (let done = 0; done < size; done += part.length) {
      const bytes = part.subarray(0, Math.min(part.length, size - done));
      bus.read(address + done, bytes);
      host.files.append(path, bytes);
    }
  }

  /** Nothing is written when a part of it is not mapped. */
  #saveVirtualMemory(address: number, size: number, path: string, index: number): void {
    const bytes = new Uint8Array(size);
    const cpu = this.#machine.cpus[index]!;
    if (this.#debugger.readMemory(cpu, BigInt(address), bytes) < size)
      throw new SternaError(
        'STERNA_ERR_OPTION_VALUE',
        `Invalid addr 0x${address.toString(16).padStart(16, '0')}/size ${size} specified`,
      );
    this.#machine.host.files.write(path, bytes);
  }

  get canWakeUp(): boolean {
    return this.#machine.canWakeUp;
  }

  wakeUp(): void {
    this.#machine.wakeUp('other');
  }

  powerDown(): void {
    this.emit({ event: 'POWERDOWN' });
    this.#machine.powerDown();
  }

  gdbServer(device: string): Promise<string> {
    return this.#host.gdbServer(device);
  }

  describeTranslation(): string | undefined {
    return this.#machine.cpus[0]?.translator?.describe();
  }

  describeDevices(): string {
    return describeDevices(this.#machine);
  }

  wallNs(): bigint {
    return this.#machine.host.clock.wallNs();
  }

  onEvent(listener: (event: MonitorEvent) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  /** Sends an event to every monitor. */
  emit(event: MonitorEvent): void {
    for (const listener of this.#listeners) listener(event);
  }

  #followMachine(): void {
    const { hooks } = this.#machine;
    const byGuest = (cause: ShutdownCause) => cause.startsWith('guest');
    hooks.runState.tap('monitor', (state, previous) => {
      if (isLive(state) && isLive(previous)) this.emit({ event: state === 'suspended' ? 'SUSPEND' : 'WAKEUP' });
      else if (isLive(state)) this.emit({ event: 'RESUME' });
      // When the end of the machine ends the process, SHUTDOWN has said so already.
      else if (isLive(previous) && (state !== 'shutdown' || this.#machine.actions.shutdown === 'pause'))
        this.emit({ event: 'STOP' });
    });
    hooks.reset.tap('monitor', (cause) => {
      // Part of a load, which is told by STOP and RESUME.
      if (cause === 'snapshot-load') return;
      this.emit({ event: 'RESET', data: { guest: byGuest(cause), reason: cause } });
    });
    hooks.shutdown.tap('monitor', (cause) =>
      this.emit({ event: 'SHUTDOWN', data: { guest: byGuest(cause), reason: cause } }),
    );
  }

  #migration(): MonitorMigration {
    const controller = this.#controller;
    return {
      migrate: (destination) => this.#migrate(destination),
      incoming: (destination, exitOnError) => this.#incoming(destination, exitOnError ?? false),
      cancel: () => controller.cancel(),
      resumeSwitchover: (state) => controller.continue(state),
      setCapabilities: (changes) => controller.setCapabilities(changes),
      capabilities: () => controller.capabilities.list(),
      setParameters: (changes) => controller.setParameters(changes),
      parameters: () => controller.parameters,
      info: () => controller.query(),
      globals: () => ({
        'only-migratable': this.#machine.setup.onlyMigratable === true,
        ...Object.fromEntries(
          Object.entries(WIRE_GLOBALS).map(([name, property]) => [name, controller.wire[property]]),
        ),
      }),
    };
  }

  /** Starts; the rest is seen in `query-migrate` and events. */
  #migrate(destination: MigrationDestination): void {
    const address = addressOf(destination);
    this.#controller.checkMigrate(address);
    this.#host.migrating();
    // The controller keeps the reason for query-migrate.
    this.#controller.migrate(address).catch(() => {});
  }

  /** Resolves when the source may connect. */
  #incoming(destination: MigrationDestination, exitOnError: boolean): Promise<void> {
    if (!this.#host.expectsIncoming) {
      throw new SternaError('STERNA_ERR_MIGRATION_STATE', "'-incoming' was not given on the command line");
    }
    const address = addressOf(destination);
    return new Promise((resolve, reject) => {
      let listening = false;
      const started = () => {
        listening = true;
        resolve();
      };
      this.#controller.migrateIncoming(address, started).catch((error: unknown) => {
        if (!listening) reject(error as Error);
        if (exitOnError) this.#host.incomingFailed(error);
      });
    });
  }
}

/** A register by its name, or the name of a segment register. */
function registerValue(cpu: VCpu, name: string): bigint | undefined {
  const registers = cpu.registers();
  const plain = { pc: 'rip', eflags: 'rflags' }[name] ?? name;
  return (
    registers.find((register) => register.name === plain) ??
    registers.find((register) => register.name === `${plain}.selector`)
  )?.read();
}

/** The disks as monitors command them. */
function blocksOf(layer: BlockLayer): MonitorBlocks {
  return {
    add: (spec) => layer.add(spec),
    delete: (nodeName) => layer.delete(nodeName),
    setActive: (nodeName, active) => layer.setActive(nodeName, active),
    resize: (names, size) => layer.resize(layer.resolve(names), size),
    disks: () => describeDisks(layer),
    nodes: () => describeNodes(layer),
    describe: (options) => infoBlock(layer, options),
  };
}

/** The address of a command. @throws SternaError when it is none we can use; before anything has been started. */
function addressOf({ uri, channels }: MigrationDestination): MigrationAddress {
  return uri === undefined ? parseMigrationChannels(channels ?? []) : parseMigrationUri(uri);
}
