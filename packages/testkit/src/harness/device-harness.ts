import {
  BlockBackends,
  type DeviceInstance,
  type DeviceType,
  Dma,
  Machine,
  Scope as MachineScope,
  type Scope,
  type Service,
} from '@sterna/core';
import { VirtualHost } from '../host/virtual-host.ts';
import { type Fields, fieldsOf } from '../snapshot/fields.ts';
import { benchMachine, type IrqRecorder } from './bench-machine.ts';
import { CharPeer } from './char-peer.ts';
import type { CodePeer } from './code-peer.ts';
import { DiskPeer } from './disk-peer.ts';
import type { HeldDma } from './held-dma.ts';
import { guarded } from './host-guard.ts';
import { PacedCpu, pacedCpuType } from './paced-cpu.ts';

/** Where the first region of a memory-mapped device is put, and how far apart its regions are. */
const MMIO_BASE = 0xd000_0000;
const MMIO_STEP = 0x100_0000;
/** Regions and lines that a device gets addresses for unless told otherwise. */
const DEFAULT_COUNT = 8;

/** How to make a device on the bench. */
export interface HarnessOptions {
  /** Property values, or their texts. */
  readonly properties?: Readonly<Record<string, unknown>>;
  /** Its address; by default regions lie apart from 0xd0000000 on and lines are numbered from 0. */
  readonly at?: Readonly<Record<string, unknown>>;
  /** Bytes of RAM at 0, a multiple of 64 KiB. Default: 128 KiB. */
  readonly ramSize?: number;
  /** The host it lives on; one of its own by default. */
  readonly host?: VirtualHost;
  /** Bytes of the disk of a device with a `drive` property. Default: 1 MiB. */
  readonly diskSize?: number;
  /** Guest pages are missing from the start: what the device asks for with `dma.run` waits. */
  readonly holdDma?: boolean;
  /** Binds further services before the device is made, such as a bus of your own. */
  readonly provide?: (scope: Scope) => void;
}

/** A timer of the device that is armed. */
export interface ArmedTimer {
  readonly name: string;
  /** Nanoseconds from now. */
  readonly inNs: number;
}

/**
 * One device on a bench: a machine without a running processor, in which the test makes the accesses, lets time pass,
 * and sees interrupt lines, memory, timers and the character backend.
 *
 * The chardev property, if the device has one, is `peer`: {@link DeviceHarness.type} types and
 * {@link DeviceHarness.output} reads. A drive property gets {@link DeviceHarness.disk}.
 */
export class DeviceHarness implements AsyncDisposable {
  readonly host: VirtualHost;
  readonly machine: Machine;
  readonly device: DeviceInstance;
  /** RAM from guest-physical 0 on. */
  readonly ram: Uint8Array;
  readonly irqs: IrqRecorder = { levels: [], edges: [] };
  /** The disk, for a device with a `drive` property. */
  readonly disk: DiskPeer;
  #dma!: HeldDma;
  /** What the device was given: not its state, even where it keeps it. */
  readonly #services: readonly object[];
  readonly #peer = new CharPeer();
  readonly #cpu = new PacedCpu();
  #outside = false;

  /**
   * Makes and realizes the device; the machine runs.
   *
   * @throws ConfigError when the device refuses its properties
   */
  constructor(type: DeviceType, options: HarnessOptions = {}) {
    this.host = options.host ?? new VirtualHost();
    const scope = new MachineScope('bench');
    options.provide?.(scope);
    const { descriptor } = type;
    const cpu = pacedCpuType(this.#cpu);
    const wants = (property: string): boolean => Object.hasOwn(descriptor.properties ?? {}, property);
    this.disk = new DiskPeer(wants('drive') ? (options.diskSize ?? 1 << 20) : 0);
    if (wants('drive') && !scope.has(BlockBackends)) scope.provide(BlockBackends, this.disk);
    const parts = {
      irqs: this.irqs,
      onDma: (dma: HeldDma) => {
        this.#dma = dma;
        dma.held = options.holdDma ?? false;
      },
    };
    this.machine = guarded(
      `create or reset of ${descriptor.name}`,
      () =>
        new Machine(
          {
            type: benchMachine(cpu, parts),
            properties: {},
            cpu,
            icountShift: 0,
            cpuProperties: {},
            cpuCount: 1,
            ramSize: options.ramSize ?? 128 << 10,
            boot: { findFirmware: () => undefined },
            devices: [
              {
                type,
                id: 'dut',
                at: options.at ?? defaultAddress(descriptor.bus),
                properties: {
                  ...(wants('chardev') ? { chardev: 'peer' } : {}),
                  ...(wants('drive') ? { drive: 'disk' } : {}),
                  ...options.properties,
                },
              },
            ],
            chardevs: new Map([['peer', this.#peer]]),
            serials: [],
          },
          { ...this.host.machineHost, scope },
        ),
    );
    this.device = this.machine.devices[0]!;
    this.#services = this.device.scope
      .resolve((descriptor.inject ?? []) as readonly Service<unknown>[])
      .filter((service) => typeof service === 'object' && service !== null);
    const [block] = this.machine.memory.blocks;
    this.ram = this.machine.memory.u8.subarray(block!.hostOffset, block!.hostOffset + block!.usedLength);
    this.start();
  }

  /** The device's state object. */
  get state(): Record<string, unknown> {
    return this.device.state as Record<string, unknown>;
  }

  /** What instruments see as the guest's code. */
  get code(): CodePeer {
    return this.#cpu.instrumentation;
  }

  /** Values of the state object's public fields by their paths, without those of injected services. */
  fields(): Fields {
    return fieldsOf(this.state, this.#services);
  }

  /** Starts or continues the machine. Its time passes in {@link DeviceHarness.advance} only. */
  start(): void {
    this.#guard('a runState hook', () => {
      this.machine.start();
      this.machine.loop.stop();
    });
  }

  /** Stops the machine. */
  stop(): void {
    this.#guard('a runState hook', () => this.machine.stop('paused'));
  }

  /** Guest read of a region, as the device sees it: little endian, as many bytes as `size` says. */
  read(offset: number, size: 1 | 2 | 4 = 4, region = 0): number {
    const { space, base } = this.#region(region);
    return this.#guard(`a read at 0x${offset.toString(16)}`, () =>
      space === 'mmio' ? this.machine.bus.mmioRead(base + offset, size) : this.machine.bus.ioRead(base + offset, size),
    );
  }

  /** Guest write to a region. */
  write(offset: number, value: number, size: 1 | 2 | 4 = 4, region = 0): void {
    const { space, base } = this.#region(region);
    this.#guard(`a write at 0x${offset.toString(16)}`, () =>
      space === 'mmio'
        ? this.machine.bus.mmioWrite(base + offset, size, value >>> 0)
        : this.machine.bus.ioWrite(base + offset, size, value >>> 0),
    );
  }

  #region(index: number) {
    const region = this.device.mappings[index];
    if (region === undefined)
      throw new RangeError(
        `${this.device.type.descriptor.name} has ${this.device.mappings.length} regions, not ${index + 1}`,
      );
    return region;
  }

