import { type DeviceSpec, type EventLoop, Machine, parseCpuModel } from '@sterna/core';
import { microvm } from '@sterna/machine-microvm';
import {
  channelPair,
  MachineMigrationHost,
  type MigrationChannel,
  MigrationController,
  type MigrationEvent,
  type MigrationTransport,
  Pace,
} from '@sterna/migration';

const NS_PER_MS = 1e6;
const PAGE = 4096;

/** Time that nothing but the test's own callbacks takes. Both machines of a pair live on it. */
export class SimTime implements EventLoop {
  ns = 0;
  /** Told after time has passed. */
  onPassed: () => void = () => {};
  readonly #queue: { at: number; order: number; callback: () => void }[] = [];
  #order = 0;

  /** Looking at the clock takes a moment, so that loops which wait for it end. */
  monotonicNs(): number {
    this.ns += 1000;
    return this.ns;
  }
  soon(callback: () => void): void {
    this.after(0.05, callback);
  }
  after(ms: number, callback: () => void): { cancel(): void } {
    const entry = { at: this.ns + ms * NS_PER_MS, order: this.#order++, callback };
    this.#queue.push(entry);
    return {
      cancel: () => {
        entry.callback = () => {};
      },
    };
  }

  /** Runs until the promise settles. @throws Error when nothing can happen any more, or after so much time */
  async run<T>(promise: Promise<T>, limitMs: number): Promise<T> {
    const end = this.ns + limitMs * NS_PER_MS;
    let settled = false;
    const watched = promise.finally(() => {
      settled = true;
    });
    watched.catch(() => {});
    for (let idle = 0; ; ) {
      await new Promise((resolve) => setImmediate(resolve));
      if (settled) return watched;
      const next = this.#takeNext();
      if (next === undefined) {
        if (++idle > 50) throw new Error('nothing can happen any more');
        continue;
      }
      idle = 0;
      this.ns = Math.max(this.ns, next.at);
      if (this.ns > end) throw new Error(`not done after ${limitMs} ms`);
      this.onPassed();
      next.callback();
    }
  }

  #takeNext(): { at: number; callback: () => void } | undefined {
    let first = 0;
    for (const [i, { at, order }] of this.#queue.entries()) {
      const best = this.#queue[first]!;
      if (at < best.at || (at === best.at && order < best.order)) first = i;
    }
    return this.#queue.splice(first, 1)[0];
  }
}

/** A channel of so many bytes per second. */
class Link implements MigrationChannel {
  readonly name: string;
  readonly bidirectional = true;
  readonly #inner: MigrationChannel;
  readonly #time: SimTime;
  readonly #bytesPerMs: number;
  #freeAt = 0;

  constructor(inner: MigrationChannel, time: SimTime, bytesPerSecond: number) {
    this.name = inner.name;
    this.#inner = inner;
    this.#time = time;
    this.#bytesPerMs = bytesPerSecond / 1000;
  }
  async write(bytes: Uint8Array): Promise<void> {
    const now = this.#time.ns / NS_PER_MS;
    this.#freeAt = Math.max(this.#freeAt, now) + bytes.length / this.#bytesPerMs;
    // What is on its way arrives when its time is over, and may be reused then.
    await new Promise<void>((resolve) => this.#time.after(this.#freeAt - now, resolve));
    await this.#inner.write(bytes);
  }
  read(): Promise<Uint8Array | undefined> {
    return this.#inner.read();
  }
  end(): Promise<void> {
    return this.#inner.end();
  }
  abort(reason: Error): void {
    this.#inner.abort(reason);
  }
  close(): Promise<void> {
    return this.#inner.close();
  }
}

const NO_TRANSPORT: MigrationTransport = {
  connect: () => Promise.reject(new Error("this machine has only the pair's link")),
  listen: () => Promise.reject(new Error("this machine has only the pair's link")),
};

/** Options of a {@link VfioPair}. */
export interface VfioPairOptions {
  /** Devices of both machines. */
  readonly devices: readonly DeviceSpec[];
  /** Devices of the destination, when they differ. */
  readonly destinationDevices?: readonly DeviceSpec[];
  readonly linkBytesPerSecond: number;
  readonly ramMiB: number;
  /** Bytes of guest RAM that change in a second while the source runs. */
  readonly ramDirtyPerSecond?: number;
}

/** One side of a pair. */
export interface SimSide {
  readonly machine: Machine;
  readonly controller: MigrationController;
  readonly events: MigrationEvent[];
  readonly reports: string[];
}

/** Two whole microvms whose vCPUs sleep, on simulated time, with a slow link between them and RAM that changes. */
export class VfioPair {
  readonly time: SimTime = new SimTime();
  readonly source: SimSide;
  readonly destination: SimSide;
  readonly #options: VfioPairOptions;
  #dirtyFrom = 0;
  #page = 0;

