import { PAGE_UNTOUCHED, type RamBlock } from '@sterna/core';
import { messageOf, StreamError } from '../errors.ts';
import type { MigrationHost } from '../host.ts';
import type { StreamReader } from '../stream/reader.ts';
import type { FileInput } from './file.ts';
import { bitmapSize, HEADER_SIZE, PAGE, type PageRun, readHeader, runsOf } from './layout.ts';
import type { BlockPlace } from './target.ts';

/** Most pages read at once. */
const LONGEST_RUN = 1024;
/** Reads under way at once: the host has threads for them, and one copies while another waits for its disk. */
const READS = 4;

/** Loads RAM from a file in which each page has a place. */
export class MappedRamLoader {
  readonly #host: MigrationHost;
  readonly #file: FileInput;

  constructor(host: MigrationHost, file: FileInput) {
    this.#host = host;
    this.#file = file;
  }

  /**
   * Reads the header behind a block's name and length, and the block itself; the stream goes on behind its pages.
   *
   * @throws StreamError; nothing is written to RAM any more then
   */
  async load(reader: StreamReader, block: RamBlock): Promise<void> {
    const offset = reader.offset;
    const pages = block.usedLength / PAGE;
    try {
      await reader.ensure(HEADER_SIZE);
      const place = readHeader(reader, this.#file.start + offset, pages);
      const bitmap = await this.#bitmap(place, pages);
      const runs = [...runsOf(bitmap, pages, LONGEST_RUN)];
      this.#clearOthers(block, bitmap);
      await this.#read(block, place, runs);
      const end = place.pagesOffset + block.usedLength;
      this.#file.seek(end);
      reader.forget(end - this.#file.start);
    } catch (error) {
      if (error instanceof StreamError) throw StreamError.at(error, { field: block.name, offset });
      throw new StreamError(`mapped RAM block ${block.name}: ${messageOf(error)}`, { offset }, { cause: error });
    }
  }

  async #bitmap({ bitmapOffset }: BlockPlace, pages: number): Promise<Uint8Array> {
    const bitmap = new Uint8Array(bitmapSize(pages));
    const read = await this.#file.readAt(bitmap, bitmapOffset);
    if (read < bitmap.length) throw new RangeError('the file ends within its bitmap');
    return bitmap;
  }

  /** Pages that are not in the file are zero, whatever a machine that was in use before has left in them. */
  #clearOthers({ hostOffset, usedLength }: RamBlock, bitmap: Uint8Array): void {
    const { memory, pageFlags } = this.#host;
    const pages = usedLength / PAGE;
    const flags = new Uint8Array(memory.buffer, pageFlags + hostOffset / PAGE, pages);
    const bytes = new Uint8Array(memory.buffer, hostOffset, usedLength);
    for (let page = 0; page < pages; page++) {
      if ((flags[page]! & PAGE_UNTOUCHED) !== 0 || ((bitmap[page >>> 3]! >>> (page & 7)) & 1) !== 0) continue;
      bytes.fill(0, page * PAGE, (page + 1) * PAGE);
      this.#host.markWritten(hostOffset + page * PAGE, PAGE);
    }
  }

  /** Reads into RAM itself. When one read fails the others are waited for: they write to memory. */
  async #read(block: RamBlock, place: BlockPlace, runs: readonly PageRun[]): Promise<void> {
    this.#prepare(block, runs);
    let [next, failed] = [0, false];
    const worker = async (): Promise<void> => {
      while (next < runs.length && !failed) await this.#readRun(block, place, runs[next++]!);
    };
    const workers = Array.from({ length: READS }, () =>
      worker().catch((error: unknown) => {
        failed = true;
        throw error;
      }),
    );
    const ended = (await Promise.allSettled(workers)).find(({ status }) => status === 'rejected');
    if (ended !== undefined) throw (ended as PromiseRejectedResult).reason;
  }

  /** Runs that follow each other are one stretch of memory. */
  #prepare({ hostOffset }: RamBlock, runs: readonly PageRun[]): void {
    for (let i = 0; i < runs.length; ) {
      const from = runs[i]!.page;
      let end = from;
      for (; i < runs.length && runs[i]!.page === end; i++) end += runs[i]!.count;
      this.#file.prepare?.(new Uint8Array(this.#host.memory.buffer, hostOffset + from * PAGE, (end - from) * PAGE));
    }
  }

  async #readRun({ hostOffset }: RamBlock, { pagesOffset }: BlockPlace, { page, count }: PageRun): Promise<void> {
    const [at, length] = [hostOffset + page * PAGE, count * PAGE];
    const read = await this.#file.readPages(
      new Uint8Array(this.#host.memory.buffer, at, length),
      pagesOffset + page * PAGE,
    );
    this.#host.markWritten(at, length);
    if (read < length) throw new RangeError(`the file ends before page ${page + Math.floor(read / PAGE)}`);
  }
}
