/** Like all that a channel's thread loads, this imports only types from other packages. */
import { writeSync } from 'node:fs';
import type { FileTarget } from '../mapped-ram/target.ts';
import type { MethodContext, PageBatch, PageMethod } from '../multifd/page-method.ts';

const PAGE = 4096;

/**
 * Writes pages to their places in a file, straight from the machine's memory: a page that the guest writes to meanwhile is
 * marked again, and written again to the same place.
 *
 * A bitmap's bits belong to the channel that has the stripe, whose beginning and length are multiples of whole words of it.
 */
export class FileMethod implements PageMethod {
  readonly #bytes: Uint8Array;
  readonly #fd: number;
  readonly #name: string;
  readonly #places: FileTarget['places'];
  #error: Error | undefined;

  /** @param fd - Open for writing, with direct access or without; whoever made this closes it */
  constructor({ memory }: Pick<MethodContext, 'memory'>, name: string, fd: number, { places }: FileTarget) {
    this.#bytes = new Uint8Array(memory.buffer);
    this.#name = name;
    this.#fd = fd;
    this.#places = places;
  }

  /** All of the batch is written when this resolves. */
  async put({ block, index, normal, zero, normalPages, zeroPages }: PageBatch): Promise<number> {
    const { pagesOffset, bitmap } = this.#places[index]!;
    for (let i = 0; i < normal; ) {
      const first = normalPages[i]!;
      let count = 1;
      while (i + count < normal && normalPages[i + count] === first + count) count++;
      this.#write(block.hostOffset + first * PAGE, count * PAGE, pagesOffset + first * PAGE);
      i += count;
    }
    for (let i = 0; i < normal; i++) {
      const page = normalPages[i]!;
      const at = bitmap + (page >>> 3);
      this.#bytes[at] = this.#bytes[at]! | (1 << (page & 7));
    }
    for (let i = 0; i < zero; i++) {
      const page = zeroPages[i]!;
      const at = bitmap + (page >>> 3);
      this.#bytes[at] = this.#bytes[at]! & ~(1 << (page & 7));
    }
    return normal * PAGE;
  }

  async sync(): Promise<number> {
    return 0;
  }

  abort(reason: Error): void {
    this.#error ??= reason;
  }

  #write(at: number, length: number, offset: number): void {
    if (this.#error !== undefined) throw this.#error;
    try {
      for (let done = 0; done < length; )
        done += writeSync(this.#fd, this.#bytes, at + done, length - done, offset + done);
    } catch (error) {
      this.#error = new Error(`${this.#name}: ${error instanceof Error ? error.message : error}`);
      throw this.#error;
    }
  }
}