  constructor(options: VfioPairOptions) {
    this.#options = options;
    this.source = this.#side(options.devices);
    this.destination = this.#side(options.destinationDevices ?? options.devices);
    this.source.machine.start();
    this.destination.machine.setRunState('inmigrate');
    this.time.onPassed = () => this.#dirtyRam();
  }

  #side(devices: readonly DeviceSpec[]): SimSide {
    const { time } = this;
    const { type, properties: cpuProperties } = parseCpuModel('qemu64', microvm.cpus);
    const reports: string[] = [];
    const events: MigrationEvent[] = [];
    const machine = new Machine(
      {
        type: microvm.type,
        properties: { acpi: 'off' },
        cpu: type,
        cpuProperties,
        cpuCount: 1,
        ramSize: this.#options.ramMiB * 2 ** 20,
        // Every byte is HLT: the guest sleeps for ever.
        boot: { bios: new Uint8Array(65_536).fill(0xf4), findFirmware: () => undefined },
        devices,
        chardevs: new Map(),
        serials: [],
        rtc: { source: 'vm', baseNs: 0n },
      },
      {
        clock: { monotonicNs: () => time.monotonicNs(), wallNs: () => 0n },
        loop: time,
        entropy: { fill: (bytes) => void bytes.fill(0x5a) },
        files: { write: () => {}, append: () => {} },
        log: (_, source, text) => void reports.push(`${source}: ${text}`),
        tscHz: 1e9,
      },
    );
    const controller = new MigrationController(
      new MachineMigrationHost(machine, {
        event: (event) => void events.push(event),
        report: (text) => void reports.push(text),
      }),
      {
        transport: NO_TRANSPORT,
        pace: new Pace(time, { monotonicNs: () => time.monotonicNs() }),
      },
    );
    controller.setCapabilities([{ capability: 'events', state: true }]);
    return { machine, controller, events, reports };
  }

  /** Switches a capability on at both sides. */
  enable(...names: string[]): void {
    for (const { controller } of [this.source, this.destination])
      controller.setCapabilities(names.map((capability) => ({ capability, state: true })));
  }

  /** Starts both sides; the promise settles when both are done, whatever came of it. */
  start(): Promise<readonly PromiseSettledResult<unknown>[]> {
    const [there, back] = channelPair();
    const incoming = this.destination.controller.migrateIncomingOverChannel(back);
    const link = new Link(there, this.time, this.#options.linkBytesPerSecond);
    return Promise.allSettled([this.source.controller.migrateOverChannel(link), incoming]);
  }

  /** Lets time pass. */
  async pass(ms: number): Promise<void> {
    await this.time.run(new Promise<void>((resolve) => this.time.after(ms, resolve)), ms * 2 + 1000);
  }

  /** Runs until the condition holds; @returns the ms that took. */
  async until(condition: () => boolean, limitMs: number): Promise<number> {
    const from = this.time.ns;
    const check = (resolve: () => void): void => {
      if (condition()) resolve();
      else this.time.after(1, () => check(resolve));
    };
    await this.time.run(new Promise<void>(check), limitMs);
    return (this.time.ns - from) / NS_PER_MS;
  }

  /** A 32-bit register of a device. */
  read(side: SimSide, address: number): number {
    return side.machine.bus.mmioRead(address, 4);
  }

  #dirtyRam(): void {
    const { memory } = this.source.machine;
    const perMs = (this.#options.ramDirtyPerSecond ?? 0) / 1000 / PAGE;
    const due = Math.floor(((this.time.ns - this.#dirtyFrom) / NS_PER_MS) * perMs);
    if (due === 0) return;
    this.#dirtyFrom = this.time.ns;
    if (this.source.machine.runState !== 'running') return;
    const block = memory.blocks.find(({ name }) => name === 'microvm.ram')!;
    const pages = block.usedLength / PAGE;
    for (let i = 0; i < Math.min(due, pages); i++) {
      const address = block.hostOffset + (this.#page++ % pages) * PAGE;
      memory.markWritten(address, 4);
      memory.u32[address / 4] = this.#page;
    }
  }
}
