import type { CharBackend } from '../chardev/char-backend.ts';
import { Scope } from '../container/container.ts';
import type { CpuType, VCpu } from '../cpu/define-cpu.ts';
import { Instrumentation, instrumentationOf } from '../cpu/instrumentation.ts';
import type { CpuTopology } from '../cpu/topology.ts';
import type { TranslationOptions } from '../cpu/translation.ts';
import type { DeviceSpec } from '../device/define-device.ts';
import { DeviceInstance } from '../device/device-instance.ts';
import { resolveProperties } from '../device/properties.ts';
import { ConfigError, SternaError } from '../errors.ts';
import { MachineHooks } from '../hooks/hooks.ts';
import { type IrqLine, UNCONNECTED_IRQ } from '../irq/irq.ts';
import { AddressSpace } from '../memory/address-space.ts';
import { BusDma } from '../memory/bus-dma.ts';
import { SystemBus } from '../memory/buses.ts';
import { Dma } from '../memory/dma.ts';
import { MachineMemory } from '../memory/machine-memory.ts';
import type { HostClock } from '../time/clock.ts';
import { ClockState } from '../time/clock-vmstate.ts';
import { MachineClock } from '../time/machine-clock.ts';
import { MachineRtcClock } from '../time/rtc-clock.ts';
import { isVmStateTable } from '../vmstate/index.ts';
import { BlockerList } from './blockers.ts';
import type { BootImages, DeviceWiring, MachineBuilder, MachineType, SectionName } from './define-machine-type.ts';
import type { EventLoop } from './event-loop.ts';
import { DeviceLogger, type LogSink } from './log.ts';
import { BlockActivation } from './migration-services.ts';
import { NotifierList } from './notifiers.ts';
import { RunLoop } from './run-loop.ts';
import { isLive, type RunState, type ShutdownCause, type WakeupReason } from './run-state.ts';
import { checkSections, type SavableSection, savableSections, sectionKey } from './sections.ts';
import { Entropy, HostFiles, Logger, MachineControl, NmiInput, PowerButton } from './services.ts';

/** Room beside main RAM for firmware, ACPI and device blocks. */
const EXTRA_RAM = 32 * 2 ** 20;

/** Everything of the host that a machine uses. */
export interface MachineHost {
  readonly clock: HostClock;
  readonly loop: EventLoop;
  readonly entropy: Entropy;
  readonly files: HostFiles;
  readonly log: LogSink;
  /** Rate of the host's timestamp counter, which guests get unless `-cpu ...,tsc-frequency=` says otherwise. */
  readonly tscHz: number;
  /** Parent of the machine's scope. */
  readonly scope?: Scope;
}

/** A machine with everything chosen and every file read. */
export interface MachineSetup {
  readonly name?: string;
  readonly uuid?: string;
  readonly type: MachineType;
  /** Values or their text forms. */
  readonly properties: Readonly<Record<string, unknown>>;
  readonly cpu: CpuType;
  readonly cpuProperties: Readonly<Record<string, unknown>>;
  readonly cpuCount: number;
  /** By default one socket with a core for each vCPU. */
  readonly topology?: CpuTopology;
  readonly ramSize: number;
  /** How guest code is translated; `-accel`. */
  readonly translation?: TranslationOptions;
  readonly boot: BootImages;
  readonly devices: readonly DeviceSpec[];
  readonly chardevs: ReadonlyMap<string, CharBackend>;
  /** Chardev ids of the serial ports. */
  readonly serials: readonly (string | undefined)[];
  readonly globals?: Readonly<Record<string, string>>;
  /** Refuses devices and blockers that forbid migration. */
  readonly onlyMigratable?: boolean;
  readonly rtc?: { readonly source: 'host' | 'vm'; readonly baseNs?: bigint };
  readonly icountShift?: number;
  /** What a guest's reset and power-off do: `-no-reboot`, `-no-shutdown`. */
  readonly actions?: MachineActions;
}

/** What follows a reset and a power-off by the guest. */
export interface MachineActions {
  readonly reboot?: 'reset' | 'shutdown' | undefined;
  readonly shutdown?: 'poweroff' | 'pause' | undefined;
}

/** The machine ended; the host process decides what that means. */
export interface MachineEnd {
  readonly cause: ShutdownCause;
  /** Code that `isa-debug-exit` or an error asked for. */
  readonly exitCode: number;
  readonly error?: unknown;
}

/**
 * A virtual machine: vCPUs, memory and devices as a machine type has composed them, with a run state.
 *
 * Life: the constructor builds, wires and realizes everything; `start` and `stop` move between running and the
 * paused states; `reset` may come at any time; `close` unrealizes the devices in reverse order.
 */
