import { PAGE } from './blocks.ts';
import type { XbzrleSent } from './page-sender.ts';

/** The `xbzrle-cache` member of `query-migrate` (QAPI XBZRLECacheStats). */
export interface XbzrleCacheStats {
  readonly 'cache-size': number;
  /** Sent for pages that were in the cache. */
  readonly bytes: number;
  /** Pages that were in the cache. */
  readonly pages: number;
  readonly 'cache-miss': number;
  /** Misses for each page sent, in the last period of measurement. */
  readonly 'cache-miss-rate': number;
  /** How many times smaller pages became that were in the cache, in the last period of measurement. */
  readonly 'encoding-rate': number;
  /** Pages of the cache that had changed so much that they were sent whole. */
  readonly overflow: number;
}

/** What XBZRLE has done in one migration. */
export class XbzrleCounters {
  #bytes = 0;
  #pages = 0;
  #misses = 0;
  #overflows = 0;
  #missRate = 0;
  #encodingRate = 0;
  /** When the period of measurement began. */
  #before = { bytes: 0, pages: 0, misses: 0, sentPages: 0 };

  /** Pages that were in the cache. */
  get pages(): number {
    return this.#pages;
  }

  add({ hits, overflows, misses, bytes }: XbzrleSent): void {
    this.#pages += hits;
    this.#overflows += overflows;
    this.#misses += misses;
    this.#bytes += bytes;
  }

  /** Ends a period of measurement (QEMU migration/ram.c migration_update_rates, v10.0). @param sentPages of all kinds, so far */
  endPeriod(sentPages: number): void {
    const before = this.#before;
    if (sentPages === before.sentPages) return;
    this.#missRate = (this.#misses - before.misses) / (sentPages - before.sentPages);
    const bytes = this.#bytes - before.bytes;
    this.#encodingRate = bytes === 0 ? 0 : ((this.#pages - before.pages) * PAGE) / bytes;
    this.#before = { bytes: this.#bytes, pages: this.#pages, misses: this.#misses, sentPages };
  }

  stats(cacheSize: number): XbzrleCacheStats {
    return {
      'cache-size': cacheSize,
      bytes: this.#bytes,
      pages: this.#pages,
      'cache-miss': this.#misses,
      'cache-miss-rate': this.#missRate,
      'encoding-rate': this.#encodingRate,
      overflow: this.#overflows,
    };
  }
}
