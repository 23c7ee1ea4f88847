import type { CharBackend, CharFrontend } from '@sterna/core';
import { versionInfo } from './commands/machine-commands.ts';
import { REFUSED_COMMANDS } from './commands/refused-commands.ts';
import { findCommand } from './commands/table.ts';
import { errorBody, QmpError } from './errors.ts';
import { JsonStream } from './json-stream.ts';
import type { MonitorEvent, MonitorTarget } from './target.ts';

/** What a client can switch on. */
const CAPABILITIES: readonly string[] = ['oob'];
/** Requests that may wait; the peer's bytes stay unread beyond that. */
const MAX_QUEUED = 8;
/** Bytes of answers that wait for a slow peer before its requests stay unread. */
const OUTPUT_HIGH_WATER = 256 * 1024;
/** Bytes beyond which events for a peer that does not read are dropped. */
const EVENT_LIMIT = 4 * 2 ** 20;

/** Descriptors that may wait for the command they are for. */
const MAX_DESCRIPTORS = 16;

/** How a session writes. */
export interface QmpSessionOptions {
  /** Indents the answers, for people. */
  readonly pretty?: boolean;
}

/**
 * One QMP conversation over a character backend: greeting, negotiation, commands in order, events. When the peer of
 * the backend goes and another comes, the conversation starts anew.
 */
export class QmpSession implements CharFrontend, Disposable {
  readonly #backend: CharBackend;
  readonly #target: MonitorTarget;
  readonly #pretty: boolean;
  readonly #json: JsonStream;
  readonly #subscription: Disposable;
  #negotiated = false;
  /** The client may execute out of band. */
  #outOfBand = false;
  #requests: unknown[] = [];
  #busy = false;
  /** Counts conversations, so that an answer never reaches the next peer. */
  #conversation = 0;
  #output: Uint8Array[] = [];
  #outputBytes = 0;
  #waitingForRoom = false;
  /** Descriptors that the client passed and no command has taken. */
  #descriptors: number[] = [];

