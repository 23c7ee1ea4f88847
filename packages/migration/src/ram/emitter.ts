import type { RamKernel } from './kernel-instance.ts';
import { MAX_RECORD, type MarkedBlock } from './page-sender.ts';

/** CONTINUE, in the last byte of a record's address. */
const CONTINUE = 0x20;

/** Places records of marked pages into shared memory, block after block, round and round. */
export class PageEmitter {
  /** Pages placed since creation: as ZERO records, and whole. */
  zero = 0;
  normal = 0;
  readonly #blocks: readonly MarkedBlock[];
  readonly #kernel: RamKernel;
  readonly #bytes: Uint8Array;
  readonly #cells: Uint32Array;
  /** Search position. */
  #at = 0;
  #page = 0;
  /** The block that CONTINUE refers to. */
  #named: MarkedBlock | undefined;

  /**
   * @param bytes the whole memory
   * @param cells the kernel's answers
   */
  constructor(blocks: readonly MarkedBlock[], kernel: RamKernel, bytes: Uint8Array, cells: Uint32Array) {
    this.#blocks = blocks;
    this.#kernel = kernel;
    this.#bytes = bytes;
    this.#cells = cells;
  }

  /**
   * Writes records to `out` until the room is less than the longest record, `most` pages are placed, or no page is marked.
   *
   * @returns the end of what was written; `out` itself when no page is marked
   */
  fill(out: number, outEnd: number, most: number): number {
    const before = this.zero + this.normal;
    let end = out;
    for (let barren = 0; barren <= this.#blocks.length && outEnd - end >= MAX_RECORD; ) {
      const left = most - (this.zero + this.normal - before);
      if (left <= 0) break;
      const placed = this.#place(end, outEnd, left);
      if (placed > end) barren = 0;
      end = placed;
      if (this.#page < this.#blocks[this.#at]!.pages) continue;
      this.#at = (this.#at + 1) % this.#blocks.length;
      this.#page = 0;
      barren++;
    }
    return end;
  }

  #place(out: number, outEnd: number, most: number): number {
    const block = this.#blocks[this.#at]!;
    if (this.#named === block) return this.#emit(block, out, outEnd, most);
    // A record of the kernel's always continues. The first of a block gets its name put between address and page.
    const head = 1 + block.name.length;
    const end = this.#emit(block, out + head, outEnd, 1);
    if (end === out + head) return out;
    const bytes = this.#bytes;
    bytes.copyWithin(out, out + head, out + head + 8);
    bytes[out + 7] = bytes[out + 7]! & ~CONTINUE;
    bytes[out + 8] = block.name.length;
    for (let i = 0; i < block.name.length; i++) bytes[out + 9 + i] = block.name.charCodeAt(i);
    this.#named = block;
    return end;
  }

  #emit({ map, flags, hostOffset, pages }: MarkedBlock, out: number, outEnd: number, most: number): number {
    this.#page = this.#kernel.emit(out, outEnd, map, flags, hostOffset, this.#page, pages, most);
    this.zero += this.#cells[1]!;
    this.normal += this.#cells[2]!;
    return this.#cells[0]!;
  }
}
