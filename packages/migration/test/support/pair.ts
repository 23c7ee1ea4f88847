import { MigrationController } from '../../src/controller.ts';
import type { MigrationChannel, MigrationTransport } from '../../src/transport/channel.ts';
import { channelPair } from '../../src/transport/pipe.ts';
import type { WireProperties } from '../../src/wire.ts';
import { FakeHost } from './fake-host.ts';
import { SimLoop } from './sim-loop.ts';

const none: MigrationTransport = {
  connect: async () => {
    throw new Error('no transport in this test');
  },
  listen: async () => {
    throw new Error('no transport in this test');
  },
};

/** A channel that takes simulated time for its bytes. */
export class SlowChannel implements MigrationChannel {
  readonly name: string;
  readonly bidirectional = true;
  readonly #inner: MigrationChannel;
  readonly #loop: SimLoop;
  readonly #bytesPerMs: number;
  #free = 0;

  constructor(inner: MigrationChannel, loop: SimLoop, bytesPerMs: number) {
    this.#inner = inner;
    this.#loop = loop;
    this.#bytesPerMs = bytesPerMs;
    this.name = inner.name;
  }
  async write(bytes: Uint8Array): Promise<void> {
    const start = Math.max(this.#free, this.#loop.nowNs / 1e6);
    this.#free = start + bytes.length / this.#bytesPerMs;
    const sent = this.#inner.write(bytes);
    // Looked at only when the time is over.
    sent.catch(() => {});
    await new Promise<void>((resolve) => this.#loop.after(this.#free - this.#loop.nowNs / 1e6, resolve));
    await sent;
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

/** Blocks of the fake machines: RAM, a resizable one, firmware. */
export const BLOCKS: readonly [string, number, number?][] = [
  ['fake.ram', 4 * 2 ** 20],
  ['tables', 8192, 65536],
  ['fake.bios', 65536],
];

/** Two machines with a channel between them. */
export class Pair {
  readonly loop: SimLoop;
  readonly source: FakeHost;
  readonly destination: FakeHost;
  readonly out: MigrationController;
  readonly in: MigrationController;
  readonly channels: readonly [MigrationChannel, MigrationChannel];

  constructor(
    options: {
      bytesPerMs?: number;
      loop?: SimLoop;
      blocks?: readonly [string, number, number?][];
      destinationBlocks?: readonly [string, number, number?][];
      /** Changes of the wire, on both sides. */
      wire?: Partial<WireProperties>;
    } = {},
  ) {
    this.loop = options.loop ?? new SimLoop();
    const blocks = options.blocks ?? BLOCKS;
    this.source = new FakeHost('running', blocks);
    this.destination = new FakeHost('inmigrate', options.destinationBlocks ?? blocks);
    const { pace } = this.loop;
    const wireOverrides = options.wire ?? {};
    this.out = new MigrationController(this.source, { transport: none, pace, wireOverrides });
    this.in = new MigrationController(this.destination, { transport: none, pace, wireOverrides });
    const [there, back] = channelPair();
    this.channels = [new SlowChannel(there, this.loop, options.bytesPerMs ?? 100_000), back];
    for (const controller of [this.out, this.in]) controller.setCapabilities([{ capability: 'events', state: true }]);
  }

  /** Starts both sides. */
  start(wrap: (channel: MigrationChannel) => MigrationChannel = (channel) => channel): {
    out: Promise<unknown>;
    in: Promise<unknown>;
  } {
    const incoming = this.in.migrateIncomingOverChannel(this.channels[1]);
    const outgoing = this.out.migrateOverChannel(wrap(this.channels[0]));
    incoming.catch(() => {});
    outgoing.catch(() => {});
    return { out: outgoing, in: incoming };
  }

  /** Migrates to the end. */
  async migrate(): Promise<void> {
    const both = this.start();
    await this.loop.run(Promise.all([both.out, both.in]));
  }
}
