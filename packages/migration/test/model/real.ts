/** The real thing behind the model: two simulated machines with real controllers, in one process. */
import type { DeviceShape } from '@sterna/testkit';
import {
  Dice,
  type Lane,
  realTurn,
  type Schedule,
  SimHost,
  SimLoop,
  SimMachine,
  SimNetwork,
  scheduleOf,
} from '@sterna/testkit';

const BLOCKS = [
  ['model.ram', 8 * 4096],
  ['model.rom', 4096],
] as const;
const DEVICES: DeviceShape = { initialWords: 10, ack: true, part: 5, cells: true };
/** After so much virtual time nothing more happens by itself. */
const ENOUGH_MS = 250;

/** A world where nothing goes wrong by itself. */
const CALM: Schedule = {
  ...scheduleOf(0),
  capabilities: { source: [], destination: [] },
  parameters: {},
  wire: 'compat',
  network: {
    latencyMs: 0.05,
    bytesPerMs: 100_000,
    buffer: 65_536,
    shortReads: false,
    lossyReset: false,
    connectMs: 0.2,
  },
  refused: 0,
  unanswered: 0,
  guest: { state: 'running', writesPerMs: 0, span: 8 },
  devices: DEVICES,
  disks: 2,
  drainMs: 0,
  autostart: true,
  incidents: [],
  breakages: [],
};

/** Two machines and a network. */
export class Real {
  readonly loop: SimLoop;
  readonly network: SimNetwork;
  readonly source: SimMachine;
  readonly destination: SimMachine;
  dirty = false;
  flushFails = false;
  readonly #operator: Lane;
  #page = 0;

  constructor() {
    const random = new Dice(1);
    this.loop = new SimLoop();
    this.network = new SimNetwork(this.loop, CALM.network, random);
    this.#operator = this.loop.lane('operator');
    const machine = (name: 'source' | 'destination', state: 'running' | 'inmigrate') =>
      new SimMachine(name, name, new SimHost(state, BLOCKS, 'model'), this.loop, this.network, CALM, random);
    this.source = machine('source', 'running');
    this.destination = machine('destination', 'inmigrate');
    // Nothing that still has to be sent may ever be too little to matter.
    this.source.controller.setParameters({ 'downtime-limit': 0 });
    for (const device of this.source.devices.devices) for (let i = 0; i < 12; i++) device.work(random);
    for (const { host } of [this.source, this.destination]) {
      const { faults } = host;
      host.faults = {
        ...faults,
        inactivate: (disk) => {
          if (!this.flushFails) return undefined;
          this.flushFails = false;
          throw new Error(`${disk.name} cannot be flushed`);
        },
      };
    }
    this.loop.onAdvance = () => {
      const { host } = this.source;
      if (this.dirty && host.runState === 'running')
        host.guestWrite(host.blocks[0]!.hostOffset + (this.#page++ % 8) * 4096, this.#page % 256);
    };
  }

  /** Lets everything happen that happens by itself. */
  async advance(): Promise<void> {
    await this.loop.run(this.#operator.sleep(ENOUGH_MS), Number.POSITIVE_INFINITY);
  }
  /** Lets what has been decided happen, without any time. */
  settle(): Promise<void> {
    return realTurn();
  }
  breakConnection(): void {
    this.network.connections.at(-1)?.reset();
  }
}
