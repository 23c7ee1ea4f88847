/**
 * One simulation: two machines, a network between them, and a schedule of
 * everything that happens to them. `step` by `step` until it is over; between
 * two steps the caller lets a turn of the real event loop pass.
 */

import type { DeviceFactory } from './devices.ts';
import { Dice } from './dice.ts';
import type { BlockShape } from './host.ts';
import { SimHost } from './host.ts';
import { Judge, ownershipUnknown } from './judge.ts';
import { type Lane, SimLoop } from './loop.ts';
import { SimMachine } from './machine.ts';
import { type SimConnection, SimNetwork } from './network.ts';
import type { Effect, Incident, Schedule, Side } from './schedule.ts';

const BLOCKS: readonly BlockShape[] = [
  ['sim.ram', 12 * 4096],
  ['sim.tables', 4096, 4 * 4096],
  ['sim.rom', 4096],
];
/** Until then things may take their course. */
const PATIENCE_MS = 160;
/** Time between the operator's last words. */
const WORD_MS = 150;

/** Until then a migration may wait for a device that was asked to leave. */
const UNPLUG_MS = 35_000;

/** Machines that one simulation after another uses. */
export class Stage {
  readonly source: SimHost = new SimHost('running', BLOCKS, 'sim');
  readonly destination: SimHost = new SimHost('inmigrate', BLOCKS, 'sim');
  readonly third: SimHost = new SimHost('inmigrate', BLOCKS, 'sim');
}

/** What a simulation can use of the real host. */
export interface SimulationOptions {
  /** Told of everything that happens. */
  readonly trace?: (line: string) => void;
  /** Makes devices that both machines have beside the simulation's own. */
  readonly devices?: DeviceFactory;
  /** Counts the listeners of a signal. */
  readonly listeners?: (signal: AbortSignal) => number;
}

/** A run of one schedule. */
export class Simulation {
  readonly schedule: Schedule;
  /** Broken rules; meaningful once the simulation is over. */
  violations: string[] = [];
  /** Steps taken. */
  steps = 0;
  readonly #loop: SimLoop;
  readonly #network: SimNetwork;
  readonly #random: Dice;
  readonly #operator: Lane;
  readonly #source: SimMachine;
  readonly #destination: SimMachine;
  readonly #judge: Judge;
  readonly #stage: Stage;
  readonly #options: SimulationOptions;
  readonly #waiting: Set<Incident>;
  /** Connections of the latest attempt, the main one first. */
  #channels: (SimConnection | undefined)[] = [];
  #writesPerMs: number;
  /** Parts of a write that are due. */
  #due = 0;
  readonly #made: SimMachine[] = [];
  #machines: SimMachine[];
  /** Nothing of the schedule happens any more. */
  #quiet = false;
  #over = false;

