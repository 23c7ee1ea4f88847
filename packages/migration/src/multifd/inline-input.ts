import type { MigrationChannel } from '../transport/channel.ts';
import type { MultifdInput, Reached } from './incoming.ts';
import { PacketInput } from './packet-input.ts';
import type { PacketSource, ReceivePlan } from './packet-reader.ts';
import { type Hello, PacketError, unlessBroken } from './packets.ts';
import type { PayloadCodecs } from './page-method.ts';
import { ReaderGate } from './reader-gate.ts';
import { channelError, type StateTaker } from './receiver.ts';

/** A channel that is read on the machine's loop, for channels without a thread: in one process, in simulations. */
export class InlineInput implements MultifdInput {
  readonly name: string;
  readonly hello: Promise<Hello | undefined>;
  readonly ended: Promise<Error | undefined>;
  readonly #channel: MigrationChannel;
  readonly #started: PromiseWithResolvers<readonly [ReceivePlan, StateTaker]> = Promise.withResolvers();
  readonly #gate: ReaderGate = new ReaderGate();

  /** @param codecs - Absent where nothing can be decompressed. */
  constructor(channel: MigrationChannel, codecs?: PayloadCodecs) {
    const { name } = channel;
    this.name = name;
    this.#channel = channel;
    this.#started.promise.catch(() => {});
    const input = new PacketInput((window) => new ChunkSource(channel, window));
    this.hello = input.hello().catch(unlessBroken);
    this.ended = this.#run(input, codecs).then(
      () => undefined,
      (error: Error) => channelError(name, error),
    );
    void this.ended.then((error) => this.#gate.end(error ?? new PacketError(`${name} has ended`)));
  }

  start(plan: ReceivePlan, state: StateTaker): void {
    this.#started.resolve([plan, state]);
  }
  reached(): Promise<Reached> {
    return this.#gate.reached();
  }
  resume(): void {
    this.#gate.resume();
  }
  abort(reason: Error): void {
    this.#channel.abort(reason);
    this.#started.reject(reason);
    this.#gate.end(reason);
  }
  close(): void {
    void this.#channel.close();
  }

  async #run(input: PacketInput, codecs: PayloadCodecs | undefined): Promise<void> {
    if ((await this.hello) === undefined) return;
    if (!(await input.more())) return;
    const [plan, state] = await this.#started.promise;
    const { compression } = plan;
    if (compression !== 'none' && codecs === undefined)
      throw new PacketError(`nothing can be decompressed with ${compression} on this channel`);
    const synchronise = (watched: readonly number[]) => this.#gate.arrive({ watched });
    await input.run(plan, { synchronise, state }, codecs?.decoder(compression));
  }
}

/** Chunks of a channel, copied to the window. */
class ChunkSource implements PacketSource {
  readonly #channel: MigrationChannel;
  readonly #window: Uint8Array;
  #chunk: Uint8Array = new Uint8Array();
  #at = 0;

  constructor(channel: MigrationChannel, window: Uint8Array) {
    this.#channel = channel;
    this.#window = window;
  }

  async next(): Promise<number> {
    if (this.#at === this.#chunk.length) {
      this.#chunk = (await this.#channel.read()) ?? new Uint8Array();
      this.#at = 0;
    }
    const part = this.#chunk.subarray(this.#at, this.#at + this.#window.length);
    this.#window.set(part);
    this.#at += part.length;
    return part.length;
  }
}
