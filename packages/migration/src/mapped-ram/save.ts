import type { BufferArea } from '../host.ts';
import type { MarkedBlock } from '../ram/page-sender.ts';
import type { StreamWriter } from '../stream/writer.ts';
import type { FileOutput } from './file.ts';
import { bitmapSize, PAGE, placeBehind, writeHeader } from './layout.ts';
import type { MappedPlace } from './target.ts';

/** Writes what a stream with places has of its own: headers between the blocks of the list, and bitmaps at the end. */
export class MappedRamSaver {
  /** By block, in the order of the stream; complete when the list is. */
  readonly places: readonly MappedPlace[];
  readonly #places: MappedPlace[] = [];
  readonly #file: FileOutput;
  readonly #bytes: Uint8Array;
  readonly #bitmaps: BufferArea;
  #bitmapsEnd: number;
  /** Offset in the file that belongs to `#written` bytes of the stream. */
  #offset: number;
  #written = 0;

  /**
   * @param bytes - The whole memory
   * @param bitmaps - Where in it bitmaps are kept
   */
  constructor(file: FileOutput, bytes: Uint8Array, bitmaps: BufferArea) {
    this.places = this.#places;
    this.#file = file;
    this.#bytes = bytes;
    this.#bitmaps = bitmaps;
    this.#bitmapsEnd = bitmaps.offset;
    this.#offset = file.start;
  }

  /** Chooses a block's place and writes its header; the stream goes on behind its pages. @throws RangeError */
  place(writer: StreamWriter, { pages }: MarkedBlock): void {
    const place = placeBehind(this.#offset + writer.written - this.#written, pages);
    const bitmap = this.#bitmapsEnd;
    this.#bitmapsEnd += bitmapSize(pages);
    if (this.#bitmapsEnd > this.#bitmaps.offset + this.#bitmaps.size)
      throw new RangeError('the migration buffers are too small for the bitmaps of this RAM');
    this.#bytes.fill(0, bitmap, this.#bitmapsEnd);
    this.#places.push({ ...place, bitmap });
    writeHeader(writer, place);
    this.#seek(writer, place.pagesOffset + pages * PAGE);
  }

  /** Writes the bitmaps to their places. All pages are written, and nobody changes bits any more. */
  finish(writer: StreamWriter, blocks: readonly MarkedBlock[]): void {
    const end = this.#offset + writer.written - this.#written;
    for (const [i, { pages }] of blocks.entries()) {
      const { bitmapOffset, bitmap } = this.#places[i]!;
      this.#seek(writer, bitmapOffset);
      writer.bytes(this.#bytes.subarray(bitmap, bitmap + bitmapSize(pages)));
    }
    this.#seek(writer, end);
  }

  #seek(writer: StreamWriter, offset: number): void {
    writer.flush();
    this.#file.seek(offset);
    this.#offset = offset;
    this.#written = writer.written;
  }
}
