/** A simulated process: a machine with its migration controller, and the operator who types commands at it. */
import { isLive, type RunState, SternaError } from '@sterna/core';
import type { MigrationTransport } from '@sterna/migration';
import { defaultParameters, MigrationController } from '@sterna/migration';
import { type DeviceFactory, type DeviceSet, type HookGate, joined, makeDevices } from './devices.ts';
import type { Dice } from './dice.ts';
import type { SimHost } from './host.ts';
import type { Lane, SimLoop } from './loop.ts';
import type { SimNetwork } from './network.ts';
import type { Breakage, Schedule, Side } from './schedule.ts';

/** What became of a command that takes long. */
export interface Attempt {
  outcome: 'open' | 'done' | 'failed';
  error: Error | undefined;
}

const UUID = Uint8Array.from({ length: 16 }, (_, i) => i);

/** One machine in a simulation. */
export class SimMachine {
  readonly name: string;
  readonly side: Side;
  readonly host: SimHost;
  /** What the migration has to wait for; the machine's own work waits elsewhere. */
  readonly lane: Lane;
  readonly #hardware: Lane;
  readonly controller: MigrationController;
  readonly devices: DeviceSet;
  dead = false;
  readonly outgoing: Attempt[] = [];
  readonly incoming: Attempt[] = [];
  /** Run state that the machine has if no migration changes it. */
  wanted: RunState;
  /** Signals that were handed out, to look for listeners left behind. */
  readonly signals: AbortSignal[] = [];
  readonly #loop: SimLoop;
  readonly #schedule: Schedule;
  readonly #random: Dice;
  readonly #calls = { hook: 0, inactivate: 0, activate: 0, notify: 0 };
  /** Since when a device is asked to leave the guest. */
  #unplugSince: number | undefined;
  #breakages: readonly Breakage[];
  #repaired = false;

  constructor(
    name: string,
    side: Side,
    host: SimHost,
    loop: SimLoop,
    network: SimNetwork,
    schedule: Schedule,
    random: Dice,
    further?: DeviceFactory,
  ) {
    this.name = name;
    this.side = side;
    this.host = host;
    this.lane = loop.lane(name);
    this.#hardware = loop.lane(`${name}: hardware`);
    this.#loop = loop;
    this.#schedule = schedule;
    this.#random = random;
    this.#breakages = schedule.breakages.filter((breakage) => breakage.side === side);
    const gate: HookGate = (hook, mayWait) => this.#gate(hook, mayWait);
    const own = makeDevices(schedule.devices, gate, () => this.#unplugPending);
    this.devices = further === undefined ? own : joined([own, further({ side, gate })]);
    this.wanted = side === 'source' ? schedule.guest.state : 'inmigrate';
    const disks = Array.from({ length: schedule.disks }, (_, i) => `disk${i}`);
    host.renew(side === 'source' ? schedule.guest.state : 'inmigrate', this.devices.sections, disks, side === 'source');
    host.uuid = UUID;
    host.faults = {
      started: () => {
        for (const device of this.devices.devices) device.runs?.(true);
      },
      drain: () => {
        for (const device of this.devices.devices) device.runs?.(false);
        return this.#take('drain');
      },
      inactivate: (disk) => this.#disk('inactivate', disk.name),
      activate: (disk) => this.#disk('activate', disk.name),
      notify: (type) => this.#notified(type),
      reset: () => {
        for (const device of this.devices.devices) device.reset();
      },
    };
    this.controller = new MigrationController(host, {
      transport: this.#watched(network.transport(this.lane)),
      pace: this.lane.pace,
      wire: schedule.wire,
    });
    this.controller.setParameters(schedule.parameters);
    this.controller.autostart = side === 'source' || schedule.autostart;
    const wished = schedule.capabilities[side];
    this.controller.setCapabilities(['events', ...wished].map((capability) => ({ capability, state: true })));
  }

  /** Whether the guest runs or sleeps here. */
  get live(): boolean {
    return !this.dead && isLive(this.host.runState);
  }
  /** Whether the guest has come in. */
  get landed(): boolean {
    return !this.dead && this.host.runState !== 'inmigrate';
  }
  /** The status announced last. */
  get status(): string | undefined {
    return this.host.status;
  }

  /** Starts a migration away. */
  migrate(uri: string): void {
    this.#begin(this.outgoing, () => this.controller.migrate(uri));
  }
  /** Starts to wait for one. */
  receive(uri: string): void {
    this.#begin(this.incoming, () => this.controller.migrateIncoming(uri));
  }
  /** QMP's stop. */
  stop(): void {
    if (isLive(this.host.runState)) this.wanted = 'paused';
    void this.controller.stop();
  }
  /** QMP's cont, typed by somebody who knows what postmigrate means. */
  async cont(): Promise<void> {
    const { host } = this;
    if (host.runState !== 'inmigrate' && host.runState !== 'paused') return;
    const waits = host.runState === 'inmigrate';
    await this.controller.cont().catch(() => {});
    if (!waits && isLive(host.runState)) this.wanted = host.runState;
  }
  /** The guest does something of its own accord. */
  enter(state: RunState): void {
    const { host } = this;
    const from = host.runState;
    if (from !== (state === 'running' ? 'suspended' : 'running')) return;
    this.wanted = state;
    if (isLive(state)) host.setRunState(state);
    else void host.stop(state);
  }
  /** The process ends at once. */
  die(): void {
    this.dead = true;
    this.lane.freeze();
    this.#hardware.freeze();
  }
  /** Everything works from now on. */
  repair(): void {
    this.#breakages = [];
    this.#repaired = true;
    this.controller.setParameters({ 'max-bandwidth': 0, 'downtime-limit': defaultParameters()['downtime-limit'] });
  }

  #begin(list: Attempt[], begin: () => Promise<unknown>): void {
    const attempt: Attempt = { outcome: 'open', error: undefined };
    list.push(attempt);
    const failed = (error: unknown): void => {
      attempt.outcome = 'failed';
      attempt.error = error as Error;
      this.host.onChange(`failed: ${error instanceof SternaError ? `${error.code} ` : ''}${(error as Error).message}`);
    };
    begin().then(() => {
      attempt.outcome = 'done';
    }, failed);
  }

