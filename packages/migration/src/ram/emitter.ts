import type { RamKernel } from './kernel-instance.ts';
import { MAX_RECORD, type MarkedBlock, type PagePlan, type SentPages, type XbzrleTurn } from './page-sender.ts';
import { XbzrleCache } from './xbzrle-cache.ts';

/** CONTINUE, in the last byte of a record's address. */
const CONTINUE = 0x20;

const NOTHING = { zero: 0, normal: 0, hits: 0, unchanged: 0, overflows: 0, misses: 0, bytes: 0 };

/** Places records of marked pages into shared memory, block after block, round and round. */
export class PageEmitter {
  readonly #plan: Pick<PagePlan, 'memory' | 'blocks' | 'xbzrle'>;
  readonly #blocks: readonly MarkedBlock[];
  readonly #kernel: RamKernel;
  readonly #bytes: Uint8Array;
  readonly #cells: Uint32Array;
  /** Since {@link PageEmitter.taken} was asked last. */
  readonly #done = { ...NOTHING };
  /** Search position. */
  #at = 0;
  #page = 0;
  /** Set when all of RAM has been looked at once: from then on pages may have been sent before. */
  #lapped = false;
  /** The block that CONTINUE refers to. */
  #named: MarkedBlock | undefined;
  #turn: XbzrleTurn | undefined;
  #cache: XbzrleCache | undefined;

  /** @param cells the kernel's answers */
  constructor(plan: Pick<PagePlan, 'memory' | 'blocks' | 'xbzrle'>, kernel: RamKernel, cells: Uint32Array) {
    this.#plan = plan;
    this.#blocks = plan.blocks;
    this.#kernel = kernel;
    this.#bytes = new Uint8Array(plan.memory.buffer);
    this.#cells = cells;
  }

  /** Pages that are done with since creation or the last {@link PageEmitter.taken}. */
  get pages(): number {
    const { zero, normal, hits, overflows } = this.#done;
    return zero + normal + hits - overflows;
  }

  /** What was placed since the last call. */
  taken(): SentPages {
    const { zero, normal, ...xbzrle } = this.#done;
    Object.assign(this.#done, NOTHING);
    return this.#turn === undefined ? { zero, normal } : { zero, normal, xbzrle };
  }

  /**
   * Says how pages that were sent before are sent from now on; a cache of another size begins empty.
   *
   * @throws RangeError when there is no memory for the cache
   */
  repeat(turn: XbzrleTurn | undefined): void {
    this.#turn = turn;
    if (turn === undefined || !this.#lapped || this.#cache?.size === turn.cacheSize) return;
    this.#cache = undefined;
    this.#cache = new XbzrleCache(this.#plan.xbzrle!, this.#plan.memory, turn.cacheSize);
  }

  /**
   * Writes records to `out` until the room is less than the longest record, `most` pages are done with, or no page is marked.
   *
   * @returns the end of what was written; `out` itself when no page is marked, or those that are have not changed
   */
  fill(out: number, outEnd: number, most: number): number {
    const before = this.pages;
    let end = out;
    for (let barren = 0; barren <= this.#blocks.length && outEnd - end >= MAX_RECORD; ) {
      const left = most - (this.pages - before);
      if (left <= 0) break;
      const placed = this.#place(end, outEnd, left);
      if (placed > end) barren = 0;
      end = placed;
      if (this.#page < this.#blocks[this.#at]!.pages) continue;
      this.#nextBlock();
      barren++;
    }
    return end;
  }

  #nextBlock(): void {
    this.#at = (this.#at + 1) % this.#blocks.length;
    this.#page = 0;
    if (this.#at !== 0 || this.#lapped) return;
    this.#lapped = true;
    this.repeat(this.#turn);
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

  #emit(block: MarkedBlock, out: number, outEnd: number, most: number): number {
    const done = this.#done;
    if (this.#cache !== undefined && this.#turn !== undefined) {
      const { round, last } = this.#turn;
      const cache = this.#cache;
      this.#page = cache.emit(out, outEnd, block, this.#page, most, round, last);
      done.zero += cache.answer('zero');
      done.normal += cache.answer('normal');
      done.hits += cache.answer('hits');
      done.unchanged += cache.answer('unchanged');
      done.overflows += cache.answer('overflows');
      done.misses += cache.answer('misses');
      done.bytes += cache.answer('bytes');
      return cache.answer('out');
    }
    const { map, flags, hostOffset, pages } = block;
    this.#page = this.#kernel.emit(out, outEnd, map, flags, hostOffset, this.#page, pages, most);
    done.zero += this.#cells[1]!;
    done.normal += this.#cells[2]!;
    return this.#cells[0]!;
  }
}
