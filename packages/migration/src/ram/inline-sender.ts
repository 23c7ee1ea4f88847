import type { Pace } from '../pace.ts';
import type { StreamWriter } from '../stream/writer.ts';
import type { RamArea } from './blocks.ts';
import { PageEmitter } from './emitter.ts';
import { MAX_RECORD, type PageBudget, type PagePlan, type PageSender, type SentPages } from './page-sender.ts';

/** Pages between two looks at the clock. */
const BATCH = 32;
/** Longest stretch of copying between two turns of the loop, in ms: it is a pause that the guest sees. */
const SLICE_MS = 1;

/** Sends pages on the machine's own event loop, for channels without a thread: in one process, in simulations. */
export class InlinePageSender implements PageSender {
  readonly #area: RamArea;
  readonly #pace: Pace;
  readonly #emitter: PageEmitter;

  constructor(area: RamArea, plan: PagePlan, pace: Pace) {
    this.#area = area;
    this.#pace = pace;
    this.#emitter = new PageEmitter(plan, area.kernel, area.cells);
  }

  /** One slice of at most a millisecond. */
  async send(writer: StreamWriter, budget: PageBudget): Promise<SentPages> {
    const emitter = this.#emitter;
    emitter.repeat(budget.xbzrle);
    const stopAt = this.#pace.now() + Math.min(budget.ms, SLICE_MS);
    const stopAfter = writer.transferred + budget.bytes;
    for (let before = -1; before !== emitter.pages; ) {
      before = emitter.pages;
      await writer.storageReady();
      const chunk = writer.chunk(MAX_RECORD);
      if (chunk.buffer !== this.#area.bytes.buffer) continue;
      const out = chunk.byteOffset + writer.position;
      const end = emitter.fill(out, chunk.byteOffset + chunk.length, BATCH);
      writer.advance(end - out);
      if (this.#pace.now() >= stopAt || writer.transferred >= stopAfter || writer.congested) break;
    }
    return emitter.taken();
  }
}
