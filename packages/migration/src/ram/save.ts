/**
 * The source's side of RAM.
 *
 * The naive way is to send pages and note which the guest writes meanwhile.
 * It loses data when a page is read before its dirty mark is cleared, so the
 * order is fixed: (1) `sync` moves the machine's dirty flags into our map and
 * has the write tags dropped, so that the next write to any page is seen
 * again; (2) a page's mark is cleared; (3) its bytes are read. A write between
 * 2 and 3 marks the page once more, and at worst it travels twice.
 */
import { PAGE_UNTOUCHED, type RamBlock, SternaError } from '@sterna/core';
import type { MigrationHost } from '../host.ts';
import type { MigrationCounters } from '../info.ts';
import { RAM_FLAG } from '../stream/constants.ts';
import type { StreamWriter } from '../stream/writer.ts';
import { PAGE, type RamArea, streamOrder } from './blocks.ts';

/** Pages between two looks at the clock. */
const BATCH = 32;
/** Time over which the dirty rate is measured. */
const RATE_PERIOD_MS = 1000;

interface TrackedBlock {
  readonly block: RamBlock;
  readonly pages: number;
  /** Addresses of the block's first mark and first flags byte. */
  readonly map: number;
  readonly flags: number;
}

/** Dirty tracking and page sending of one outgoing migration. */
export class RamSaver {
  readonly #host: MigrationHost;
  readonly #area: RamArea;
  readonly #counters: MigrationCounters;
  readonly #blocks: readonly TrackedBlock[];
  #dirty = 0;
  #freshPages = 0;
  #rateSince = 0;
  /** Search position. */
  #at = 0;
  #page = 0;
  /** The block that CONTINUE refers to. */
  #sentBlock: TrackedBlock | undefined;

  /** @throws RangeError when the buffer area cannot hold a mark for each page */
  constructor(host: MigrationHost, area: RamArea, counters: MigrationCounters) {
    this.#host = host;
    this.#area = area;
    this.#counters = counters;
    let map = area.map.offset;
    this.#blocks = streamOrder(host.ramBlocks()).map((block) => {
      const tracked = { block, pages: block.usedLength / PAGE, map, flags: host.pageFlags + block.hostOffset / PAGE };
      map += Math.ceil(tracked.pages / 16) * 16;
      return tracked;
    });
    if (map > area.map.offset + area.map.size) throw new RangeError('the migration buffers are too small for this RAM');
  }

  /** Bytes of all blocks. */
  get total(): number {
    return this.#blocks.reduce((sum, { block }) => sum + block.usedLength, 0);
  }
  /** Bytes of marked pages, as of the last sync. */
  get remaining(): number {
    return this.#dirty * PAGE;
  }

  /** Starts tracking: every page is to be sent, and every write from now on is seen. */
  setup(writer: StreamWriter, now: number): void {
    for (const { map, pages } of this.#blocks) this.#area.bytes.fill(1, map, map + pages);
    this.#dirty = this.total / PAGE;
    this.#counters.total = this.total;
    this.#rateSince = now;
    this.sync(now);
    writer.u64Number(this.total + RAM_FLAG.memSize);
    for (const { block } of this.#blocks) {
      writer.countedString(block.name);
      writer.u64Number(block.usedLength);
    }
    writer.u64Number(RAM_FLAG.eos);
  }

  /**
   * Marks what was written since the last sync.
   *
   * @param now ms, to know the rate at which the guest dirties pages
   */
  sync(now: number): void {
    let fresh = 0;
    for (const { flags, map, pages } of this.#blocks) fresh += this.#area.kernel.harvest(flags, map, pages);
    this.#host.flushWriteTags();
    this.#dirty += fresh;
    this.#counters.syncCount++;
    this.#counters.remaining = this.remaining;
    this.#freshPages += fresh;
    const period = now - this.#rateSince;
    if (period < RATE_PERIOD_MS) return;
    this.#counters.dirtyPagesRate = Math.round((this.#freshPages * 1000) / period);
    this.#freshPages = 0;
    this.#rateSince = now;
  }

  /**
   * Sends marked pages until `stop` says so or none is left, without the closing EOS.
   *
   * @param stop asked between batches; the channel's congestion is not its business
   * @returns whether pages are left
   */
  async send(writer: StreamWriter, stop: () => boolean): Promise<boolean> {
    for (let barren = 0; this.#dirty > 0; ) {
      await writer.storageReady();
      if (this.#sendBatch(writer)) barren = 0;
      else if (++barren > this.#blocks.length)
        throw new SternaError('STERNA_ERR_INTERNAL', 'RAM is dirty, but no page is marked');
      else this.#wrap();
      if (stop()) break;
    }
    return this.#dirty > 0;
  }

  /** One batch from the search position. @returns false at the end of a block */
  #sendBatch(writer: StreamWriter): boolean {
    const tracked = this.#blocks[this.#at]!;
    if (this.#page >= tracked.pages) return false;
    if (this.#sentBlock !== tracked) {
      this.#page = this.#firstMarked(tracked);
      if (this.#page >= tracked.pages) return false;
      this.#sendNamed(writer, tracked);
      return true;
    }
    const chunk = writer.chunk(8 + PAGE);
    if (chunk.buffer !== this.#area.bytes.buffer) return true;
    const out = chunk.byteOffset + writer.position;
    const { kernel } = this.#area;
    const { map, flags, block, pages } = tracked;
    const end = chunk.byteOffset + chunk.length;
    this.#page = kernel.emit(out, end, map, flags, block.hostOffset, this.#page, pages, BATCH);
    writer.advance(this.#area.cell(0) - out);
    this.#sent(this.#area.cell(1), this.#area.cell(2));
    return true;
  }

  /** A page with its block's name in front. */
  #sendNamed(writer: StreamWriter, tracked: TrackedBlock): void {
    const { block, flags, map } = tracked;
    const page = this.#page++;
    const { bytes, kernel } = this.#area;
    bytes[map + page] = 0;
    const host = block.hostOffset + page * PAGE;
    const zero = (bytes[flags + page]! & PAGE_UNTOUCHED) !== 0 || kernel.isZero(host) !== 0;
    writer.u64Number(page * PAGE + (zero ? RAM_FLAG.zero : RAM_FLAG.page));
    writer.countedString(block.name);
    if (zero) writer.u8(0);
    else writer.bytes(bytes.subarray(host, host + PAGE));
    this.#sentBlock = tracked;
    this.#sent(zero ? 1 : 0, zero ? 0 : 1);
  }

  #firstMarked({ map, pages }: TrackedBlock): number {
    const found = this.#area.bytes.subarray(map + this.#page, map + pages).indexOf(1);
    return found < 0 ? pages : this.#page + found;
  }

  #wrap(): void {
    this.#at = (this.#at + 1) % this.#blocks.length;
    this.#page = 0;
  }

  #sent(zero: number, normal: number): void {
    this.#dirty -= zero + normal;
    this.#counters.zeroPages += zero;
    this.#counters.normalPages += normal;
    this.#counters.remaining = this.remaining;
  }
}
