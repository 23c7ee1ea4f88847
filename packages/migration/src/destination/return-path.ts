import { RETURN_PATH } from '../stream/constants.ts';
import type { MigrationChannel } from '../transport/channel.ts';

/** Sends messages back to the source. A source that does not listen is noticed on the main stream, so errors end here. */
export class ReturnPathWriter {
  readonly #channel: MigrationChannel;
  #last: Promise<void> = Promise.resolve();

  constructor(channel: MigrationChannel) {
    this.#channel = channel;
  }

  pong(value: number): void {
    this.#send(RETURN_PATH.pong, be32(value));
  }
  switchoverAck(): void {
    this.#send(RETURN_PATH.switchoverAck, new Uint8Array());
  }
  /** The last message: whether the load has failed. Resolves when it is on its way. */
  async shut(failed: boolean): Promise<void> {
    this.#send(RETURN_PATH.shut, be32(failed ? 1 : 0));
    await this.#last;
  }

  #send(type: number, payload: Uint8Array): void {
    const message = new Uint8Array(4 + payload.length);
    message.set([type >>> 8, type & 0xff, payload.length >>> 8, payload.length & 0xff]);
    message.set(payload, 4);
    this.#last = this.#last.then(() => this.#channel.write(message)).catch(() => {});
  }
}

function be32(value: number): Uint8Array {
  return Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value);
}
