import type { PageBudget, PageSender, RamSectionKind, SentPages } from '../ram/page-sender.ts';
import { RAM_FLAG } from '../stream/constants.ts';
import type { StreamWriter } from '../stream/writer.ts';
import { PACKET_PAGES, PAGES_HEADER_SIZE } from './packets.ts';
import type { SharedCounters } from './page-method.ts';
import type { SharedPages, ShareWorker } from './page-share.ts';
import type { StatePacket } from './state-packet.ts';

/** Bytes of a whole packet. */
const PACKET: number = PAGES_HEADER_SIZE + PACKET_PAGES * 4096;

/** What a {@link MultifdSender} is made of. */
export interface MultifdSenderOptions {
  readonly workers: readonly ShareWorker[];
  readonly counters: SharedCounters;
  /**
   * How what was sent before is separated from what comes after: by marks between two rounds, by marks at the end of each
   * section (8.0 and before), or not at all, where pages are at their places when they were sent.
   */
  readonly marks: 'round' | 'section' | 'none';
  /** A worker has failed; the others are to end what they are at. */
  readonly failed: (error: Error) => void;
  /** Told of bytes that went over the channels. */
  readonly sent: (bytes: number) => void;
}

/**
 * Lets several channels send RAM's pages. They divide it among themselves; here rounds begin and end.
 *
 * A page that is sent again may go over another channel than before, and the destination reads channels independently. So
 * between two rounds all channels are synchronised: what comes after is read when all before has been.
 */
export class MultifdSender implements PageSender {
  readonly #options: MultifdSenderOptions;
  /** Packets of device state that each worker has not handed over yet. */
  readonly #waiting: number[];
  #round = 0;
  #exhausted = false;
  /** Marks that were asked for and are not known to be on their way. */
  #marks: Promise<void> = Promise.resolve();

  constructor(options: MultifdSenderOptions) {
    this.#options = options;
    this.#waiting = options.workers.map(() => 0);
    options.counters.reset();
  }

  async send(writer: StreamWriter, budget: PageBudget): Promise<SentPages> {
    const fresh = this.#exhausted;
    if (fresh) this.#nextRound(writer);
    const sent = await this.#share(writer, budget);
    // What is left may have been passed by already in this round.
    if (sent.zero + sent.normal > 0 || fresh || !this.#exhausted) return sent;
    return this.send(writer, budget);
  }

  /** To be called before the EOS of each section. */
  async finishSection(writer: StreamWriter, kind: RamSectionKind): Promise<void> {
    const { marks } = this.#options;
    if (marks === 'section') this.#mark(writer);
    else if (marks === 'round' && kind !== 'part') this.#flush(writer);
  }

  settled(): Promise<void> {
    return this.#marks;
  }

  /** Sends a packet of a device's state over the channel that has the least to do. @throws the channel's error */
  async sendState(writer: StreamWriter, packet: StatePacket): Promise<void> {
    const { workers, failed } = this.#options;
    const index = this.#waiting.indexOf(Math.min(...this.#waiting));
    this.#waiting[index]!++;
    try {
      this.#count(writer, await workers[index]!.state(packet));
    } catch (error) {
      failed(error as Error);
      throw error;
    } finally {
      this.#waiting[index]!--;
    }
  }

  async #share(writer: StreamWriter, { bytes, ms }: PageBudget): Promise<SentPages> {
    const { workers } = this.#options;
    const budget = { bytes: wholePackets(bytes / workers.length), ms, round: this.#round };
    const shares = await this.#all((worker) => worker.share(budget));
    this.#exhausted = shares.every(({ exhausted }) => exhausted);
    for (const { records } of shares) for (const record of records) writer.bytes(record);
    this.#count(writer, sum(shares, 'bytes'));
    return { zero: sum(shares, 'zero'), normal: sum(shares, 'normal') };
  }

  #nextRound(writer: StreamWriter): void {
    if (this.#options.marks === 'round') this.#flush(writer);
    this.#round++;
    this.#options.counters.restart();
  }

  /** All channels are marked, and so is the place in the main one where their marks are waited for. */
  #flush(writer: StreamWriter): void {
    this.#mark(writer);
    writer.u64Number(RAM_FLAG.multifdFlush);
    // Channels stop at their marks until this one is read. Kept here it would hold up all that follows.
    writer.flush();
  }

  /** Marks all channels. Nobody waits for that: what they are asked for next comes behind. */
  #mark(writer: StreamWriter): void {
    const marked = this.#all((worker) => worker.sync()).then((bytes) => {
      this.#count(
        writer,
        bytes.reduce((a, b) => a + b, 0),
      );
    });
    this.#marks = Promise.all([this.#marks, marked]).then(() => {});
    // Whoever waits for the channels next learns it.
    this.#marks.catch(() => {});
  }

  #count(writer: StreamWriter, bytes: number): void {
    writer.sentElsewhere(bytes);
    this.#options.sent(bytes);
  }

  /** Asks all workers. When one fails this fails too, but not before the others have let go of the memory. */
  async #all<T>(ask: (worker: ShareWorker) => Promise<T>): Promise<T[]> {
    const { workers, failed } = this.#options;
    const answers = await Promise.allSettled(
      workers.map((worker) =>
        ask(worker).catch((error: Error) => {
          failed(error);
          throw error;
        }),
      ),
    );
    const broken = answers.find((answer) => answer.status === 'rejected');
    if (broken !== undefined) throw broken.reason;
    return answers.map((answer) => (answer as PromiseFulfilledResult<T>).value);
  }
}

/**
 * As in QEMU a channel does not break a packet off because of the limit, and the one on its way does not count. Below that
 * size a packet is as small as the limit asks for.
 */
function wholePackets(bytes: number): number {
  return bytes < PACKET ? bytes : (Math.ceil(bytes / PACKET) + 1) * PACKET;
}

function sum(shares: readonly SharedPages[], what: 'zero' | 'normal' | 'bytes'): number {
  return shares.reduce((total, share) => total + share[what], 0);
}
