/** What RAM is after a stream was loaded, page by page, out of the stream itself. */
import { StreamError } from '../errors.ts';
import { PAGE } from '../ram/blocks.ts';
import { RAM_FLAG } from '../stream/constants.ts';
import { eachPresentPage } from './mapped-ram.ts';
import type { RamListener, StreamBlock } from './ram-walk.ts';
import type { ByteSource } from './source.ts';

/** No record: the page is as the destination had it. */
const ABSENT = -1;
const ZERO = -2;

/** Largest block whose pages are followed; a length is anybody's claim. */
const LARGEST = 2 ** 38;

interface BlockImage {
  readonly block: StreamBlock;
  /** Offset of each page's last whole copy, or one of the marks above. */
  readonly base: Float64Array;
  /** Changes on top of it, as offset and length one after the other, in their order. */
  readonly changes: Map<number, number[]>;
}

/** Follows the records of a stream's RAM; memory for eight bytes a page. */
export class RamImage implements RamListener {
  readonly #source: ByteSource;
  readonly #blocks = new Map<string, BlockImage>();

  constructor(source: ByteSource) {
    this.#source = source;
  }

  blocks(blocks: readonly StreamBlock[]): void {
    for (const block of blocks) {
      if (block.length > LARGEST)
        throw new StreamError(`block ${block.name} of ${block.length} bytes is more than is followed page by page`, {
          section: 'ram',
          offset: block.offset,
        });
      const base = new Float64Array(block.length / PAGE).fill(ABSENT);
      this.#blocks.set(block.name, { block, base, changes: new Map() });
      const { mapped } = block;
      if (mapped === undefined) continue;
      // What is not in the file is zero.
      base.fill(ZERO);
      eachPresentPage(this.#source, mapped, (page) => {
        if (page < base.length) base[page] = mapped.pagesOffset + page * PAGE;
      });
    }
  }

  page(flags: number, { name }: StreamBlock, address: number, data: number, length: number): void {
    const image = this.#blocks.get(name);
    const page = address / PAGE;
    if (image === undefined || page >= image.base.length) return;
    if ((flags & RAM_FLAG.xbzrle) !== 0) {
      const changes = image.changes.get(page);
      if (changes === undefined) image.changes.set(page, [data, length]);
      else changes.push(data, length);
      return;
    }
    image.changes.delete(page);
    image.base[page] = (flags & RAM_FLAG.zero) !== 0 ? ZERO : data;
  }

  /** The blocks that were announced. */
  get list(): readonly StreamBlock[] {
    return [...this.#blocks.values()].map(({ block }) => block);
  }

  /**
   * Puts a page's content into `into`.
   *
   * @returns false when the stream does not have it: it was sent over another channel, or never
   * @throws StreamError when an encoded page cannot be decoded
   */
  read(block: string, page: number, into: Uint8Array): boolean {
    const image = this.#blocks.get(block);
    const base = image?.base[page] ?? ABSENT;
    const changes = image?.changes.get(page);
    if (base === ABSENT && changes === undefined) return false;
    if (base < 0) into.fill(0);
    else into.set(this.#source.read(base, PAGE));
    for (let i = 0; changes !== undefined && i < changes.length; i += 2)
      applyXbzrle(into, this.#source.read(changes[i]!, changes[i + 1]!), changes[i]!);
    return true;
  }

  /** Whether both have the page from the same kind of mark, so that contents need no look. */
  isZero(block: string, page: number): boolean {
    const image = this.#blocks.get(block);
    return image !== undefined && image.base[page] === ZERO && !image.changes.has(page);
  }
}

/**
 * Applies an encoded page to what the page was before (QEMU migration/xbzrle.c, v10.0).
 *
 * @param offset of the data, for the message
 * @throws StreamError for runs of no length, or beyond the page
 */
export function applyXbzrle(page: Uint8Array, data: Uint8Array, offset: number): void {
  let at = 0;
  const wrong = (text: string) => new StreamError(`an encoded page ${text}`, { section: 'ram', offset: offset + at });
  const run = (): number => {
    const low = data[at++]!;
    if (low < 0x80) return low;
    const high = data[at++];
    if (high === undefined || high >= 0x80) throw wrong('has a length of more than two bytes');
    return (low & 0x7f) | (high << 7);
  };
  for (let place = 0; at < data.length; ) {
    const same = run();
    if (same === 0 && place > 0) throw wrong('has an empty run');
    place += same;
    if (at >= data.length) throw wrong('ends behind a run of equal bytes');
    const changed = run();
    if (changed === 0 || place + changed > page.length || at + changed > data.length)
      throw wrong(`has a run of ${changed} bytes at ${place}`);
    page.set(data.subarray(at, at + changed), place);
    at += changed;
    place += changed;
  }
}
