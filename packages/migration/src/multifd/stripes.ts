import type { MarkedBlock } from '../ram/page-sender.ts';

/** Pages of a stripe: 1 MiB, so that channels of different speed end at the same time. */
const STRIPE_PAGES = 256;

/** Pages of one block that one channel takes in a round. */
export interface Stripe {
  /** Place of the block in the plan. */
  readonly index: number;
  /** First page that was not looked at yet. */
  page: number;
  /** Behind the last one. */
  readonly end: number;
}

/**
 * All of RAM in numbered pieces. Channels take them in the order of their numbers from a counter that they share, so that none
 * waits for another, and no two look at the same marks.
 */
export class Stripes {
  readonly #blocks: readonly MarkedBlock[];
  /** Number of each block's first stripe. */
  readonly #first: number[] = [];
  readonly #count: number;

  constructor(blocks: readonly MarkedBlock[]) {
    this.#blocks = blocks;
    let count = 0;
    for (const { pages } of blocks) {
      this.#first.push(count);
      count += Math.ceil(pages / STRIPE_PAGES);
    }
    this.#count = count;
  }

  /** The stripe with a number, undefined behind the last. */
  at(number: number): Stripe | undefined {
    if (number >= this.#count) return undefined;
    let index = this.#blocks.length - 1;
    while (this.#first[index]! > number) index--;
    const page = (number - this.#first[index]!) * STRIPE_PAGES;
    return { index, page, end: Math.min(page + STRIPE_PAGES, this.#blocks[index]!.pages) };
  }
}