  #watched(transport: MigrationTransport): MigrationTransport {
    return {
      connect: (address, signal, options) => {
        this.signals.push(signal);
        return transport.connect(address, signal, options);
      },
      listen: (address, options) => transport.listen(address, options),
    };
  }

  #gate(hook: string, mayWait: boolean): Promise<void> | undefined {
    const broken = this.#breaks('hook');
    if (!mayWait) {
      if (broken) throw new RangeError(`${hook} fails on purpose`);
      return undefined;
    }
    const pause = this.#take(hook);
    if (!broken) return pause;
    if (pause === undefined) throw new RangeError(`${hook} fails on purpose`);
    return pause.then(() => {
      throw new RangeError(`${hook} fails on purpose, late`);
    });
  }

  #notified(type: string): Promise<void> | undefined {
    this.#unplugSince = type === 'setup' ? this.nowMs : undefined;
    if (type === 'setup' && this.#breaks('notify')) throw new RangeError('a listener refuses on purpose');
    return this.#take('notify');
  }
  get #unplugPending(): boolean {
    const { unplugMs } = this.#schedule;
    if (this.side !== 'source' || this.#unplugSince === undefined || unplugMs === 0 || this.#repaired) return false;
    return unplugMs === null || this.nowMs < this.#unplugSince + unplugMs;
  }

  async #disk(call: 'inactivate' | 'activate', disk: string): Promise<void> {
    const broken = this.#breaks(call);
    await this.#take(call);
    if (broken) throw new SternaError('STERNA_ERR_HOST_IO', `${disk}: ${call} fails on purpose`);
  }

  #breaks(call: Breakage['call']): boolean {
    const n = this.#calls[call]++;
    const hit = this.#breakages.some(
      (breakage) => breakage.call === call && n >= breakage.nth && n <= breakage.nth + breakage.more,
    );
    if (hit) this.host.onChange(`${call} ${n} fails`);
    return hit;
  }

  /** Time that something takes, or nothing. */
  #take(_what: string): Promise<void> | undefined {
    const { drainMs } = this.#schedule;
    if (drainMs === 0 || this.#random.percent(30)) return undefined;
    return this.#hardware.sleep((drainMs * this.#random.below(100)) / 100);
  }

  /** Milliseconds of the simulation. */
  get nowMs(): number {
    return this.#loop.nowNs / 1e6;
  }
}