  constructor(schedule: Schedule, stage: Stage, options: SimulationOptions = {}) {
    this.schedule = schedule;
    this.#stage = stage;
    this.#options = options;
    this.#random = new Dice(schedule.seed * 3 + 1);
    this.#loop = new SimLoop(this.#random);
    this.#network = new SimNetwork(this.#loop, schedule.network, this.#random);
    this.#network.refusals = schedule.refused;
    this.#network.unanswered = schedule.unanswered;
    this.#operator = this.#loop.lane('operator');
    this.#source = this.#machine('source', 'source', stage.source);
    this.#destination = this.#machine('destination', 'destination', stage.destination);
    this.#machines = [this.#source, this.#destination];
    this.#judge = new Judge(this.#source, this.#destination, this.#oldState, (text) => this.#trace(text));
    this.#writesPerMs = schedule.guest.writesPerMs;
    this.#waiting = new Set(schedule.incidents);
    this.#network.extraMs = schedule.multifd ?? [];
    this.#network.onConnection = (connection, multifd) => {
      if (multifd === undefined) this.#channels = [connection];
      else this.#channels[multifd + 1] = connection;
      this.#reached('connection');
    };
    this.#loop.onAdvance = (from, to) => this.#guest(to - from);
    for (const machine of this.#machines) this.#watch(machine);
    this.#fill();
    this.#play()
      .catch((error: Error) => this.violations.push(`the simulation itself failed: ${error.stack}`))
      .finally(() => this.#end());
  }

  /** Goes on to the next thing that happens. @returns false when the simulation is over */
  step(): boolean {
    if (this.#over) return false;
    this.steps++;
    if (!this.#loop.step()) {
      this.violations.push('nothing could ever happen again');
      this.#end();
    }
    return !this.#over;
  }

  #end(): void {
    if (this.#over) return;
    this.#over = true;
    for (const { devices } of this.#made) for (const device of devices.devices) device.dispose?.();
  }

  #machine(name: string, side: Side, host: SimHost): SimMachine {
    const machine = new SimMachine(
      name,
      side,
      host,
      this.#loop,
      this.#network,
      this.schedule,
      this.#random,
      this.#options.devices,
    );
    this.#made.push(machine);
    return machine;
  }
  get #oldState(): boolean {
    return this.schedule.wire === 'qemu-7.2';
  }
  #trace(text: string): void {
    this.#options.trace?.(`${(this.#loop.nowNs / 1e6).toFixed(3).padStart(10)} ms  ${text}`);
  }
  #watch(machine: SimMachine): void {
    machine.host.onChange = (what) => {
      this.#trace(`${machine.name}: ${what}`);
      this.#judge.saw(machine, what);
      if (what.startsWith('status ')) this.#reached(`${machine.side}:${what.slice('status '.length)}`);
    };
  }

  /** The guest has worked before the migration begins. */
  #fill(): void {
    const { host, devices } = this.#source;
    const state = host.runState;
    if (state !== 'running') host.setRunState('running');
    for (let i = 0; i < 8; i++) this.#write(host);
    const words = Math.max(15, this.schedule.devices.initialWords);
    for (let i = 0; i < words; i++) for (const device of devices.devices) device.work(this.#random);
    if (state !== 'running') host.setRunState(state);
  }
  #write(host: SimHost): void {
    const block = host.blocks[this.#random.percent(90) ? 0 : 1]!;
    const pages = Math.min(this.schedule.guest.span, block.usedLength / 4096);
    const offset = this.#random.below(pages) * 4096 + this.#random.below(4096);
    host.guestWrite(block.hostOffset + offset, this.#random.below(256));
  }
  #guest(ns: number): void {
    this.#due = Math.min(50, this.#due + (ns / 1e6) * this.#writesPerMs);
    for (; this.#due >= 1; this.#due--) {
      for (const { dead, host, devices } of this.#machines) {
        if (dead || host.runState !== 'running') continue;
        this.#write(host);
        this.#random.pick(devices.devices).work(this.#random);
      }
    }
  }

  async #play(): Promise<void> {
    const { schedule } = this;
    this.#at(schedule.incomingMs, () => this.#destination.receive('tcp:destination:1'));
    this.#at(schedule.migrateMs, () => this.#source.migrate('tcp:destination:1'));
    this.#reached('start');
    await this.#settle();
    this.#quiet = true;
    this.#judge.verdict(this.#channels[0]?.there);
    const clean = this.#judge.violations.length === 0;
    if (clean) this.#judge.leftovers(this.#ends(), this.#options.listeners ?? (() => 0));
    this.violations.push(...this.#judge.violations);
    if (clean && schedule.after === 'onward') await this.#onward();
  }

  #ends() {
    return this.#network.connections.flatMap(({ ends }) => ends);
  }
  #at(ms: number, callback: () => void): void {
    this.#operator.after(ms, callback);
  }

  /** Waits until all has come to an end; helps with stronger and stronger means. */
  async #settle(): Promise<void> {
    const words: [string, () => void][] = [
      ['operator: anything goes', () => this.#relax()],
      ['operator: cancel', () => this.#source.dead || this.#source.controller.cancel()],
      ['network: every connection is reset', () => this.#resetAll()],
      ['operator: yank', () => this.#yankAll()],
    ];
    let next = PATIENCE_MS;
    // Some time without anything going on, so that commands which come late find their migration.
    for (let calm = 0; calm < 3; ) {
      await this.#operator.sleep(words.length > 0 ? 5 : 50);
      calm = this.#judge.settled && this.#loop.nowNs / 1e6 > 12 ? calm + 1 : 0;
      if (this.#loop.nowNs / 1e6 < next) continue;
      const word = words.shift();
      // A cancelled migration gives a device that does not leave half a minute.
      if (word === undefined && (this.schedule.unplugMs !== null || this.#loop.nowNs / 1e6 > UNPLUG_MS)) return;
      if (word === undefined) continue;
      next += WORD_MS;
      this.#trace(word[0]);
      word[1]();
    }
  }
  #relax(): void {
    this.#writesPerMs = 0;
    const { dead, controller, status } = this.#source;
    if (dead) return;
    controller.setParameters({ 'downtime-limit': 2_000_000, 'max-bandwidth': 0 });
    if (status === 'pre-switchover') controller.continue('pre-switchover');
  }
  #resetAll(): void {
    for (const connection of this.#network.connections) connection.reset();
  }
  #yankAll(): void {
    for (const { dead, controller } of this.#machines) if (!dead) controller.yank();
  }

  /** Something has happened for the first time: what was scheduled after it begins to count. */
  #reached(since: string): void {
    for (const incident of [...this.#waiting]) {
      const { on, effect } = incident;
      if (on.since !== since) continue;
      this.#waiting.delete(incident);
      if (on.bytes === undefined) {
        this.#at(on.ms, () => this.#apply(effect));
        continue;
      }
      const link = this.#channels[channelOf(effect)]?.[on.bytes.direction];
      link?.watch(link.delivered + on.bytes.count, () => this.#apply(effect));
    }
  }

  #apply(effect: Effect): void {
    if (this.#quiet) return;
    this.#trace(`schedule: ${JSON.stringify(effect)}`);
    const connection = this.#channels[channelOf(effect)];
    switch (effect.do) {
      case 'reset':
        connection?.reset();
        return;
      case 'finish':
        connection?.finish(effect.direction);
        return;
      case 'silence':
        connection?.silence();
        return;
      case 'silence-one':
        connection?.[effect.direction].silence();
        return;
      case 'stall': {
        const link = connection?.[effect.direction];
        link?.hold();
        if (effect.ms !== null) this.#at(effect.ms, () => link?.release());
        return;
      }
      case 'slow':
        connection?.[effect.direction].slowDown(effect.bytesPerMs);
        return;
      case 'storm':
        this.#writesPerMs = effect.writesPerMs;
        return;
      case 'kill': {
        const machine = effect.side === 'source' ? this.#source : this.#destination;
        machine.die();
        this.#network.processEnded(machine.lane, effect.dark);
        return;
      }
      default:
        this.#command(effect);
    }
  }

  #command(effect: Effect): void {
    const machine = 'side' in effect && effect.side === 'destination' ? this.#destination : this.#source;
    const receiver = effect.do === 'incoming' ? this.#destination : machine;
    if (receiver.dead) return;
    try {
      switch (effect.do) {
        case 'cancel':
          machine.controller.cancel();
          return;
        case 'continue':
          machine.controller.continue('pre-switchover');
          return;
        case 'migrate':
          machine.migrate('tcp:destination:1');
          return;
        case 'incoming':
          receiver.receive('tcp:destination:1');
          return;
        case 'yank':
          machine.controller.yank();
          return;
        case 'parameters':
          machine.controller.setParameters(effect.values);
          return;
        case 'capability':
          machine.controller.setCapabilities([{ capability: effect.name, state: effect.on }]);
          return;
        case 'stop':
          machine.stop();
          return;
        case 'cont':
          void machine.cont();
          return;
        case 'guest':
          machine.enter(effect.state);
          return;
      }
    } catch (error) {
      this.#refused(error as Error & { code?: string });
    }
  }
  #refused(error: Error & { code?: string }): void {
    this.#trace(`  refused: ${error.message}`);
    if (error.code === undefined) this.violations.push(`a command is refused without a code: ${error.stack}`);
  }

  /** Whoever has the guest moves it to a third machine, and now everything works. */
  async #onward(): Promise<void> {
    const owner = this.#machines.find(
      (machine) =>
        !machine.dead &&
        (machine.side === 'source' ? machine.status !== 'completed' && !ownershipUnknown(machine) : machine.landed),
    );
    if (owner === undefined) return;
    this.#network.refusals = 0;
    this.#network.unanswered = 0;
    this.#writesPerMs = Math.min(this.#writesPerMs, 0.1);
    const third = this.#machine('third', 'destination', this.#stage.third);
    this.#trace(`onward from the ${owner.name}`);
    for (const machine of [owner, third]) machine.repair();
    third.controller.setCapabilities(owner.controller.capabilities.list());
    third.controller.autostart = true;
    const { runState: wanted, wasSuspended } = owner.host;
    owner.wanted = wanted;
    const judge = new Judge(owner, third, this.#oldState, (text) => this.#trace(text));
    for (const machine of [owner, third]) {
      machine.host.onChange = (what) => {
        this.#trace(`${machine.name}: ${what}`);
        if (!what.startsWith('status ')) judge.saw(machine, what);
      };
    }
    this.#machines = [owner, third];
    const connections = this.#network.connections.length;
    third.receive('tcp:third:1');
    owner.migrate('tcp:third:1');
    for (let waited = 0; waited < 500; waited++) {
      await this.#operator.sleep(10);
      if (owner.status === 'pre-switchover') owner.controller.continue('pre-switchover');
      if (owner.outgoing.at(-1)!.outcome !== 'open' && third.incoming.at(-1)!.outcome !== 'open') break;
    }
    this.violations.push(...judge.violations);
    const same =
      (third.host.runState === wanted && third.host.wasSuspended === wasSuspended) ||
      (this.#oldState && wasSuspended && third.host.runState === 'suspended');
    if (owner.status !== 'completed' || !same) {
      const why = owner.outgoing.at(-1)!.error ?? third.incoming.at(-1)!.error;
      this.violations.push(`a migration onward fails: ${owner.status}, ${third.host.runState}, ${why?.stack}`);
    } else if (connections === this.#network.connections.length)
      this.violations.push('a migration without a connection');
  }
}

function channelOf(effect: Effect): number {
  return 'channel' in effect ? (effect.channel ?? 0) : 0;
}
