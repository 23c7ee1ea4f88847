import { TransportError } from '../errors.ts';
import type { Pace } from '../pace.ts';
import type { MigrationChannel } from '../transport/channel.ts';
import { PACKET_METHOD_MEMORY, PacketMethod } from './packet-method.ts';
import type { SharePlan } from './page-method.ts';
import { PageShare, type ShareBudget, type SharedPages, type ShareWorker } from './page-share.ts';
import type { StatePacket } from './state-packet.ts';

/** Longest stretch of copying between two turns of the loop, in ms: it is a pause that the guest sees. */
const SLICE_MS = 1;

/** A share that is sent on the machine's own event loop, for channels without a thread: in one process, in simulations. */
export class InlineShare implements ShareWorker {
  readonly #share: PageShare;

  /** @throws TransportError when pages are to be compressed */
  constructor(channel: MigrationChannel, plan: SharePlan, pace: Pace) {
    const { target } = plan;
    if (target.kind !== 'packets') throw new TransportError(`${channel.name} has no thread that could write to a file`);
    if (target.compression !== 'none')
      throw new TransportError(`${channel.name} has no thread that could compress with ${target.compression}`);
    this.#share = new PageShare(
      plan,
      PACKET_METHOD_MEMORY,
      () => pace.now(),
      (context) => new PacketMethod(context, channel, target, undefined),
    );
  }

  share(budget: ShareBudget): Promise<SharedPages> {
    return this.#share.share({ ...budget, ms: Math.min(budget.ms, SLICE_MS) });
  }
  sync(): Promise<number> {
    return this.#share.sync();
  }
  state(packet: StatePacket): Promise<number> {
    return this.#share.state(packet);
  }
}
