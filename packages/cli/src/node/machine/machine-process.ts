import { appendFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import {
  type LogSink,
  Machine,
  type MachineEnd,
  type MachineHost,
  type PluginRegistry,
  Scope,
  type ShutdownCause,
  SternaError,
  UserObjects,
} from '@sterna/core';
import {
  hostTscFrequency,
  nodeEntropy,
  nodeEventLoop,
  nodeHostClock,
  nodeHostFiles,
  PassedDescriptors,
  type TscFrequency,
} from '@sterna/core/node';
import { RegionTranslator, x86Cpus } from '@sterna/cpu-x86';
import { prepareInterpreter, startTranslator } from '@sterna/cpu-x86/node';
import { firmwareFinder } from '@sterna/machine-microvm/node';
import {
  DirtyRateMeter,
  defaultParameters,
  MachineMigrationHost,
  MachineSnapshotHost,
  type MigrationAddress,
  MigrationController,
  Pace,
  type ParameterName,
  parseMigrationChannels,
  parseMigrationUri,
  type SnapshotStore,
  Snapshots,
  type WireGeneration,
  wireProperties,
} from '@sterna/migration';
import { DirectorySnapshotStore, NodeMigrationTransport } from '@sterna/migration/node';
import { HmpMonitor, QmpSession } from '@sterna/qmp';
import { type CharDevices, openCharDevices } from './char-devices.ts';
import { Disks } from './disks.ts';
import { GdbServer } from './gdb-server.ts';
import { migrationFacts } from './migration-facts.ts';
import { applyMigrationGlobals, migrationGlobals } from './migration-globals.ts';
import { MigrationTracing } from './migration-tracing.ts';
import { MachineTarget } from './monitor-target.ts';
import { type MachinePlan, planCpu, readBootImages } from './plan.ts';

/** How long closing may take before the process ends anyway, in ms. */
const CLOSE_LIMIT_MS = 2000;

/**
 * One machine and everything around it in this process: character backends, monitors, migration, exit code.
 * `start` it, then await `ended`.
 */
export class MachineProcess {
  readonly machine: Machine;
  readonly target: MachineTarget;
  readonly controller: MigrationController;
  /** Resolves with the exit code when everything is closed. */
  readonly ended: Promise<number>;
  readonly #plan: MachinePlan;
  readonly #chardevs: CharDevices;
  readonly #disks: Disks;
  readonly #monitors: Disposable[] = [];
  readonly #descriptors = new PassedDescriptors();
  readonly #objects: UserObjects;
  readonly #dirtyRate: DirtyRateMeter;
  readonly #gdb: GdbServer;
  readonly #tracing: MigrationTracing;
  readonly #atEnd: (() => void | Promise<void>)[] = [];
  readonly #resolveEnded: (code: number) => void;
  readonly #translator: Disposable | undefined;
  #ending = false;

  private constructor(
    plan: MachinePlan,
    registry: PluginRegistry,
    chardevs: CharDevices,
    disks: Disks,
    scope: Scope,
    objects: UserObjects,
    translator: (RegionTranslator & Disposable) | undefined,
  ) {
    this.#plan = plan;
    this.#objects = objects;
    this.#chardevs = chardevs;
    this.#disks = disks;
    const { promise, resolve } = Promise.withResolvers<number>();
    this.ended = promise;
    this.#resolveEnded = resolve;
    const names = Object.keys(defaultParameters()) as ParameterName[];
    const globals = migrationGlobals(plan.globals, names);
    const tsc = hostTscFrequency();
    const log = logSink(plan);
    this.machine = buildMachine(plan, chardevs, scope, log, tsc);
    disks.follow(this.machine);
    this.#translator = translator;
    this.machine.onEnd = (end) => this.#machineEnded(end);
    const migrationHost = new MachineMigrationHost(this.machine, {
      event: (event) => this.target.emit(event),
      report: (text) => log('warn', 'migration', text),
    });
    this.controller = new MigrationController(migrationHost, {
      transport: new NodeMigrationTransport({
        passed: this.#descriptors,
        objects,
        report: (text) => log('warn', 'migration', text),
      }),
      pace: new Pace(nodeEventLoop, nodeHostClock),
      wire: wireOf(plan),
      wireOverrides: globals.wire,
    });
    applyMigrationGlobals(this.controller, globals);
    this.#tracing = new MigrationTracing(this.controller, nodeHostClock, plan.name, () =>
      migrationFacts(this.machine, wireOf(plan), wireProperties(wireOf(plan), globals.wire)),
    );
    if (plan.migrationTrace !== undefined) this.#tracing.start(plan.migrationTrace);
    this.controller.autostart = plan.autostart;
    this.#dirtyRate = new DirtyRateMeter(migrationHost, {
      pace: migrationHost.pace,
      wallNs: () => nodeHostClock.wallNs(),
      random: Math.random,
    });
    const snapshots = new Snapshots(
      new MachineSnapshotHost(this.machine, migrationHost, () => this.controller.migrating),
      snapshotStores(plan),
      wireProperties(wireOf(plan), globals.wire),
    );
    this.target = new MachineTarget(
      this.machine,
      this.controller,
      {
        snapshots,
        layer: disks.layer,
        chardevs: chardevs.listing,
        descriptors: this.#descriptors,
        objects,
        dirtyRate: this.#dirtyRate,
        registry,
      },
      {
        expectsIncoming: plan.incoming !== undefined,
        quit: (cause) => this.quit(cause),
        gdbServer: (device) => this.#gdb.open(device, 'gdbserver'),
        incomingFailed: () => this.quit('host-error', 1),
        migrating: () => warnAboutTsc(tsc, log),
        tracing: this.#tracing,
      },
    );
    this.#gdb = new GdbServer(this.machine, this.target, chardevs, () => this.quit('host-ui'));
    for (const { mode, backend, pretty } of chardevs.monitors) {
      this.#monitors.push(
        mode === 'control' ? new QmpSession(backend, this.target, { pretty }) : new HmpMonitor(backend, this.target),
      );
    }
  }

  /**
   * Opens backends and builds the machine; the guest does not run yet.
   *
   * @throws SternaError for whatever is refused.
   */
  static async create(plan: MachinePlan, registry: PluginRegistry): Promise<MachineProcess> {
    let running: MachineProcess | undefined;
    let translator: (RegionTranslator & Disposable) | undefined;
    if (x86Cpus.includes(planCpu(plan).cpu)) {
      const { enabled = true, threaded = true } = plan.translation ?? {};
      if (enabled && threaded) translator = startTranslator((text) => logSink(plan)('warn', 'jit', text));
      prepareInterpreter();
    }
    const log = logSink(plan);
    const chardevs = await openCharDevices(plan, () => running?.quit('host-ui'));
    const scope = processScope(registry, translator);
    let disks: Disks | undefined;
    try {
      const objects = new UserObjects((name) => registry.object(name));
      for (const spec of plan.objects) objects.add(spec);
      disks = await Disks.open(plan, scope, registry, {
        event: (event) => running?.target.emit(event),
        report: (text) => log('warn', 'block', text),
      });
      running = new MachineProcess(plan, registry, chardevs, disks, scope, objects, translator);
      if (plan.gdb !== undefined) await running.#gdb.open(plan.gdb, '-gdb');
      return running;
    } catch (error) {
      translator?.[Symbol.dispose]();
      await disks?.layer.close();
      await chardevs.close();
      throw error;
    }
  }

  /** Starts the guest, or waits for one to come in. */
  start(): void {
    const { incoming, autostart, loadvm } = this.#plan;
    if (incoming === undefined && loadvm !== undefined) {
      void this.#startFrom(loadvm);
      return;
    }
    if (incoming === undefined) {
      if (autostart) this.machine.start();
      return;
    }
    this.machine.setRunState('inmigrate');
    if (incoming === 'defer') return;
    // The controller has reported the reason.
    this.controller.migrateIncoming(incomingAddress(incoming)).catch(() => this.quit('host-error', 1));
  }

  /** Begins with a snapshot; without it there is nothing to run. */
  async #startFrom(snapshot: string): Promise<void> {
    try {
      await this.target.snapshots.load(snapshot);
      if (this.#plan.autostart) await this.target.cont();
    } catch (error) {
      process.stderr.write(`sterna: -loadvm ${snapshot}: ${(error as Error).message}\n`);
      this.quit('host-error', 1);
    }
  }

  /** Runs when the process ends, before character backends close. */
  atEnd(action: () => void | Promise<void>): void {
    this.#atEnd.push(action);
  }

  /** Ends the machine from outside: after the answer to whoever asked has been written. */
  quit(cause: ShutdownCause, code = 0): void {
    if (this.#ending) return;
    this.#ending = true;
    this.target.emit({ event: 'SHUTDOWN', data: { guest: cause.startsWith('guest'), reason: cause } });
    setImmediate(() => void this.#close(code));
  }

  #machineEnded({ exitCode, error }: MachineEnd): void {
    if (error !== undefined) {
      const text =
        error instanceof SternaError
          ? error.message
          : error instanceof Error
            ? (error.stack ?? error.message)
            : String(error);
      process.stderr.write(`sterna: the machine failed: ${text}\n`);
    }
    if (this.#ending) return;
    this.#ending = true;
    setImmediate(() => void this.#close(exitCode));
  }

  /** The list that `-accel tcg,jit-hot-spots=FILE` asks for: address, entries and instructions of translated code. */
  #writeHotSpots(): void {
    const { hotSpotFile } = this.#plan;
    if (hotSpotFile === undefined) return;
    const spots = this.machine.cpus[0]?.translator?.hotSpots() ?? [];
    const lines = spots.map((s) => `0x${s.address.toString(16).padStart(16, '0')} ${s.entries} ${s.instructions}\n`);
    try {
      writeFileSync(hotSpotFile, `# address entries instructions\n${lines.join('')}`);
    } catch (error) {
      process.stderr.write(`sterna: cannot write ${hotSpotFile}: ${(error as Error).message}\n`);
    }
  }

  async #close(code: number): Promise<void> {
    const limit = new Promise<void>((resolve) => setTimeout(resolve, CLOSE_LIMIT_MS).unref());
    await Promise.race([this.#closeAll(code), limit]);
    this.#resolveEnded(code);
  }

  async #closeAll(code: number): Promise<void> {
    this.controller.cancel();
    this.#dirtyRate[Symbol.dispose]();
    this.target.jobs.cancelAll();
    this.#writeHotSpots();
    await this.machine.dispose();
    this.#translator?.[Symbol.dispose]();
    await this.#disks.layer.close();
    await this.#gdb.end(code);
    for (const action of this.#atEnd) await action();
    await this.#tracing.stop().catch((error: Error) => process.stderr.write(`sterna: ${error.message}\n`));
    await this.#chardevs.close();
    for (const monitor of this.#monitors) monitor[Symbol.dispose]();
    this.#descriptors[Symbol.dispose]();
    this.#objects[Symbol.dispose]();
  }
}

/** Builds the machine of a plan on this host; it does not run yet. @throws ConfigError when something is refused */
export function buildMachine(
  plan: MachinePlan,
  chardevs: CharDevices,
  scope: Scope,
  log: LogSink,
  tsc: TscFrequency,
): Machine {
  const host: MachineHost = {
    clock: nodeHostClock,
    loop: nodeEventLoop,
    entropy: nodeEntropy,
    files: nodeHostFiles,
    log,
    tscHz: tsc.hz,
    scope,
  };
  return new Machine(
    {
      type: plan.type,
      properties: plan.properties,
      ...planCpu(plan),
      cpuCount: plan.cpuCount,
      ...(plan.topology === undefined ? {} : { topology: plan.topology }),
      ramSize: plan.ramSize,
      boot: readBootImages(plan, firmwareFinder()),
      devices: plan.devices,
      chardevs: chardevs.backends,
      serials: chardevs.serials,
      globals: plan.globals,
      onlyMigratable: plan.onlyMigratable,
      actions: plan.actions,
      ...(plan.name === undefined ? {} : { name: plan.name }),
      ...(plan.uuid === undefined ? {} : { uuid: plan.uuid }),
      ...(plan.rtc === undefined ? {} : { rtc: plan.rtc }),
      ...(plan.icountShift === undefined ? {} : { icountShift: plan.icountShift }),
      ...(plan.translation === undefined ? {} : { translation: plan.translation }),
    },
    host,
  );
}

/** What plugins provide, and the thread that translates: the surroundings of a machine. */
export function processScope(registry: PluginRegistry, translator?: RegionTranslator): Scope {
  const scope = new Scope('process');
  for (const { bind } of registry.plugins) if (bind !== undefined) scope.bindWith(bind);
  if (translator !== undefined) scope.provide(RegionTranslator, translator);
  return scope;
}

function incomingAddress(text: string): MigrationAddress {
  return text.startsWith('{') ? parseMigrationChannels([JSON.parse(text)]) : parseMigrationUri(text);
}

/** The place for snapshots, if there is one: a name for commands, and a directory. */
function snapshotStores({ snapshotStore, directory }: MachinePlan): readonly SnapshotStore[] {
  if (snapshotStore === undefined) return [];
  return [new DirectorySnapshotStore(snapshotStore.name, resolve(directory, snapshotStore.directory))];
}

function wireOf({ properties }: MachinePlan): WireGeneration {
  // The machine has checked it against the same names.
  return (properties['wire'] ?? 'compat') as WireGeneration;
}

function warnAboutTsc({ source }: TscFrequency, log: LogSink): void {
  if (source !== 'default') return;
  log(
    'warn',
    'migration',
    "the host's TSC rate is unknown, the guest's is 1 GHz; a QEMU on another host would run it faster (set -cpu ...,tsc-frequency=)",
  );
}

function logSink({ logGuestErrors, logFile }: MachinePlan): LogSink {
  return (level, source, text) => {
    if (level === 'guest-error' && !logGuestErrors) return;
    const line = `sterna: ${source}: ${level === 'guest-error' ? 'guest error: ' : ''}${text}\n`;
    if (logFile === undefined) process.stderr.write(line);
    else appendFileSync(logFile, line);
  };
}
