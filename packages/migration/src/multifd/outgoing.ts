import type { MigrationCounters } from '../info.ts';
import type { FileOutput } from '../mapped-ram/file.ts';
import { MappedRamSender } from '../mapped-ram/sender.ts';
import type { Pace } from '../pace.ts';
import type { PagePlan, PageSender } from '../ram/page-sender.ts';
import type { MigrationChannel } from '../transport/channel.ts';
import { InlineShare } from './inline-share.ts';
import { multifdKernelModule } from './kernel.ts';
import type { MultifdCompression } from './packets.ts';
import { encodeHello } from './packets.ts';
import { SharedCounters, type SharePlan } from './page-method.ts';
import { MultifdSender } from './sender.ts';

/** How an outgoing migration uses its channels. */
export interface MultifdSettings {
  readonly compression: MultifdCompression;
  readonly level: number;
  readonly zeroPages: SharePlan['zeroPages'];
  /** Channels are synchronised at the end of each section (8.0 and before), not once in a round. */
  readonly syncEachSection: boolean;
}

/** The main channel of an outgoing migration together with those that carry RAM's pages: they live and die together. */
export class MultifdOutgoing implements MigrationChannel {
  readonly #main: MigrationChannel;
  readonly #others: readonly MigrationChannel[];
  readonly #settings: MultifdSettings;
  readonly #pace: Pace;
  readonly #counters: MigrationCounters;

  constructor(
    main: MigrationChannel,
    others: readonly MigrationChannel[],
    settings: MultifdSettings,
    { pace, counters }: { readonly pace: Pace; readonly counters: MigrationCounters },
  ) {
    this.#main = main;
    this.#others = others;
    this.#settings = settings;
    this.#pace = pace;
    this.#counters = counters;
  }

  get name(): string {
    return this.#main.name;
  }
  get bidirectional(): boolean {
    return this.#main.bidirectional;
  }
  write(bytes: Uint8Array): Promise<void> {
    return this.#main.write(bytes);
  }
  read(): Promise<Uint8Array | undefined> {
    return this.#main.read();
  }

  get fileOutput(): FileOutput | undefined {
    return this.#main.fileOutput;
  }

  pageSender(plan: PagePlan): PageSender {
    return plan.mapped === undefined ? this.#packetSender(plan) : this.#fileSender(plan);
  }

  #fileSender(plan: PagePlan): PageSender {
    return new MappedRamSender({
      plan,
      workers: (share) => this.#others.map((channel) => channel.shareWorker!(share)),
      failed: (error) => this.abort(error),
      sent: (bytes) => {
        this.#counters.multifdBytes += bytes;
      },
    });
  }

  #packetSender({ memory, blocks, buffers }: PagePlan): PageSender {
    const { compression, level, zeroPages, syncEachSection } = this.#settings;
    const plan: SharePlan = {
      memory,
      kernel: multifdKernelModule(),
      blocks,
      counters: buffers.offset,
      zeroPages,
      target: { kind: 'packets', compression, level },
    };
    return new MultifdSender({
      workers: this.#others.map((channel) => channel.shareWorker?.(plan) ?? new InlineShare(channel, plan, this.#pace)),
      counters: new SharedCounters(memory, plan.counters),
      marks: syncEachSection ? 'section' : 'round',
      failed: (error) => this.abort(error),
      sent: (bytes) => {
        this.#counters.multifdBytes += bytes;
      },
    });
  }

  async end(): Promise<void> {
    await Promise.all(this.#others.map((channel) => channel.end()));
    await this.#main.end();
  }
  abort(reason: Error): void {
    for (const channel of [...this.#others, this.#main]) channel.abort(reason);
  }
  async close(): Promise<void> {
    await Promise.all([...this.#others, this.#main].map((channel) => channel.close()));
  }
}

/**
 * Says on a channel which one it is, before anything else goes over it. Each channel does so as soon as it is there: a QEMU
 * with TLS waits for that with everything else, the handshakes of the other channels included.
 *
 * @throws the channel's error
 */
export async function greet(channel: MigrationChannel, id: number, uuid: Uint8Array): Promise<MigrationChannel> {
  try {
    await channel.write(encodeHello({ uuid, id }));
  } catch (error) {
    channel.abort(error as Error);
    throw error;
  }
  return channel;
}