  /** Level of an interrupt line, in the order of the device's address. */
  irq(line = 0): boolean {
    return this.irqs.levels[line] ?? false;
  }

  /** Lets guest time pass; timers fire in order, each at its own time. Nothing happens while the machine is stopped. */
  advance(ns: number): void {
    const { loop, clock, runState } = this.machine;
    this.#guard('a timer', () => {
      if (runState === 'running' && ns > 0) {
        this.#cpu.left = Math.round(ns);
        this.#cpu.onDone = () => loop.stop();
        loop.start();
        while (this.#cpu.left > 0 && this.host.step(this.host.nowNs));
        clock.timers.run(clock.now());
      }
      this.host.advance(ns);
    });
  }

  /** Guest time, ns. */
  get now(): number {
    return this.machine.clock.now();
  }

  /** The device's timers that are armed, in order of their time. */
  get timers(): readonly ArmedTimer[] {
    const now = this.machine.clock.now();
    return this.machine.clock.timers.armed
      .filter(({ name }) => name.startsWith('dut.'))
      .map(({ name, expiryNs }) => ({ name: name.slice('dut.'.length), inNs: expiryNs - now }));
  }

  /** Resets the machine, and with it the device. Input that the device has not taken is forgotten. */
  reset(): void {
    this.#peer.clear();
    this.#guard('reset', () => {
      this.machine.requestReset('host-qmp-system-reset');
      this.host.advance(0);
    });
  }

  /** Types on the peer of the character backend. */
  type(text: string): void {
    this.#guard('a character backend', () => this.#peer.type(text));
  }

  /** What the device has written to its character backend since the last call. */
  output(): string {
    return this.#peer.take();
  }

  /** Whether the device can reach RAM. */
  get hasDma(): boolean {
    return (this.device.type.descriptor.inject ?? []).includes(Dma);
  }

  /** Guest pages are missing from now on: what the device asks for with `dma.run` waits. */
  holdDma(): void {
    this.#dma.held = true;
  }

  /** The missing pages are there: what waited is done. */
  releaseDma(): void {
    this.#guard('a DMA that waited', () => this.#dma.release());
  }

  /** DMA requests that wait for missing pages. */
  get waitingDma(): number {
    return this.#dma.waiting;
  }

  /** Resolves when the disk has served what the device has asked for; at once for a device without one. */
  async settle(): Promise<void> {
    if (this.disk.inFlight > 0) await this.disk.settled();
  }

  /** Removes the device from the running machine. */
  unplug(): void {
    this.#guard('unrealize', () => this.machine.unplug(this.device.id));
    this.#dma.forget();
  }

  /** Runs device code that the harness does not call by itself. */
  #guard<T>(what: string, code: () => T): T {
    return this.#outside ? code() : guarded(`${what} of ${this.device?.type.descriptor.name ?? 'the device'}`, code);
  }

  /** Ends the machine. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#outside = true;
    await this.machine.dispose();
  }
}

function defaultAddress(bus: string): Readonly<Record<string, unknown>> | undefined {
  const numbers = Array.from({ length: DEFAULT_COUNT }, (_, i) => i);
  if (bus === 'sysbus') return { mmio: numbers.map((i) => MMIO_BASE + i * MMIO_STEP), irq: numbers };
  return bus === 'isa' ? { irq: numbers } : undefined;
}
