import type { CommandArguments, CommandName, CommandResult } from './commands/table.ts';
import { QmpError, type QmpErrorBody } from './errors.ts';
import { JsonStream } from './json-stream.ts';
import type { MonitorEvent } from './target.ts';

/** The byte stream under a {@link QmpClient}. */
export interface QmpChannel {
  write(text: string): void;
  close(): void;
}

/** An event as it came in. */
export interface ReceivedEvent extends MonitorEvent {
  readonly timestamp: { readonly seconds: number; readonly microseconds: number };
}

/** Arguments as parameters: none are needed when all may be left out. */
export type OptionalArguments<A> = Partial<A> extends A ? [args?: A] : [args: A];

interface Pending {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** The other side of QMP: typed commands, events. Feed it with {@link QmpClient.receive}. */
export class QmpClient {
  readonly #channel: QmpChannel;
  readonly #pending = new Map<number, Pending>();
  readonly #listeners = new Set<(event: ReceivedEvent) => void>();
  readonly #json: JsonStream;
  readonly #greeting: Promise<void>;
  #greeted: Pending | undefined;
  #next = 1;
  #closed: Error | undefined;

  constructor(channel: QmpChannel) {
    this.#channel = channel;
    this.#greeting = new Promise((resolve, reject) => {
      this.#greeted = { resolve: () => resolve(), reject };
    });
    // A failure before the greeting is told to whoever negotiates.
    this.#greeting.catch(() => {});
    this.#json = new JsonStream({
      value: (value) => this.#message(value as Readonly<Record<string, unknown>>),
      error: (message) => this.closed(new Error(`this is no QMP server: ${message}`)),
    });
  }

  /** Waits for the greeting and ends the negotiation. */
  async negotiate(): Promise<void> {
    await this.#greeting;
    await this.execute('qmp_capabilities');
  }

  /**
   * Runs a command.
   *
   * @throws QmpError with the server's class and sentence; Error when the connection is lost.
   */
  execute<N extends CommandName>(
    name: N,
    ...[args]: OptionalArguments<CommandArguments<N>>
  ): Promise<CommandResult<N>> {
    return this.executeAny(name, args) as Promise<CommandResult<N>>;
  }

  /** Runs a command this package does not know, for example of a real QEMU. */
  executeAny(name: string, args?: object): Promise<unknown> {
    if (this.#closed !== undefined) return Promise.reject(this.#closed);
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve, reject });
      this.#channel.write(
        `${JSON.stringify({ execute: name, ...(args === undefined ? {} : { arguments: args }), id })}\n`,
      );
    });
  }

  /** Tells the listener of every event until disposed. */
  onEvent(listener: (event: ReceivedEvent) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  /** Takes bytes from the server. */
  receive(bytes: Uint8Array): void {
    this.#json.push(bytes);
  }

  /** The connection is gone. */
  closed(reason: Error = new Error('the QMP connection was closed')): void {
    if (this.#closed !== undefined) return;
    this.#closed = reason;
    this.#greeted?.reject(reason);
    for (const { reject } of this.#pending.values()) reject(reason);
    this.#pending.clear();
    this.#channel.close();
  }

  /** Closes the connection. */
  close(): void {
    this.closed();
  }

  #message(message: Readonly<Record<string, unknown>>): void {
    if (message['QMP'] !== undefined) this.#greeted?.resolve(undefined);
    else if (typeof message['event'] === 'string') {
      for (const listener of this.#listeners) listener(message as unknown as ReceivedEvent);
    } else this.#answer(message);
  }

  #answer(message: Readonly<Record<string, unknown>>): void {
    const id = message['id'];
    const pending = typeof id === 'number' ? this.#pending.get(id) : undefined;
    if (pending === undefined) return;
    this.#pending.delete(id as number);
    const error = message['error'] as QmpErrorBody | undefined;
    if (error === undefined) pending.resolve(message['return']);
    else pending.reject(new QmpError(error.class, error.desc, error.data?.code));
  }
}