export class Machine {
  readonly setup: MachineSetup;
  readonly host: MachineHost;
  readonly scope: Scope;
  readonly hooks: MachineHooks = new MachineHooks();
  readonly memory: MachineMemory;
  readonly physical: AddressSpace = new AddressSpace('memory');
  readonly ports: AddressSpace = new AddressSpace('I/O');
  readonly bus: SystemBus;
  readonly clock: MachineClock;
  readonly blockers: BlockerList;
  readonly notifiers: NotifierList = new NotifierList();
  readonly devices: DeviceInstance[] = [];
  readonly cpus: VCpu[] = [];
  readonly topology: CpuTopology;
  readonly loop: RunLoop;
  /** The vCPU that stopped last in run state `debug`. */
  debugCpu: VCpu | undefined;
  /**
   * The stopped guest was asleep (ACPI S3) when it was stopped: `start` lets it sleep on. Travels with a migration
   * or snapshot (QEMU's vm_was_suspended).
   */
  wasSuspended = false;
  /** What follows a reset and a power-off; QMP `set-action` changes it. */
  actions: MachineActions;
  /** Told once, when the guest powered off (and that ends the machine), exited or failed. */
  onEnd: (end: MachineEnd) => void = () => {};
  #runState: RunState = 'prelaunch';
  #irqRouter: (irq: number) => IrqLine = () => UNCONNECTED_IRQ;
  readonly #resetCallbacks: (() => void)[] = [];
  #sectionOrder: (sections: readonly SectionName[]) => readonly SectionName[] = (sections) => sections;
  #pendingReset: ShutdownCause | undefined;
  #pendingShutdown: ShutdownCause | undefined;
  #pendingExit: number | undefined;
  #pendingSuspend = false;
  #wake: ((reason: WakeupReason) => void) | undefined;
  readonly #autoIds = new Map<string, number>();
  readonly #clockState: ClockState;
  readonly #rtc: MachineRtcClock;
  #ended = false;

