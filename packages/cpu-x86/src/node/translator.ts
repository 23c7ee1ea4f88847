import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { RegionTranslator, TranslatedRegions, TranslationJob } from '../jit/region-translator.ts';
import type { AnswerMessage, JobMessage } from './translator-messages.ts';

type Done = (result: TranslatedRegions | undefined) => void;

/** A translator in a thread of its own. It never keeps the process alive. */
class WorkerTranslator implements RegionTranslator, Disposable {
  state: RegionTranslator['state'] = 'starting';
  readonly #worker: Worker;
  readonly #jobs = new Map<number, Done>();
  readonly #warn: (text: string) => void;
  #nextId = 0;
  #disposed = false;

  constructor(warn: (text: string) => void) {
    this.#warn = warn;
    this.#worker = new Worker(new URL(`./translator-worker${extname(import.meta.filename)}`, import.meta.url));
    this.#worker.unref();
    this.#worker.on('message', (message: AnswerMessage) => this.#answered(message));
    this.#worker.on('error', (error: unknown) => this.#fail(error instanceof Error ? error.message : String(error)));
    this.#worker.on('exit', (code) => this.#fail(`it ended with code ${code}`));
  }

  translate(job: TranslationJob, done: Done): void {
    const id = this.#nextId++;
    this.#jobs.set(id, done);
    this.#worker.postMessage({ id, job } satisfies JobMessage, [job.regions.buffer]);
  }

  #answered(message: AnswerMessage): void {
    if (message.id < 0) {
      if (this.state === 'starting') this.state = 'ready';
      return;
    }
    const done = this.#jobs.get(message.id);
    this.#jobs.delete(message.id);
    if ('error' in message) this.#fail(message.error);
    else if (message.module !== undefined) {
      done?.({ module: message.module, bytes: message.bytes ?? 0 });
      return;
    }
    done?.(undefined);
  }

  /** CPUs translate by themselves from now on, and meet the reason if it was a region. */
  #fail(reason: string): void {
    if (this.state === 'failed') return;
    this.state = 'failed';
    if (!this.#disposed) this.#warn(`the thread that translates guest code failed, doing without it: ${reason}`);
    const jobs = [...this.#jobs.values()];
    this.#jobs.clear();
    for (const done of jobs) done(undefined);
  }

  [Symbol.dispose](): void {
    this.#disposed = true;
    this.#fail('disposed');
    void this.#worker.terminate();
  }
}

/**
 * Starts a thread that translates guest code for the CPUs of this process; provide it as `RegionTranslator`. Start it early: it
 * needs some tenths of a second, while which CPUs translate nothing. Dispose of it with the machine.
 *
 * @param warn told when it fails; CPUs then translate by themselves
 */
export function startTranslator(warn: (text: string) => void): RegionTranslator & Disposable {
  return new WorkerTranslator(warn);
}
