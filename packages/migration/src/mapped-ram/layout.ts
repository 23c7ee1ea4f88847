/**
 * The layout of RAM in a file in which each page has a place (QEMU's mapped-ram: migration/ram.c and
 * docs/devel/migration/mapped-ram.rst, v10.0). Behind a block's name and length in the setup section there is a header that
 * says where in the file a bitmap and the pages are. They follow at once, and the stream goes on behind them:
 *
 *   header | bitmap | up to a multiple of 1 MiB: nothing | pages | next block's name ...
 *
 * Bit i of the bitmap (bit i % 8 of byte i / 8) is set if page i is there; others are zero, and their places are holes.
 */
import type { StreamReader } from '../stream/reader.ts';
import type { StreamWriter } from '../stream/writer.ts';
import type { BlockPlace } from './target.ts';

/** Bytes of a page. */
export const PAGE = 4096;
/** Bytes of a header: version, bytes of a page, place of the bitmap, place of the pages. */
export const HEADER_SIZE = 28;
const VERSION = 1;
/** Pages begin at a multiple of this, which every file system and device takes for direct access. */
const PAGES_ALIGNMENT = 2 ** 20;

/** Bytes of a block's bitmap: whole words of 64 bits. */
export function bitmapSize(pages: number): number {
  return Math.ceil(pages / 64) * 8;
}

/** The place of a block whose header begins at an offset of the file. */
export function placeBehind(headerOffset: number, pages: number): BlockPlace {
  const bitmapOffset = headerOffset + HEADER_SIZE;
  const pagesOffset = Math.ceil((bitmapOffset + bitmapSize(pages)) / PAGES_ALIGNMENT) * PAGES_ALIGNMENT;
  return { bitmapOffset, pagesOffset };
}

/** Writes a header. */
export function writeHeader(writer: StreamWriter, { bitmapOffset, pagesOffset }: BlockPlace): void {
  writer.u32(VERSION);
  writer.u64Number(PAGE);
  writer.u64Number(bitmapOffset);
  writer.u64Number(pagesOffset);
}

/**
 * Reads a header and distrusts it.
 *
 * @param headerOffset - Where in the file it begins
 * @throws Error with what is wrong, in words
 */
export function readHeader(reader: StreamReader, headerOffset: number, pages: number): BlockPlace {
  const [version, pageSize] = [reader.u32(), reader.u64Number()];
  const [bitmapOffset, pagesOffset] = [reader.u64Number(), reader.u64Number()];
  const refuse = (text: string) => {
    throw new Error(text);
  };
  if (version !== VERSION) refuse(`version ${version}, known is ${VERSION}`);
  if (pageSize !== PAGE) refuse(`pages of ${pageSize} bytes, known are ${PAGE}`);
  const headerEnd = headerOffset + HEADER_SIZE;
  if (bitmapOffset < headerEnd) refuse(`the bitmap at ${hex(bitmapOffset)} is before the header's end`);
  const bitmapEnd = bitmapOffset + bitmapSize(pages);
  if (pagesOffset < bitmapEnd) refuse(`the pages at ${hex(pagesOffset)} begin before the bitmap's end`);
  // QEMU writes multiples of 1 MiB, and reads all that are on pages.
  if (pagesOffset % PAGE !== 0) refuse(`the pages at ${hex(pagesOffset)} are not aligned`);
  if (pagesOffset + pages * PAGE > Number.MAX_SAFE_INTEGER) refuse(`the pages at ${hex(pagesOffset)} are too far`);
  return { bitmapOffset, pagesOffset };
}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}

/** A run of pages. */
export interface PageRun {
  readonly page: number;
  readonly count: number;
}

/** Runs of pages whose bits are set, none longer than `longest`. @throws RangeError for a bit behind the last page */
export function* runsOf(bitmap: Uint8Array, pages: number, longest: number): Generator<PageRun> {
  const has = (page: number) => ((bitmap[page >>> 3]! >>> (page & 7)) & 1) !== 0;
  const bits = bitmap.length * 8;
  for (let page = 0; page < bits; ) {
    if ((page & 7) === 0 && bitmap[page >>> 3] === 0) {
      page += 8;
      continue;
    }
    if (!has(page)) {
      page++;
      continue;
    }
    let end = page + 1;
    while (end < bits && end - page < longest && has(end)) end++;
    if (end > pages) throw new RangeError(`page ${Math.max(page, pages)} is there, and the block has ${pages}`);
    yield { page, count: end - page };
    page = end;
  }
}