  /**
   * Builds a machine.
   *
   * @throws ConfigError when a property, device or image is refused.
   */
  constructor(setup: MachineSetup, host: MachineHost) {
    this.setup = setup;
    this.host = host;
    this.actions = setup.actions ?? {};
    if (setup.cpuCount < 1 || setup.cpuCount > setup.type.maxCpus) {
      throw new ConfigError(
        'STERNA_ERR_PROPERTY_VALUE',
        `${setup.type.name} takes 1 to ${setup.type.maxCpus} vCPUs, not ${setup.cpuCount}`,
        { path: '-smp' },
      );
    }
    this.blockers = new BlockerList(setup.onlyMigratable);
    this.scope = new Scope(`machine ${setup.name ?? setup.type.name}`, host.scope);
    this.topology = checkedTopology(setup);
    const cpuMemory = (setup.cpuCount - 1) * roundUp(setup.cpu.memoryPerCpu ?? 0);
    this.memory = new MachineMemory(setup.ramSize + EXTRA_RAM + cpuMemory);
    this.bus = new SystemBus(this.memory, this.physical, this.ports);
    const cpuProperties = resolveProperties(setup.cpu.properties, setup.cpuProperties, `-cpu ${setup.cpu.name}`, {
      text: true,
    });
    this.clock = new MachineClock(this.memory, host.clock, {
      tscHz: tscFrequency(cpuProperties, setup, host),
      ...(setup.icountShift === undefined ? {} : { icountShift: setup.icountShift }),
    });
    this.#clockState = new ClockState(this.clock);
    this.#rtc = new MachineRtcClock(this.clock, host.clock, setup.rtc ?? { source: 'host' });
    this.loop = new RunLoop(this.cpus, this.clock, host.clock, host.loop, {
      afterSlice: () => this.#afterSlice(),
      cpuShutdown: () => this.requestReset('guest-reset'),
      debugStop: (cpu) => {
        this.debugCpu = cpu;
        this.setRunState('debug');
      },
      failed: (error) => this.#failed(error),
    });
    this.#provideServices();
    setup.type.build(
      this.#builder(cpuProperties),
      resolveProperties(setup.type.properties, setup.properties, `-machine ${setup.type.name}`, { text: true }),
    );
    this.#mapChanged();
    this.physical.onChange(() => this.#mapChanged());
    for (const device of this.devices) {
      device.realize();
      this.hooks.realized.call(device.id);
    }
    checkSections(savableSections(this.#clockState, this.cpus, this.devices));
    this.#resetAll('none');
    this.hooks.ready.call();
  }

  /** The machine will not run again. */
  get ended(): boolean {
    return this.#ended;
  }

  /** QEMU's run state; `start`, `stop`, reset and migration change it. */
  get runState(): RunState {
    return this.#runState;
  }

  #provideServices(): void {
    const { scope, host } = this;
    scope.provide(Dma, new BusDma(this.bus));
    scope.provide(MachineControl, {
      requestReset: (cause) => this.requestReset(cause),
      requestShutdown: (cause) => this.requestShutdown(cause),
      requestSuspend: () => {
        this.#pendingSuspend = true;
        this.#interruptSlice();
      },
      requestWakeup: (reason) => {
        if (this.#runState === 'suspended') this.wakeUp(reason);
      },
      supportWakeup: (wake) => {
        this.#wake = wake;
      },
      requestExit: (code) => {
        this.#pendingExit = code;
        this.#interruptSlice();
      },
    });
    scope.provide(
      Instrumentation,
      instrumentationOf(() => this.cpus),
    );
    scope.provide(Entropy, host.entropy);
    scope.provide(HostFiles, host.files);
  }

  #builder(cpuProperties: Readonly<Record<string, unknown>>): MachineBuilder {
    const machine = this;
    const { setup } = this;
    return {
      scope: this.scope,
      memory: this.memory,
      physical: this.physical,
      ports: this.ports,
      ramSize: setup.ramSize,
      cpuCount: setup.cpuCount,
      topology: this.topology,
      boot: setup.boot,
      userDevices: setup.devices,
      serials: setup.serials,
      ram: (name, size, options) => this.memory.allocate(name, size, options),
      createCpus(provide) {
        for (let index = 0; index < setup.cpuCount; index++) {
          const scope = new Scope(`cpu ${index}`, machine.scope);
          machine.scope.onDispose(() => scope.dispose());
          scope.provide(Logger, new DeviceLogger(`cpu ${index}`, machine.host.log));
          provide?.(scope, index);
          machine.cpus.push(
            setup.cpu.create(cpuProperties, {
              index,
              count: setup.cpuCount,
              topology: machine.topology,
              memory: machine.memory,
              bus: machine.bus,
              clock: machine.clock,
              hostClock: machine.host.clock,
              ...(setup.translation === undefined ? {} : { translation: setup.translation }),
              scope,
            }),
          );
        }
        machine.memory.codeInvalidator = (address, length) => {
          for (const cpu of machine.cpus) cpu.invalidateCode(address, length);
        };
        return machine.cpus;
      },
      device: (spec, wiring) => this.#addDevice(spec, wiring ?? {}),
      setIrqRouter: (route) => {
        this.#irqRouter = route;
      },
      onReset: (callback) => void this.#resetCallbacks.push(callback),
      setSectionOrder: (order) => {
        this.#sectionOrder = order;
      },
      wake: (cpu) => this.loop.wake(cpu),
      currentCpu: () => this.loop.current?.index ?? -1,
      kernelCmdline: (text) => this.hooks.kernelCmdline.call(text),
    };
  }

  #addDevice(spec: DeviceSpec, wiring: DeviceWiring): DeviceInstance {
    const id = spec.id ?? this.#automaticId(spec.type.descriptor.name);
    if (this.devices.some((device) => device.id === id))
      throw new ConfigError('STERNA_ERR_DUPLICATE_ID', `two devices have the id '${id}'`, {
        path: `-device ${spec.type.descriptor.name}`,
      });
    const device = new DeviceInstance(
      id,
      spec,
      {
        scope: this.scope,
        hooks: this.hooks,
        clock: this.clock,
        rtc: this.#rtc,
        physical: this.physical,
        ports: this.ports,
        blockers: this.blockers,
        notifiers: this.notifiers,
        chardevs: this.setup.chardevs,
        log: this.host.log,
        globals: this.setup.globals ?? {},
        irqRouter: (irq) => this.#irqRouter(irq),
      },
      wiring,
    );
    this.devices.push(device);
    const { vmstate } = spec.type.descriptor;
    if (typeof vmstate === 'object' && !isVmStateTable(vmstate)) {
      if (this.blockers.onlyMigratable)
        throw new ConfigError(
          'STERNA_ERR_MIGRATION_BLOCKER',
          `the device is not migratable (${vmstate.reason}), but -only-migratable was given`,
          { path: `${spec.type.descriptor.name} '${id}'` },
        );
      const blocker = this.blockers.add(`non-migratable device: ${id} (${vmstate.reason})`);
      device.scope.onDispose(() => blocker[Symbol.dispose]());
    }
    return device;
  }

  /**
   * Takes a device out of the machine, which may run: its regions, timers and section are gone and its lines are low.
   *
   * @throws ConfigError `STERNA_ERR_DEVICE_UNKNOWN` when there is none with this id
   */
  unplug(id: string): void {
    const index = this.devices.findIndex((device) => device.id === id);
    const device = this.devices[index];
    if (device === undefined)
      throw new ConfigError('STERNA_ERR_DEVICE_UNKNOWN', `this machine has no device with the id '${id}'`);
    device.unrealize();
    device.releaseLines();
    this.devices.splice(index, 1);
  }

  /**
   * Plugs a device in while the machine exists.
   *
   * @throws ConfigError when the device cannot be plugged, or refuses; the machine is as before then
   */
  plug(spec: DeviceSpec): DeviceInstance {
    const { name, hotpluggable } = spec.type.descriptor;
    if (hotpluggable !== true)
      throw new ConfigError('STERNA_ERR_UNSUPPORTED', `device ${name} does not support hotplugging`);
    const device = this.#addDevice(spec, {});
    try {
      device.realize();
      checkSections(savableSections(this.#clockState, this.cpus, this.devices));
    } catch (error) {
      this.unplug(device.id);
      throw error;
    }
    for (const phase of ['enter', 'hold', 'exit'] as const) device.reset(phase);
    this.hooks.realized.call(device.id);
    return device;
  }

  /** Gives every vCPU a non-maskable interrupt. @throws SternaError when nothing here can */
  injectNmi(): void {
    const inputs = this.scope.getAll(NmiInput);
    if (inputs.length === 0) throw new SternaError('STERNA_ERR_UNSUPPORTED', 'this machine has no way for an NMI');
    for (const input of inputs) input.nmi();
    this.loop.wake();
  }

  #automaticId(name: string): string {
    const count = this.#autoIds.get(name) ?? 0;
    this.#autoIds.set(name, count + 1);
    return `${name}${count}`;
  }

  #mapChanged(): void {
    this.bus.writePageMap();
    for (const cpu of this.cpus) cpu.flushTlb();
  }

  /** Changes the run state; vCPUs run exactly in `running`, guest time in `suspended` too. */
  setRunState(state: RunState): void {
    const previous = this.#runState;
    if (state === previous) return;
    this.#runState = state;
    this.loop.asleep = state === 'suspended';
    if (!isLive(state)) this.loop.stop();
    else if (!isLive(previous)) this.loop.start();
    else this.loop.wake();
    this.hooks.runState.call(state, previous);
  }

  /**
   * Starts or continues the guest; one that was asleep when it was stopped sleeps on.
   *
   * @throws SternaError `STERNA_ERR_RUN_STATE` when the machine has ended, or its disks may be somebody else's.
   */
  start(): void {
    if (this.#ended) throw new SternaError('STERNA_ERR_RUN_STATE', 'the machine has ended');
    if (this.scope.find(BlockActivation)?.active === false)
      throw new SternaError(
        'STERNA_ERR_RUN_STATE',
        "the guest cannot run: the machine's disks are inactive, since another process may use them; activate them first",
      );
    if (isLive(this.#runState)) return;
    const state = this.wasSuspended ? 'suspended' : 'running';
    this.wasSuspended = false;
    this.setRunState(state);
  }

  /** Stops the guest; `state` says why. */
  stop(state: RunState = 'paused'): void {
    if (isLive(this.#runState)) this.wasSuspended = this.#runState === 'suspended';
    this.setRunState(state);
  }

  /** Whether the platform can wake a guest that sleeps. */
  get canWakeUp(): boolean {
    return this.#wake !== undefined;
  }

  /**
   * Wakes a guest that sleeps.
   *
   * @throws SternaError `STERNA_ERR_RUN_STATE` when it does not sleep, or the platform cannot wake it
   */
  wakeUp(reason: WakeupReason): void {
    if (this.#wake === undefined)
      throw new SternaError('STERNA_ERR_RUN_STATE', 'wake-up from suspend is not supported by this guest');
    if (this.#runState !== 'suspended')
      throw new SternaError('STERNA_ERR_RUN_STATE', 'Unable to wake up: guest is not in suspended state');
    this.#wake(reason);
    this.setRunState('running');
  }

  /** Presses the power button: tells whoever forwards it to the guest. */
  powerDown(): void {
    for (const button of this.scope.getAll(PowerButton)) button.pressed();
    this.loop.wake();
  }

  /** Resets the machine between instructions, or at once when it is stopped. */
  requestReset(cause: ShutdownCause): void {
    this.#pendingReset ??= cause;
    this.#interruptSlice();
  }

  /** Powers the machine off between instructions. */
  requestShutdown(cause: ShutdownCause): void {
    this.#pendingShutdown ??= cause;
    this.#interruptSlice();
  }

  #interruptSlice(): void {
    if (this.#runState === 'running') {
      for (const cpu of this.cpus) cpu.requestExit();
      this.host.loop.soon(() => {
        // A halted guest has no slice that would notice the request.
        if (this.#hasRequests()) this.#afterSlice();
      });
    } else this.#afterSlice();
  }

  #hasRequests(): boolean {
    return (
      this.#pendingSuspend ||
      this.#pendingExit !== undefined ||
      this.#pendingShutdown !== undefined ||
      this.#pendingReset !== undefined
    );
  }

  /** Between slices: handles what was requested meanwhile. Answers whether vCPUs may run on. */
  #afterSlice(): boolean {
    if (!this.#hasRequests()) return this.#runState === 'running';
    const { reboot = 'reset', shutdown = 'poweroff' } = this.actions;
    if (this.#pendingReset !== undefined && reboot === 'shutdown' && this.#pendingReset.startsWith('guest')) {
      this.#pendingShutdown ??= this.#pendingReset;
      this.#pendingReset = undefined;
    }
    const [exit, off, reset] = [this.#pendingExit, this.#pendingShutdown, this.#pendingReset];
    this.#pendingExit = this.#pendingShutdown = this.#pendingReset = undefined;
    const suspend = this.#pendingSuspend;
    this.#pendingSuspend = false;
    if (suspend && this.#runState === 'running') this.setRunState('suspended');
    if (exit !== undefined) this.#end({ cause: 'guest-shutdown', exitCode: exit });
    else if (off !== undefined) {
      this.hooks.shutdown.call(off);
      if (shutdown === 'pause') this.setRunState('shutdown');
      else this.#end({ cause: off, exitCode: 0 });
    } else if (reset !== undefined) this.#resetAll(reset);
    return this.#runState === 'running';
  }

  #end(end: MachineEnd): void {
    if (this.#ended) return;
    this.#ended = true;
    this.setRunState('shutdown');
    this.onEnd(end);
  }

  #failed(error: unknown): void {
    this.setRunState('internal-error');
    this.onEnd({ cause: 'host-error', exitCode: 1, error });
  }

  /** Three-phase reset: no device sees another's old state in `hold`, nor a line that is still moving in `exit`. */
  #resetAll(cause: ShutdownCause): void {
    for (const cpu of this.cpus) cpu.reset();
    for (const phase of ['enter', 'hold', 'exit'] as const) for (const device of this.devices) device.reset(phase);
    for (const callback of this.#resetCallbacks) callback();
    this.wasSuspended = false;
    if (cause !== 'none') this.hooks.reset.call(cause);
    this.loop.wake();
  }

  /** The sections of the migration stream, in the order of the machine's wire generation. */
  sections(): readonly SavableSection[] {
    const all = savableSections(this.#clockState, this.cpus, this.devices);
    const byName = new Map(all.map((section) => [sectionKey(section), section]));
    return this.#sectionOrder(all).map((name) => byName.get(sectionKey(name))!);
  }

  /** Ends the machine and gives back what it holds of the host, except its character backends. */
  async dispose(): Promise<void> {
    this.#ended = true;
    if (isLive(this.#runState)) this.setRunState('shutdown');
    await this.hooks.close.promise();
    for (const device of [...this.devices].reverse()) device.unrealize();
    this.scope.dispose();
  }
}

function checkedTopology({ topology, cpuCount }: MachineSetup): CpuTopology {
  const { sockets, cores, threads } = topology ?? { sockets: 1, cores: cpuCount, threads: 1 };
  if (sockets * cores * threads !== cpuCount) {
    throw new ConfigError(
      'STERNA_ERR_PROPERTY_VALUE',
      `${sockets} sockets of ${cores} cores of ${threads} threads are not ${cpuCount} vCPUs`,
      { path: '-smp' },
    );
  }
  return { sockets, cores, threads };
}

/** As memory rounds reservations. */
function roundUp(bytes: number): number {
  return Math.ceil(bytes / 65536) * 65536;
}

function tscFrequency(
  cpuProperties: Readonly<Record<string, unknown>>,
  setup: MachineSetup,
  host: MachineHost,
): number {
  const chosen = cpuProperties['tsc-frequency'];
  if (typeof chosen === 'number' && chosen > 0) return chosen;
  return setup.icountShift === undefined ? host.tscHz : 1e9;
}