  constructor(backend: CharBackend, target: MonitorTarget, options: QmpSessionOptions = {}) {
    this.#backend = backend;
    this.#target = target;
    this.#pretty = options.pretty ?? false;
    this.#json = new JsonStream({
      value: (value) => this.#request(value),
      error: (message) => this.#request(new QmpError('GenericError', message)),
    });
    this.#subscription = target.onEvent((event) => this.#event(event));
    backend.attach(this);
  }

  canReceive(): number {
    return this.#requests.length >= MAX_QUEUED || this.#outputBytes > OUTPUT_HIGH_WATER ? 0 : 4096;
  }

  receive(bytes: Uint8Array): void {
    this.#json.push(bytes);
  }

  descriptors(fds: readonly number[]): void {
    this.#descriptors.push(...fds);
    this.#discardDescriptors(MAX_DESCRIPTORS);
  }

  /** Closes the oldest descriptors until only so many wait. */
  #discardDescriptors(limit: number): void {
    while (this.#descriptors.length > limit) this.#target.descriptors?.discard(this.#descriptors.shift()!);
  }

  event(event: 'opened' | 'closed' | 'break'): void {
    if (event === 'break') return;
    this.#discardDescriptors(0);
    this.#conversation++;
    this.#negotiated = false;
    this.#outOfBand = false;
    this.#requests = [];
    this.#output = [];
    this.#outputBytes = 0;
    this.#json.reset();
    if (event === 'opened')
      this.#send({ QMP: { version: versionInfo(this.#target.version), capabilities: CAPABILITIES } });
  }

  [Symbol.dispose](): void {
    this.#subscription[Symbol.dispose]();
    this.#discardDescriptors(0);
    this.#backend.attach(undefined);
  }

  #event(event: MonitorEvent): void {
    if (!this.#negotiated || this.#outputBytes > EVENT_LIMIT) return;
    const ns = this.#target.wallNs();
    const timestamp = { seconds: Number(ns / 1_000_000_000n), microseconds: Number((ns / 1000n) % 1_000_000n) };
    this.#send({ timestamp, event: event.event, ...(event.data === undefined ? {} : { data: event.data }) });
  }

  #request(request: unknown): void {
    // What is executed out of band waits for nobody and may overtake answers.
    if (this.#outOfBand && isObject(request) && Object.hasOwn(request, 'exec-oob')) {
      void this.#answerNow(request);
      return;
    }
    this.#requests.push(request);
    if (!this.#busy) void this.#work();
  }

  /** Handles what waits, one after the other: an answer is never overtaken by the next one. */
  async #work(): Promise<void> {
    this.#busy = true;
    for (;;) {
      const request = this.#requests.shift();
      if (request === undefined) break;
      const conversation = this.#conversation;
      const answer = await this.#answer(request);
      if (conversation === this.#conversation) this.#send(answer);
    }
    this.#busy = false;
    this.#backend.acceptInput();
  }

  async #answerNow(request: unknown): Promise<void> {
    const conversation = this.#conversation;
    const answer = await this.#answer(request);
    if (conversation === this.#conversation) this.#send(answer);
  }

  async #answer(request: unknown): Promise<object> {
    // The id comes back with errors too, wherever it can be found.
    const id = isObject(request) && Object.hasOwn(request, 'id') ? { id: request['id'] } : {};
    try {
      if (request instanceof QmpError) throw request;
      return { return: await this.#execute(request), ...id };
    } catch (error) {
      return { error: errorBody(error), ...id };
    }
  }

  async #execute(request: unknown): Promise<unknown> {
    if (!isObject(request)) throw new QmpError('GenericError', 'QMP input must be a JSON object');
    const { verb, name } = this.#verb(request);
    const given = request['arguments'] ?? {};
    if (!isObject(given)) throw new QmpError('GenericError', "QMP input member 'arguments' must be an object");
    const command = findCommand(name);
    if (!this.#negotiated && name !== 'qmp_capabilities') {
      throw new QmpError('CommandNotFound', "Expecting capabilities negotiation with 'qmp_capabilities'");
    }
    if (command === undefined) throw new QmpError('CommandNotFound', notFound(name));
    if (verb === 'exec-oob' && command.allowOob !== true)
      throw new QmpError('GenericError', `The command ${name} does not support OOB`);
    const args = command.arguments.check(given, 'arguments');
    if (name === 'qmp_capabilities') this.#negotiate(args);
    return command.run({ target: this.#target, takeDescriptor: () => this.#descriptors.shift() }, args);
  }

  /** Which command is asked for, and how. */
  #verb(request: Readonly<Record<string, unknown>>): { readonly verb: 'execute' | 'exec-oob'; readonly name: string } {
    const verbs = this.#outOfBand ? (['execute', 'exec-oob'] as const) : (['execute'] as const);
    for (const key of Object.keys(request))
      if (key !== 'arguments' && key !== 'id' && !verbs.some((verb) => verb === key))
        throw new QmpError('GenericError', `QMP input member '${key}' is unexpected`);
    const [verb, another] = verbs.filter((word) => Object.hasOwn(request, word));
    if (verb === undefined) throw new QmpError('GenericError', "QMP input lacks member 'execute'");
    if (another !== undefined) throw new QmpError('GenericError', "QMP input member 'execute' clashes with 'exec-oob'");
    const name = request[verb];
    if (typeof name !== 'string') throw new QmpError('GenericError', `QMP input member '${verb}' must be a string`);
    return { verb, name };
  }

  #negotiate(args: { readonly enable?: readonly 'oob'[] }): void {
    if (this.#negotiated)
      throw new QmpError('CommandNotFound', 'Capabilities negotiation is already complete, command ignored');
    this.#negotiated = true;
    this.#outOfBand = args.enable?.includes('oob') ?? false;
  }

  #send(message: object): void {
    const text = `${JSON.stringify(message, null, this.#pretty ? 4 : undefined)}\r\n`;
    const bytes = new TextEncoder().encode(text);
    this.#output.push(bytes);
    this.#outputBytes += bytes.length;
    this.#flush();
  }

  #flush(): void {
    while (this.#output.length > 0) {
      const chunk = this.#output[0]!;
      const taken = this.#backend.write(chunk);
      this.#outputBytes -= taken;
      if (taken === chunk.length) this.#output.shift();
      else {
        this.#output[0] = chunk.subarray(taken);
        this.#waitForRoom();
        return;
      }
    }
    this.#backend.acceptInput();
  }

  #waitForRoom(): void {
    if (this.#waitingForRoom) return;
    this.#waitingForRoom = true;
    this.#backend.onWritable(() => {
      this.#waitingForRoom = false;
      this.#flush();
    });
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Error);
}

function notFound(name: string): string {
  const reason = Object.hasOwn(REFUSED_COMMANDS, name) ? REFUSED_COMMANDS[name] : undefined;
  return reason === undefined
    ? `The command ${name} has not been found`
    : `The command ${name} is not available here: ${reason}`;
}
