import { multifdKernelModule } from '../multifd/kernel.ts';
import { SharedCounters, type SharePlan } from '../multifd/page-method.ts';
import type { ShareWorker } from '../multifd/page-share.ts';
import { MultifdSender } from '../multifd/sender.ts';
import type { PageBudget, PagePlan, PageSender, SentPages } from '../ram/page-sender.ts';
import type { StreamWriter } from '../stream/writer.ts';

/** What a {@link MappedRamSender} is made of. */
export interface MappedRamSenderOptions {
  readonly plan: PagePlan;
  /** Makes those who write pages: threads with the file open, one or several. */
  readonly workers: (plan: SharePlan) => readonly ShareWorker[];
  /** A worker has failed; the others are to end what they are at. */
  readonly failed: (error: Error) => void;
  /** Told of bytes that went to places in the file. */
  readonly sent?: (bytes: number) => void;
}

/**
 * Lets threads write pages to their places in a file. They divide RAM as multifd's channels do; a page is in the file when the
 * thread has answered, so nothing needs to be marked between rounds, and the stream learns nothing of pages.
 */
export class MappedRamSender implements PageSender {
  readonly #options: MappedRamSenderOptions;
  /** Made with the first request: places are known then. */
  #sender: MultifdSender | undefined;

  constructor(options: MappedRamSenderOptions) {
    this.#options = options;
  }

  send(writer: StreamWriter, budget: PageBudget): Promise<SentPages> {
    this.#sender ??= this.#begin();
    return this.#sender.send(writer, budget);
  }

  #begin(): MultifdSender {
    const { plan, workers, failed, sent = () => {} } = this.#options;
    const { memory, blocks, buffers } = plan;
    const { places, findZeroPages } = plan.mapped!;
    const share: SharePlan = {
      memory,
      kernel: multifdKernelModule(),
      blocks,
      counters: buffers.offset,
      zeroPages: findZeroPages ? 'multifd' : 'none',
      target: { kind: 'file', places },
    };
    return new MultifdSender({
      workers: workers(share),
      counters: new SharedCounters(memory, share.counters),
      marks: 'none',
      failed,
      sent,
    });
  }
}
