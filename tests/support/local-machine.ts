import { type CharBackend, type EventLoop, Machine, parseCpuModel, RingbufBackend } from '@sterna/core';
import { nodeEventLoop, nodeHostClock } from '@sterna/core/node';
import { microvm } from '@sterna/machine-microvm';
import {
  MachineMigrationHost,
  MigrationController,
  type MigrationEvent,
  Pace,
  type WireGeneration,
} from '@sterna/migration';
import { NodeMigrationTransport } from '@sterna/migration/node';

/** Options of {@link LocalMachine}. */
export interface LocalMachineOptions {
  /** `-machine` text after the type. */
  readonly properties?: Readonly<Record<string, string>>;
  readonly ramMiB?: number;
  readonly kernel?: Uint8Array;
  readonly cmdline?: string;
  readonly bios?: Uint8Array;
  readonly wire?: WireGeneration;
  readonly wallNs?: bigint;
  readonly loop?: EventLoop;
  /** Starts in `inmigrate`. */
  readonly incoming?: boolean;
}

/** A microvm in the test's own process. */
export class LocalMachine {
  readonly machine: Machine;
  readonly controller: MigrationController;
  readonly events: MigrationEvent[] = [];
  readonly reports: string[] = [];
  readonly #serial = new RingbufBackend('serial0', 1 << 20);
  #text = '';

  constructor(options: LocalMachineOptions = {}) {
    const { type, properties: cpuProperties } = parseCpuModel('qemu64', microvm.cpus);
    const wire = options.wire ?? 'compat';
    const loop = options.loop ?? nodeEventLoop;
    const wallNs = options.wallNs;
    this.machine = new Machine(
      {
        type: microvm.type,
        properties: { ...options.properties, wire },
        cpu: type,
        cpuProperties,
        cpuCount: 1,
        ramSize: (options.ramMiB ?? 16) * 2 ** 20,
        boot: {
          ...(options.kernel === undefined ? {} : { kernel: options.kernel }),
          ...(options.cmdline === undefined ? {} : { cmdline: options.cmdline }),
          // Nothing runs it: it only gives `pc.bios` a size where no firmware is installed.
          ...(options.kernel === undefined ? { bios: options.bios ?? new Uint8Array(65_536).fill(0xf4) } : {}),
          findFirmware: () => undefined,
        },
        devices: [],
        chardevs: new Map<string, CharBackend>([['serial0', this.#serial]]),
        serials: ['serial0'],
      },
      {
        clock: wallNs === undefined ? nodeHostClock : { ...nodeHostClock, wallNs: () => wallNs },
        loop,
        entropy: { fill: (bytes) => void bytes.fill(0x5a) },
        files: { write: () => {}, append: () => {} },
        log: (_, source, text) => void this.reports.push(`${source}: ${text}`),
        tscHz: 1e9,
      },
    );
    this.controller = new MigrationController(
      new MachineMigrationHost(this.machine, {
        event: (event) => void this.events.push(event),
        report: (text) => void this.reports.push(text),
      }),
      { transport: new NodeMigrationTransport(), pace: new Pace(loop, nodeHostClock), wire },
    );
    if (options.incoming === true) this.machine.setRunState('inmigrate');
  }

  /** Everything the guest has written on its serial line. */
  get serial(): string {
    this.#text += Buffer.from(this.#serial.read()).toString('latin1');
    return this.#text;
  }
}
