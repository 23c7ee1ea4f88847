import {
  BATCH_PAGES,
  instantiateMultifdKernel,
  LIST,
  LIST_SIZE,
  type MultifdKernel,
  ownMemory,
} from './kernel-instance.ts';
import { type MethodContext, type PageMethod, SharedCounters, type SharePlan } from './page-method.ts';
import type { StatePacket } from './state-packet.ts';
import { type Stripe, Stripes } from './stripes.ts';
import { ZeroRecords } from './zero-records.ts';

/** Where a method's own part of the channel's memory begins. */
export const METHOD_AT = 4096;

/** How much a channel may send at once. */
export interface ShareBudget {
  readonly bytes: number;
  /** Host time in ms. */
  readonly ms: number;
  /** Number of the round over RAM; stripes of an earlier one are not gone on with. */
  readonly round: number;
}

/** What a channel has sent. */
export interface SharedPages {
  readonly zero: number;
  readonly normal: number;
  /** Bytes on this channel. */
  readonly bytes: number;
  /** Nothing is left in this round. */
  readonly exhausted: boolean;
  /** Records of zero pages for the main channel. */
  readonly records: readonly Uint8Array[];
}

/** What a migration asks a channel beside the main one for. Requests take effect in their order. */
export interface ShareWorker {
  /** Sends pages of its share. Resolves when all of them are handed over. @throws the channel's error */
  share(budget: ShareBudget): Promise<SharedPages>;
  /** Separates what was sent before from what follows. @returns bytes that it took */
  sync(): Promise<number>;
  /** Sends a packet of a device's state. @returns bytes that it took @throws the channel's error */
  state(packet: StatePacket): Promise<number>;
}

/**
 * One channel's part in sending RAM: takes stripe after stripe, finds its marked pages, and hands them to the channel's method
 * in batches. Nobody else looks at the marks of a stripe that was taken.
 */
export class PageShare implements ShareWorker {
  readonly #plan: SharePlan;
  readonly #now: () => number;
  readonly #stripes: Stripes;
  readonly #counters: SharedCounters;
  readonly #kernel: MultifdKernel;
  readonly #counts: Uint32Array;
  readonly #normalPages: Uint32Array;
  readonly #zeroPages: Uint32Array;
  readonly #method: PageMethod;
  #last: Promise<unknown> = Promise.resolve();
  #round = -1;
  #stripe: Stripe | undefined;

  /**
   * @param ownBytes size of the channel's own memory
   * @param now host time in ms
   */
  constructor(plan: SharePlan, ownBytes: number, now: () => number, method: (context: MethodContext) => PageMethod) {
    const { memory, blocks } = plan;
    const own = ownMemory(Math.max(ownBytes, METHOD_AT + LIST_SIZE));
    this.#plan = plan;
    this.#now = now;
    this.#stripes = new Stripes(blocks);
    this.#counters = new SharedCounters(memory, plan.counters);
    this.#kernel = instantiateMultifdKernel(plan.kernel, memory, own);
    this.#counts = new Uint32Array(own.buffer, 0, 2);
    this.#normalPages = new Uint32Array(own.buffer, LIST.normal, BATCH_PAGES);
    this.#zeroPages = new Uint32Array(own.buffer, LIST.zero, BATCH_PAGES);
    this.#method = method({ memory, own, kernel: this.#kernel, counters: this.#counters });
  }

  share(budget: ShareBudget): Promise<SharedPages> {
    return this.#inOrder(() => this.#send(budget));
  }

  sync(): Promise<number> {
    return this.#inOrder(() => this.#method.sync());
  }

  state(packet: StatePacket): Promise<number> {
    return this.#inOrder(() => this.#method.state!(packet));
  }

  /** Requests may come before earlier ones are done with. */
  #inOrder<T>(run: () => Promise<T>): Promise<T> {
    const done = this.#last.then(run);
    this.#last = done.catch(() => {});
    return done;
  }

  async #send({ bytes, ms, round }: ShareBudget): Promise<SharedPages> {
    if (round !== this.#round) this.#stripe = undefined;
    this.#round = round;
    const end = this.#now() + ms;
    const records = new ZeroRecords(this.#plan.blocks);
    let [zero, normal, sent, exhausted] = [0, 0, 0, false];
    do {
      const index = this.#collect(Math.max(1, Math.min(BATCH_PAGES, Math.ceil((bytes - sent) / 4096))));
      if (index === undefined) {
        exhausted = true;
        break;
      }
      const [found, empty] = [this.#counts[0]!, this.#counts[1]!];
      normal += found;
      zero += empty;
      const inPacket = this.#plan.zeroPages === 'multifd' ? empty : 0;
      if (inPacket < empty) sent += records.add(index, this.#zeroPages, empty);
      if (found + inPacket > 0) sent += await this.#put(index, found, inPacket);
    } while (sent < bytes && this.#now() < end);
    this.#method.flush?.();
    return { zero, normal, bytes: sent - records.bytes, exhausted, records: records.take() };
  }

  /** Ends what is under way before it reads another page. */
  abort(reason: Error): void {
    this.#method.abort(reason);
  }

  #put(index: number, normal: number, zero: number): Promise<number> {
    const block = this.#plan.blocks[index]!;
    return this.#method.put({
      block,
      index,
      normal,
      zero,
      normalPages: this.#normalPages,
      zeroPages: this.#zeroPages,
    });
  }

  /** Collects marked pages of one block. @returns the block's index, undefined when no stripe is left */
  #collect(most: number): number | undefined {
    const counts = this.#counts;
    counts[0] = counts[1] = 0;
    let index: number | undefined;
    for (;;) {
      this.#stripe ??= this.#stripes.at(this.#counters.takeStripe());
      const stripe = this.#stripe;
      // A batch is of one block; the stripe of another one waits for the next.
      if (stripe === undefined || (index !== undefined && stripe.index !== index)) {
        const some = counts[0]! + counts[1]! > 0;
        if (some || stripe === undefined) return some ? index : undefined;
      }
      index = stripe.index;
      this.#pick(stripe, most - counts[0]! - counts[1]!);
      if (counts[0]! + counts[1]! >= most) return index;
    }
  }

  #pick(stripe: Stripe, most: number): void {
    const { map, flags, hostOffset } = this.#plan.blocks[stripe.index]!;
    const detect = this.#plan.zeroPages === 'none' ? 0 : 1;
    const { page, end } = stripe;
    stripe.page = this.#kernel.pick(0, map, flags, hostOffset, page, end, most, detect);
    if (stripe.page >= end) this.#stripe = undefined;
  }
}
