import { type OwnMemory, ownMemory } from './kernel-instance.ts';
import {
  type PacketOwner,
  PacketReader,
  type PacketSource,
  READER_MEMORY,
  type ReceivePlan,
  windowOf,
} from './packet-reader.ts';
import { decodeHello, HELLO_SIZE, type Hello } from './packets.ts';
import type { PayloadDecoder } from './page-method.ts';

/** One incoming channel from its first byte on. */
export class PacketInput {
  readonly #own: OwnMemory = ownMemory(READER_MEMORY);
  readonly #window: Uint8Array<ArrayBuffer> = windowOf(this.#own);
  readonly #source: PacketSource;
  #from = 0;
  #to = 0;

  /** @param open - Makes the source of bytes, which go into the window it gets. */
  constructor(open: (window: Uint8Array<ArrayBuffer>) => PacketSource) {
    this.#source = open(this.#window);
  }

  /**
   * Reads the packet that the channel begins with; undefined when it ends before.
   *
   * @param taken - Its first bytes, if they were read already.
   * @throws PacketError, or the source's error
   */
  async hello(taken: Uint8Array = new Uint8Array()): Promise<Hello | undefined> {
    const packet = new Uint8Array(HELLO_SIZE);
    packet.set(taken);
    for (let at = taken.length; at < HELLO_SIZE; ) {
      if (this.#from === this.#to && !(await this.#more())) return undefined;
      const part = Math.min(HELLO_SIZE - at, this.#to - this.#from);
      packet.set(this.#window.subarray(this.#from, this.#from + part), at);
      this.#from += part;
      at += part;
    }
    return decodeHello(packet);
  }

  /** Waits for what comes behind that packet. @returns false when nothing does. @throws the source's error */
  async more(): Promise<boolean> {
    return this.#from < this.#to || this.#more();
  }

  /** Reads all later packets, after {@link PacketInput.hello}. @throws PacketError, or the source's error */
  run(plan: ReceivePlan, owner: PacketOwner, decoder: PayloadDecoder | undefined): Promise<void> {
    const waiting = { from: this.#from, to: this.#to };
    return new PacketReader(plan, this.#own, { source: this.#source, owner }, waiting, decoder).run();
  }

  async #more(): Promise<boolean> {
    this.#from = 0;
    this.#to = await this.#source.next();
    return this.#to > 0;
  }
}
