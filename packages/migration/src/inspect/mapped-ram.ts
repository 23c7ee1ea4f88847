/** A block of a file with fixed places for pages (QEMU's mapped-ram, docs/devel/migration/mapped-ram.rst, v10.0). */
import { StreamError } from '../errors.ts';
import { PAGE } from '../ram/blocks.ts';
import type { SourceCursor } from './source.ts';

/** Pages begin at a multiple of this many bytes. */
const ALIGNMENT = 2 ** 20;
/** Bytes of a bitmap that are read at once. */
const WINDOW = 2 ** 16;

/** Where a block's pages are. */
export interface MappedBlock {
  /** First byte of the header. */
  readonly offset: number;
  readonly version: number;
  readonly pageSize: number;
  readonly bitmapOffset: number;
  readonly bitmapLength: number;
  readonly pagesOffset: number;
  /** Pages whose bit is set: the others are zero. */
  readonly present: number;
}

/**
 * Reads the header behind a block's name and length, checks it and its bitmap, and leaves the cursor behind the pages.
 *
 * @param warn told of what is odd and does no harm
 * @throws StreamError when the pages cannot be found
 */
export function readMappedBlock(
  cursor: SourceCursor,
  block: { readonly name: string; readonly length: number },
  warn: (offset: number, message: string) => void,
): MappedBlock {
  const { offset, source } = cursor;
  const version = cursor.u32();
  const pageSize = cursor.u64();
  const bitmapOffset = cursor.u64();
  const pagesOffset = cursor.u64();
  const refuse = (at: number, text: string) => {
    throw new StreamError(`mapped-ram header of ${block.name}: ${text}`, { section: 'ram', offset: at });
  };
  if (version !== 1) refuse(offset, `version ${version}, known is 1`);
  if (pageSize !== PAGE) refuse(offset + 4, `pages of ${pageSize} bytes, known are ${PAGE}`);
  const pages = block.length / pageSize;
  const bitmapLength = Math.ceil(pages / 64) * 8;
  if (bitmapOffset < cursor.offset)
    refuse(offset + 12, `the bitmap at 0x${bitmapOffset.toString(16)} lies before its header's end`);
  if (bitmapOffset !== cursor.offset)
    warn(
      offset + 12,
      `${block.name}: the bitmap is not right behind its header, but at 0x${bitmapOffset.toString(16)}`,
    );
  if (bitmapOffset + bitmapLength > source.size)
    refuse(offset + 12, `the bitmap ends at 0x${(bitmapOffset + bitmapLength).toString(16)}, behind the file`);
  if (pagesOffset < bitmapOffset + bitmapLength)
    refuse(offset + 20, `the pages at 0x${pagesOffset.toString(16)} overlap the bitmap`);
  if (pagesOffset % PAGE !== 0) refuse(offset + 20, `the pages at 0x${pagesOffset.toString(16)} are not aligned`);
  if (pagesOffset % ALIGNMENT !== 0)
    warn(offset + 20, `${block.name}: the pages at 0x${pagesOffset.toString(16)} are not aligned to 1 MiB`);
  const mapped = { offset, version, pageSize, bitmapOffset, bitmapLength, pagesOffset };
  let present = 0;
  let last = -1;
  eachPresentPage(cursor.source, mapped, (page) => {
    present++;
    last = page;
  });
  if (last >= pages) refuse(bitmapOffset, `page ${last} is marked, the block has ${pages}`);
  if (last >= 0 && pagesOffset + (last + 1) * pageSize > source.size)
    refuse(bitmapOffset, `page ${last} is marked, and lies behind the end of the file`);
  cursor.offset = pagesOffset + block.length;
  return { ...mapped, present };
}

/** Calls back for every page whose bit is set, in order. Bit i of the bitmap is bit i % 8 of byte i / 8. */
export function eachPresentPage(
  source: SourceCursor['source'],
  { bitmapOffset, bitmapLength }: Pick<MappedBlock, 'bitmapOffset' | 'bitmapLength'>,
  each: (page: number) => void,
): void {
  for (let at = 0; at < bitmapLength; at += WINDOW) {
    const bytes = source.read(bitmapOffset + at, Math.min(WINDOW, bitmapLength - at)).slice();
    for (let i = 0; i < bytes.length; i++) {
      const byte = bytes[i]!;
      for (let bit = 0; byte >>> bit !== 0; bit++) if (((byte >>> bit) & 1) !== 0) each((at + i) * 8 + bit);
    }
  }
}
