import { PAGE_UNTOUCHED } from '@sterna/core';
import type { MigrationHost } from '../host.ts';
import { PAGE } from '../ram/blocks.ts';

/** Blocks that are smaller are not looked at: they would hardly change anything (QEMU migration/dirtyrate.h, v10.0). */
export const MIN_BLOCK = 128 * 2 ** 20;
/** Pages hashed before others have a turn. */
const PAGES_AT_ONCE = 256;

/** Sampled pages of one block, and what was in them. */
interface Sample {
  /** Host addresses. */
  readonly pages: Uint32Array;
  readonly hashes: Uint32Array;
  /** Length of the block in bytes. */
  readonly bytes: number;
}

/** Pages chosen at random, remembered by a hash of their content. */
export class PageSamples {
  readonly #host: MigrationHost;
  readonly #words: Uint32Array;
  readonly #flags: Uint8Array;
  readonly #samples: readonly Sample[];

  /**
   * Chooses the pages.
   *
   * @param perGiB - how many in each GiB
   * @param random - numbers from 0 on, below 1
   */
  constructor(host: MigrationHost, perGiB: number, random: () => number) {
    this.#host = host;
    this.#words = new Uint32Array(host.memory.buffer);
    this.#flags = new Uint8Array(host.memory.buffer);
    this.#samples = host
      .ramBlocks()
      .filter(({ usedLength }) => usedLength >= MIN_BLOCK)
      .map(({ hostOffset, usedLength }) => {
        const count = Math.floor((usedLength / 2 ** 30) * perGiB);
        const pages = Uint32Array.from(
          { length: count },
          () => hostOffset + Math.floor(random() * (usedLength / PAGE)) * PAGE,
        );
        return { pages, hashes: new Uint32Array(count), bytes: usedLength };
      });
  }

  /** Remembers what is in the pages. @param turn lets others have a turn */
  async take(turn: () => Promise<void>): Promise<void> {
    for (const { pages, hashes } of this.#samples) {
      for (let i = 0; i < pages.length; i++) {
        hashes[i] = this.#hash(pages[i]!);
        if (i % PAGES_AT_ONCE === PAGES_AT_ONCE - 1) await turn();
      }
    }
  }

  /** Bytes that have changed since, as far as the samples tell. */
  async changedBytes(turn: () => Promise<void>): Promise<number> {
    let [changed, looked, bytes] = [0, 0, 0];
    for (const sample of this.#samples) {
      bytes += sample.bytes;
      for (let i = 0; i < sample.pages.length; i++) {
        if (this.#hash(sample.pages[i]!) !== sample.hashes[i]) changed++;
        if (++looked % PAGES_AT_ONCE === 0) await turn();
      }
    }
    return looked === 0 ? 0 : (changed / looked) * bytes;
  }

  /** Not zero for a page that was written, except by chance. */
  #hash(page: number): number {
    // A page that was never written is not read: that would give it memory of the host.
    if ((this.#flags[this.#host.pageFlags + page / PAGE]! & PAGE_UNTOUCHED) !== 0) return EMPTY_HASH;
    return hashWords(this.#words, page / 4, PAGE / 4);
  }
}

/** 32 bits from words: each is mixed in as MurmurHash3 does, so that neither place nor value is lost. */
function hashWords(words: Uint32Array, from: number, count: number): number {
  let hash = 0;
  for (let i = from; i < from + count; i++) {
    let word = Math.imul(words[i]!, 0xcc9e2d51);
    word = (word << 15) | (word >>> 17);
    hash ^= Math.imul(word, 0x1b873593);
    hash = (hash << 13) | (hash >>> 19);
    hash = (Math.imul(hash, 5) + 0xe6546b64) | 0;
  }
  return hash >>> 0;
}

const EMPTY_HASH = hashWords(new Uint32Array(PAGE / 4), 0, PAGE / 4);
