import { StreamError, TransportError } from '../errors.ts';
import { RETURN_PATH } from '../stream/constants.ts';
import type { StreamReader } from '../stream/reader.ts';

/** Longest message accepted on the return path. */
const MAX_MESSAGE = 512;

/**
 * What the destination says (QEMU migration/migration.c source_return_path_thread, v10.0). Reads until SHUT; an
 * error is kept for whoever waits.
 */
export class ReturnPathReader {
  readonly #reader: StreamReader;
  /** Values of the PONGs so far. */
  readonly pongs: number[] = [];
  #acked = false;
  readonly #finished: Promise<Error | undefined>;

  constructor(reader: StreamReader) {
    this.#reader = reader;
    this.#finished = this.#run().then(
      () => undefined,
      (error: Error) => error,
    );
  }

  /** Whether every device of the destination approves the switchover. */
  get switchoverAcked(): boolean {
    return this.#acked;
  }

  /** Resolves when the destination has said goodbye. @throws when it said so with an error, or broke off */
  async finished(): Promise<void> {
    const error = await this.#finished;
    if (error !== undefined) throw error;
  }

  async #run(): Promise<void> {
    const reader = this.#reader;
    while (await reader.hasMore()) {
      await reader.ensure(4);
      const [type, length] = [reader.u16(), reader.u16()];
      if (length > MAX_MESSAGE)
        throw new StreamError(`a return path message of ${length} bytes`, {
          section: 'return path',
          offset: reader.offset,
        });
      await reader.ensure(length);
      const payload = reader.bytes(length);
      switch (type) {
        case RETURN_PATH.shut:
          if (u32(payload) !== 0) throw new TransportError('the destination reports that it could not load the stream');
          return;
        case RETURN_PATH.pong:
          this.pongs.push(u32(payload));
          break;
        case RETURN_PATH.switchoverAck:
          this.#acked = true;
          break;
        default:
          throw new StreamError(`return path message ${type} is not expected here`, {
            section: 'return path',
            offset: reader.offset,
          });
      }
    }
    throw new TransportError('the destination closed the return path before it had finished');
  }
}

function u32(payload: Uint8Array): number {
  if (payload.length !== 4)
    throw new StreamError(`a message of ${payload.length} bytes instead of 4`, { section: 'return path' });
  return new DataView(payload.buffer, payload.byteOffset).getUint32(0);
}
