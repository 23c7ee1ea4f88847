import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { MultifdInput, Reached } from '../multifd/incoming.ts';
import { multifdKernelModule } from '../multifd/kernel.ts';
import type { ReceivePlan } from '../multifd/packet-reader.ts';
import { type Hello, PacketError } from '../multifd/packets.ts';
import { ReaderGate } from '../multifd/reader-gate.ts';
import { channelError, type StateTaker } from '../multifd/receiver.ts';
import type { ReceiveReport, ReceiveRequest, ReceiveSetup } from './multifd-messages.ts';

/** Threads that wait for connections: they take longer to start than a connection to come. */
export class InputThreads {
  readonly #spare: Worker[];

  /** @param count - How many channels are expected. */
  constructor(count: number) {
    this.#spare = Array.from({ length: count }, newThread);
    // They will want the kernels; there is time now.
    if (count > 0) multifdKernelModule();
  }

  /** A thread for a connection. */
  take(): Worker {
    const thread = this.#spare.pop() ?? newThread();
    thread.removeAllListeners();
    return thread;
  }

  /** Nobody comes any more. */
  [Symbol.dispose](): void {
    for (const thread of this.#spare.splice(0)) void thread.terminate();
  }
}

function newThread(): Worker {
  const file = new URL(`./multifd-receive-worker${extname(import.meta.filename)}`, import.meta.url);
  const thread = new Worker(file, { name: 'migration', trackUnmanagedFds: false });
  // One that ends before anybody needs it is found out by whoever takes it.
  thread.on('error', () => {});
  return thread;
}

/** An incoming multifd channel in a thread of its own, which owns the connection. */
export class ThreadInputChannel implements MultifdInput {
  readonly name: string;
  readonly #thread: Worker;
  readonly #hello: PromiseWithResolvers<Hello | undefined> = Promise.withResolvers();
  readonly #ended: PromiseWithResolvers<Error | undefined> = Promise.withResolvers();
  readonly #gate: ReaderGate = new ReaderGate();
  #state: StateTaker | undefined;
  #over = false;

  constructor(thread: Worker, setup: ReceiveSetup) {
    this.name = setup.name;
    this.#hello.promise.catch(() => {});
    this.#thread = thread;
    this.#post({ do: 'open', setup });
    this.#thread.on('message', (report: ReceiveReport) => this.#reported(report));
    this.#thread.on('error', (error: Error) => this.#end(error));
    this.#thread.on('exit', () => this.#end(new Error('its thread has ended')));
  }

  get hello(): Promise<Hello | undefined> {
    return this.#hello.promise;
  }
  get ended(): Promise<Error | undefined> {
    return this.#ended.promise;
  }
  start(plan: ReceivePlan, state: StateTaker): void {
    this.#state = state;
    this.#post({ do: 'start', plan });
  }
  reached(): Promise<Reached> {
    return this.#gate.reached();
  }
  resume(): void {
    this.#gate.resume();
    this.#post({ do: 'resume' });
  }
  abort(reason: Error): void {
    this.#finish({ do: 'abort', reason: reason.message });
    this.#gate.end(reason);
  }
  close(): void {
    this.#finish({ do: 'close' });
  }

  #finish(request: ReceiveRequest): void {
    if (this.#over) return;
    this.#over = true;
    this.#post(request);
    this.#thread.unref();
  }

  #post(request: ReceiveRequest): void {
    this.#thread.postMessage(request);
  }

  #reported(report: ReceiveReport): void {
    switch (report.was) {
      case 'hello':
        if (report.error === undefined) this.#hello.resolve(report.hello);
        else this.#hello.reject(new PacketError(report.error));
        return;
      case 'reached':
        void this.#gate.arrive(report).catch(() => {});
        return;
      case 'state':
        // What a device says against it ends the migration elsewhere.
        this.#state!(report.header, report.state).then(
          () => this.#post({ do: 'state-taken' }),
          () => {},
        );
        return;
      case 'ended':
        this.#end(report.error === undefined ? undefined : new Error(report.error));
        return;
    }
  }

  #end(error: Error | undefined): void {
    const named = error === undefined ? undefined : channelError(this.name, error);
    this.#hello.resolve(undefined);
    this.#ended.resolve(named);
    this.#gate.end(named ?? new PacketError(`${this.name} has ended`));
  }
}
