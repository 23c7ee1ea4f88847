import { TransportError } from '../errors.ts';
import { VM_FILE_MAGIC } from '../stream/constants.ts';
import type { IncomingConnection, MigrationChannel, MigrationListener } from '../transport/channel.ts';
import { checkHello, type MultifdInput } from './incoming.ts';
import { type Hello, MULTIFD_MAGIC } from './packets.ts';
import { channelError } from './receiver.ts';

/** All channels of an incoming migration: they live and die together. */
export class MultifdIncoming implements MigrationChannel {
  readonly inputs: readonly MultifdInput[];
  /** Resolves when none of the inputs brings anything any more; with what was wrong, if anything. */
  readonly drained: Promise<Error | undefined>;
  readonly #main: MigrationChannel;
  #over = false;

  constructor(main: MigrationChannel, inputs: readonly MultifdInput[]) {
    this.#main = main;
    this.inputs = inputs;
    this.drained = Promise.all(inputs.map(({ ended }) => ended)).then((errors) => errors.find((error) => error));
    for (const { ended } of inputs)
      void ended.then((error) => {
        // Whoever reads the main channel learns it there.
        if (error !== undefined && !this.#over) this.abort(error);
      });
  }

  get name(): string {
    return this.#main.name;
  }
  get bidirectional(): boolean {
    return this.#main.bidirectional;
  }
  write(bytes: Uint8Array): Promise<void> {
    return this.#main.write(bytes);
  }
  read(): Promise<Uint8Array | undefined> {
    return this.#main.read();
  }
  end(): Promise<void> {
    return this.#main.end();
  }
  abort(reason: Error): void {
    this.#over = true;
    this.#main.abort(reason);
    for (const input of this.inputs) input.abort(reason);
  }
  async close(): Promise<void> {
    this.#over = true;
    for (const input of this.inputs) input.close();
    await this.#main.close();
  }
}

/** What a set of channels must be like. */
export interface ExpectedChannels {
  /** How many beside the main one. */
  readonly channels: number;
  /** UUID of this machine, zeros when it has none. */
  readonly uuid: Uint8Array;
}

/**
 * Collects the connections of one source: the main channel and all others, in whatever order they are recognised.
 *
 * A source that gave up before it had all leaves some behind. A source connects its main channel first, so what was connected
 * before the latest main channel belongs to an earlier attempt and is dropped.
 */
export class ChannelCollector {
  readonly #expected: ExpectedChannels;
  readonly #complete: PromiseWithResolvers<MultifdIncoming> = Promise.withResolvers();
  #main: { readonly channel: MigrationChannel; readonly turn: number } | undefined;
  #inputs: { readonly input: MultifdInput; readonly id: number; readonly turn: number }[] = [];
  /** Connections that have not said what they are. */
  readonly #unknown = new Set<IncomingConnection>();
  #over = false;

  constructor(expected: ExpectedChannels) {
    this.#expected = expected;
    this.#complete.promise.catch(() => {});
  }

  /** Accepts connections until the set is complete. @throws PacketError for a connection that cannot belong to it */
  async collect(listener: MigrationListener): Promise<MultifdIncoming> {
    const accept = async (): Promise<void> => {
      for (let turn = 0; !this.#over; turn++) this.#take(await listener.next!(), turn);
    };
    accept().catch((error: Error) => this.#fail(error));
    return this.#complete.promise;
  }

  #take(connection: IncomingConnection, turn: number): void {
    this.#unknown.add(connection);
    this.#classify(connection, turn).catch((error: Error) => {
      connection.drop();
      this.#fail(error);
    });
  }

  /** Nothing more is wanted. */
  #end(): void {
    this.#over = true;
    for (const connection of this.#unknown) connection.drop();
  }

  async #classify(connection: IncomingConnection, turn: number): Promise<void> {
    // What cannot be looked into is known by its order.
    const byOrder = turn === 0 ? VM_FILE_MAGIC : MULTIFD_MAGIC;
    const magic = connection.magic === undefined ? byOrder : await connection.magic();
    this.#unknown.delete(connection);
    if (this.#over || magic === undefined) return connection.drop();
    if (magic === VM_FILE_MAGIC) this.#addMain(connection.main(), turn);
    else if (magic === MULTIFD_MAGIC) await this.#addInput(connection.multifd(), turn);
    else
      throw new TransportError(
        `a channel begins with 0x${magic.toString(16)}; a main channel begins with 0x5145564d, a multifd channel with 0x11223344`,
      );
  }

  #addMain(channel: MigrationChannel, turn: number): void {
    const old = this.#main;
    if (old !== undefined && old.turn > turn) {
      channel.abort(outdated());
      return;
    }
    old?.channel.abort(outdated());
    this.#main = { channel, turn };
    this.#dropBefore(turn);
    this.#finishIfComplete();
  }

  async #addInput(input: MultifdInput, turn: number): Promise<void> {
    const hello = await this.#hello(input);
    if (this.#over || hello === undefined) return input.abort(outdated());
    const same = this.#inputs.find(({ id }) => id === hello.id);
    if ((same !== undefined && same.turn > turn) || (this.#main?.turn ?? -1) > turn) return input.abort(outdated());
    same?.input.abort(outdated());
    const entry = { input, id: hello.id, turn };
    this.#inputs = [...this.#inputs.filter((one) => one !== same), entry];
    void input.ended.then(() => {
      this.#inputs = this.#inputs.filter((one) => one !== entry);
    });
    this.#finishIfComplete();
  }

  /** Who a channel is; undefined when it ended before it has said so. */
  async #hello(input: MultifdInput): Promise<Hello | undefined> {
    try {
      const hello = await input.hello;
      if (hello !== undefined) checkHello(hello, this.#expected.uuid, this.#expected.channels);
      return hello;
    } catch (error) {
      input.abort(outdated());
      throw channelError(input.name, error as Error);
    }
  }

  #dropBefore(turn: number): void {
    for (const { input, turn: of } of this.#inputs) if (of < turn) input.abort(outdated());
    this.#inputs = this.#inputs.filter((one) => one.turn > turn);
  }

  #finishIfComplete(): void {
    if (this.#over || this.#main === undefined || this.#inputs.length < this.#expected.channels) return;
    this.#end();
    const inputs = this.#inputs.toSorted((a, b) => a.id - b.id).map(({ input }) => input);
    this.#complete.resolve(new MultifdIncoming(this.#main.channel, inputs));
  }

  #fail(error: Error): void {
    if (this.#over) return;
    this.#end();
    this.#main?.channel.abort(error);
    for (const { input } of this.#inputs) input.abort(error);
    this.#complete.reject(error);
  }
}

function outdated(): TransportError {
  return new TransportError('a newer attempt has taken the place of this channel');
}
