import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { TlsError, TransportError } from '../errors.ts';
import type { FileOutput } from '../mapped-ram/file.ts';
import { MappedRamSender } from '../mapped-ram/sender.ts';
import { multifdKernelModule } from '../multifd/kernel.ts';
import type { SharePlan } from '../multifd/page-method.ts';
import type { SharedPages, ShareWorker } from '../multifd/page-share.ts';
import { ramKernelModule } from '../ram/kernel.ts';
import type { PageBudget, PagePlan, PageSender, SentPages } from '../ram/page-sender.ts';
import type { StreamWriter } from '../stream/writer.ts';
import type { TlsClientSetup } from '../tls/channel-setup.ts';
import type { MigrationChannel } from '../transport/channel.ts';
import type {
  ThreadAnswer,
  ThreadRequest,
  ThreadSentPages,
  ThreadSetup,
  ThreadTarget,
} from './channel-thread-messages.ts';

/** A request without its number. */
type Wish = ThreadRequest extends infer R ? (R extends ThreadRequest ? Omit<R, 'id'> : never) : never;

/**
 * An outgoing channel in a thread of its own. The thread opens it, is the only one to write to it and closes it; RAM's pages
 * go there without passing the machine's loop.
 */
export class ThreadChannel implements MigrationChannel {
  readonly name: string;
  readonly bidirectional: boolean;
  /** On channels to a file that begin at a place of it. */
  readonly fileOutput: FileOutput | undefined;
  readonly #thread: Worker;
  readonly #pending = new Map<number, PromiseWithResolvers<ThreadAnswer['value']>>();
  /** The machine's memory, once the thread has it too. */
  #memory: ArrayBufferLike | undefined;
  #nextId = 0;
  #error: Error | undefined;
  #opened = false;
  #closed = false;

  private constructor(name: string, target: ThreadTarget, tls: TlsClientSetup | undefined) {
    this.name = name;
    this.bidirectional = target.kind !== 'file' && target.kind !== 'exec';
    if (target.kind === 'file' && target.position !== undefined)
      this.fileOutput = {
        start: target.position,
        seek: (offset) => void this.#ask({ do: 'seek', offset }).catch(() => {}),
      };
    const file = new URL(`./channel-worker${extname(import.meta.filename)}`, import.meta.url);
    this.#thread = new Worker(file, {
      name: 'migration',
      workerData: { name, target, tls } satisfies ThreadSetup,
      trackUnmanagedFds: false,
    });
    this.#thread.on('message', (answer: ThreadAnswer) => this.#answered(answer));
    this.#thread.on('error', (error: Error) => this.#ended(`${name}: ${error.message}`));
    this.#thread.on('exit', () => this.#ended(`the thread of ${name} has ended`));
  }

  /**
   * Opens the target in a new thread, and secures it.
   *
   * @param after - Opens it when this has resolved; the thread starts before.
   * @throws TransportError, TlsError, or the signal's reason
   */
  static async open(
    name: string,
    target: ThreadTarget,
    signal: AbortSignal,
    tls?: TlsClientSetup,
    after?: Promise<unknown>,
  ): Promise<ThreadChannel> {
    signal.throwIfAborted();
    const channel = new ThreadChannel(name, target, tls);
    // The thread is going to want the kernels; while it starts there is time to compile them.
    if (after === undefined) ramKernelModule();
    else multifdKernelModule();
    const cancel = () => channel.abort(signal.reason as Error);
    signal.addEventListener('abort', cancel, { once: true });
    try {
      await after;
      await channel.#ask({ do: 'open' });
      channel.#opened = true;
      return channel;
    } catch (error) {
      channel.abort(error as Error);
      throw error;
    } finally {
      signal.removeEventListener('abort', cancel);
    }
  }

  async write(bytes: Uint8Array): Promise<void> {
    if (bytes.buffer !== this.#memory) await this.#ask({ do: 'write', bytes });
    else await this.#ask({ do: 'write-memory', at: bytes.byteOffset, length: bytes.length });
  }

  async read(): Promise<Uint8Array | undefined> {
    // A request to read is answered with bytes.
    return (await this.#ask({ do: 'read' })) as Uint8Array | undefined;
  }

  pageSender(plan: PagePlan): PageSender {
    if (plan.mapped !== undefined)
      return new MappedRamSender({ plan, workers: (share) => [this.shareWorker(share)], failed: () => {} });
    this.#memory = plan.memory.buffer;
    this.#ask({ do: 'plan', plan }).catch(() => {});
    return { send: (writer, budget) => this.#sendPages(writer, budget) };
  }

  shareWorker(plan: SharePlan): ShareWorker {
    this.#memory = plan.memory.buffer;
    this.#ask({ do: 'share-plan', plan }).catch(() => {});
    return {
      // Each request is answered with what it is about.
      share: async (budget) => (await this.#ask({ do: 'share', budget })) as SharedPages,
      sync: async () => (await this.#ask({ do: 'sync' })) as number,
      state: async (packet) => (await this.#ask({ do: 'state', packet })) as number,
    };
  }

  async #sendPages(writer: StreamWriter, budget: PageBudget): Promise<SentPages> {
    writer.flush();
    const sent = (await this.#ask({ do: 'pages', budget })) as ThreadSentPages;
    writer.sentElsewhere(sent.bytes);
    return sent;
  }

  async end(): Promise<void> {
    await this.#ask({ do: 'end' });
  }

  abort(reason: Error): void {
    if (this.#error !== undefined || this.#closed) return;
    this.#error = reason;
    if (!this.#opened) {
      // It may wait for a connection for minutes; nothing of ours is there yet.
      void this.#thread.terminate();
      return;
    }
    // What is under way fails when the thread has let go of the memory.
    this.#post({ do: 'abort', reason: reason.message }).promise.catch(() => {});
    this.#thread.unref();
  }

  async close(): Promise<void> {
    if (this.#closed || this.#error !== undefined) return;
    this.#closed = true;
    await this.#post({ do: 'close' }).promise.catch(() => {});
    this.#thread.unref();
  }

  #ask(wish: Wish): Promise<ThreadAnswer['value']> {
    if (this.#error !== undefined) return Promise.reject(this.#error);
    return this.#post(wish).promise;
  }

  #post(wish: Wish): PromiseWithResolvers<ThreadAnswer['value']> {
    const id = this.#nextId++;
    const pending = Promise.withResolvers<ThreadAnswer['value']>();
    this.#pending.set(id, pending);
    this.#thread.postMessage({ ...wish, id } as ThreadRequest);
    return pending;
  }

  #answered({ id, error, aboutTls, value }: ThreadAnswer): void {
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    if (error === undefined) {
      pending?.resolve(value);
      return;
    }
    this.#error ??= aboutTls === true ? new TlsError(error) : new TransportError(error);
    pending?.reject(this.#error);
  }

  #ended(why: string): void {
    this.#error ??= new TransportError(why);
    for (const { reject } of this.#pending.values()) reject(this.#error);
    this.#pending.clear();
  }
}
