import { PageEmitter } from '../ram/emitter.ts';
import { instantiateKernel, KERNEL_CELLS } from '../ram/kernel-instance.ts';
import { MAX_RECORD, type PageBudget, type PagePlan } from '../ram/page-sender.ts';
import type { ThreadSentPages } from './channel-thread-messages.ts';
import type { ThreadOutput } from './thread-output.ts';

/** Chunks that may be on their way: while one is copied, the kernel takes the others. */
const CHUNKS = 4;
/** Where chunks begin in the buffers; the kernel's answers are before. */
const CHUNKS_AT = 4096;
/** Small enough to stay in a core's cache between the copy into it and the copy out of it. */
const CHUNK_SIZE = 128 * 1024;

/** Finds, copies and writes pages, on the machine's memory. */
export class ThreadPages {
  readonly #output: ThreadOutput;
  readonly #memory: ArrayBufferLike;
  readonly #emitter: PageEmitter;
  readonly #free: number[] = [];
  #error: Error | undefined;
  #wake: (() => void) | undefined;

  constructor(output: ThreadOutput, plan: PagePlan) {
    const { memory, kernel, buffers } = plan;
    this.#output = output;
    this.#memory = memory.buffer;
    const instance = instantiateKernel(kernel, memory, buffers.offset);
    const cells = new Uint32Array(memory.buffer, buffers.offset, KERNEL_CELLS / 4);
    this.#emitter = new PageEmitter(plan, instance, cells);
    for (let i = 0; i < CHUNKS; i++) this.#free.push(buffers.offset + CHUNKS_AT + i * CHUNK_SIZE);
  }

  /** Sends within the budget. Resolves when everything is handed to the output, which keeps the order. */
  async send({ bytes, ms, xbzrle }: PageBudget): Promise<ThreadSentPages> {
    this.#emitter.repeat(xbzrle);
    const end = performance.now() + ms;
    let sent = 0;
    do {
      const chunk = await this.#chunk();
      const most = chunk + Math.min(CHUNK_SIZE, Math.max(MAX_RECORD, bytes - sent));
      const filled = this.#emitter.fill(chunk, most, Number.MAX_SAFE_INTEGER) - chunk;
      if (filled === 0) {
        this.#free.push(chunk);
        break;
      }
      sent += filled;
      this.#write(chunk, filled);
    } while (sent < bytes && performance.now() < end);
    return { ...this.#emitter.taken(), bytes: sent };
  }

  /** Stops a call under way before its next chunk. */
  abort(reason: Error): void {
    this.#error ??= reason;
    this.#wake?.();
  }

  #write(chunk: number, length: number): void {
    this.#output
      .write(new Uint8Array(this.#memory, chunk, length))
      .catch((error: Error) => {
        this.#error ??= error;
      })
      .finally(() => {
        this.#free.push(chunk);
        this.#wake?.();
      });
  }

  async #chunk(): Promise<number> {
    while (this.#free.length === 0 && this.#error === undefined)
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    this.#wake = undefined;
    if (this.#error !== undefined) throw this.#error;
    return this.#free.pop()!;
  }
}
