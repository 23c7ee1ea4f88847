/**
 * The source's side of RAM.
 *
 * The naive way is to send pages and note which the guest writes meanwhile.
 * It loses data when a page is read before its dirty mark is cleared, so the
 * order is fixed: (1) `sync` moves the machine's dirty flags into our map and
 * has the write tags dropped, so that the next write to any page is seen
 * again; (2) a page's mark is cleared; (3) its bytes are read. A write between
 * 2 and 3 marks the page once more, and at worst it travels twice.
 *
 * 2 and 3 happen in a {@link PageSender}, in a thread where the channel has
 * one. The map is handed over with each call and never looked at meanwhile, so
 * neither side needs atomic accesses.
 */
import { SternaError } from '@sterna/core';
import type { BufferArea, MigrationHost } from '../host.ts';
import type { MigrationCounters } from '../info.ts';
import type { FileOutput } from '../mapped-ram/file.ts';
import { MappedRamSaver } from '../mapped-ram/save.ts';
import { RAM_FLAG } from '../stream/constants.ts';
import type { StreamWriter } from '../stream/writer.ts';
import { PAGE, type RamArea, streamOrder } from './blocks.ts';
import { ramKernelModule } from './kernel.ts';
import type { MarkedBlock, PageBudget, PagePlan, PageSender, RamSectionKind, SentPages } from './page-sender.ts';
import { xbzrleModule } from './xbzrle-kernel.ts';

/** What a migration does with pages beside sending them whole. */
export interface RamSaverOptions {
  /** Bytes of the cache that XBZRLE may have, asked for each request: it may change meanwhile. Absent without XBZRLE. */
  readonly xbzrleCacheSize?: (() => number) | undefined;
  /** Pages get places in this file; see {@link MappedPlan}. */
  readonly mapped?: { readonly file: FileOutput; readonly findZeroPages: boolean } | undefined;
}

/** The bits of a tracked block that do not change. */
function markedBlocks(host: MigrationHost, area: RamArea): readonly MarkedBlock[] {
  let map = area.map.offset;
  const blocks = streamOrder(host.ramBlocks()).map(({ name, hostOffset, usedLength }) => {
    const pages = usedLength / PAGE;
    const block = { name, hostOffset, map, flags: host.pageFlags + hostOffset / PAGE, pages };
    map += Math.ceil(pages / 16) * 16;
    return block;
  });
  if (map > area.map.offset + area.map.size) throw new RangeError('the migration buffers are too small for this RAM');
  return blocks;
}

/** The rest of the area that marks are in. */
function behindMarks(blocks: readonly MarkedBlock[], { map: { offset, size } }: RamArea): BufferArea {
  const at = blocks.reduce((end, { map, pages }) => Math.max(end, map + Math.ceil(pages / 16) * 16), offset);
  return { offset: at, size: offset + size - at };
}

/** Dirty tracking and page sending of one outgoing migration. */
export class RamSaver {
  /** Handed to whoever sends the pages. */
  readonly plan: PagePlan;
  readonly #host: MigrationHost;
  readonly #area: RamArea;
  readonly #counters: MigrationCounters;
  readonly #xbzrleCacheSize: (() => number) | undefined;
  readonly #mapped: MappedRamSaver | undefined;
  #dirty = 0;

  /** @throws RangeError when the buffer area cannot hold a mark for each page */
  constructor(host: MigrationHost, area: RamArea, counters: MigrationCounters, options: RamSaverOptions = {}) {
    const { xbzrleCacheSize, mapped } = options;
    this.#host = host;
    this.#area = area;
    this.#counters = counters;
    this.#xbzrleCacheSize = xbzrleCacheSize;
    const blocks = markedBlocks(host, area);
    if (mapped !== undefined) this.#mapped = new MappedRamSaver(mapped.file, area.bytes, behindMarks(blocks, area));
    this.plan = {
      memory: host.memory,
      kernel: ramKernelModule(),
      blocks,
      buffers: area.thread,
      ...(xbzrleCacheSize === undefined ? {} : { xbzrle: xbzrleModule() }),
      ...(mapped === undefined
        ? {}
        : { mapped: { places: this.#mapped!.places, findZeroPages: mapped.findZeroPages } }),
    };
  }

  /** Bytes of all blocks. */
  get total(): number {
    return this.plan.blocks.reduce((sum, { pages }) => sum + pages * PAGE, 0);
  }
  /** Bytes of marked pages, as of the last sync. */
  get remaining(): number {
    return this.#dirty * PAGE;
  }

  /** Marks every page: all are to be sent at least once. Tracking begins with the first sync. */
  mark(): void {
    for (const { map, pages } of this.plan.blocks) this.#area.bytes.fill(1, map, map + pages);
    this.#dirty = this.total / PAGE;
    this.#counters.total = this.total;
  }

  /** Writes the list of blocks, which the first section begins with. */
  list(writer: StreamWriter): void {
    writer.u64Number(this.total + RAM_FLAG.memSize);
    for (const block of this.plan.blocks) {
      writer.countedString(block.name);
      writer.u64Number(block.pages * PAGE);
      this.#mapped?.place(writer, block);
    }
  }

  /** Ends a section. @throws the channel's error */
  async endSection(sender: PageSender, writer: StreamWriter, kind: RamSectionKind): Promise<void> {
    await sender.finishSection?.(writer, kind);
    if (kind === 'end') this.#mapped?.finish(writer, this.plan.blocks);
    writer.u64Number(RAM_FLAG.eos);
  }

  /**
   * Marks what was written since the last sync.
   *
   * @returns how many pages were marked that were not before
   */
  sync(): number {
    let fresh = 0;
    for (const { flags, map, pages } of this.plan.blocks) fresh += this.#area.kernel.harvest(flags, map, pages);
    this.#host.flushWriteTags();
    this.#dirty += fresh;
    this.#counters.syncCount++;
    this.#counters.remaining = this.remaining;
    return fresh;
  }

  /**
   * Sends marked pages within a budget, without the closing EOS.
   *
   * @throws the channel's error
   */
  async send(
    sender: PageSender,
    writer: StreamWriter,
    budget: Omit<PageBudget, 'xbzrle'>,
    last = false,
  ): Promise<void> {
    if (this.#dirty === 0) return;
    const cacheSize = this.#xbzrleCacheSize?.();
    const sent = await sender.send(
      writer,
      cacheSize === undefined ? budget : { ...budget, xbzrle: { cacheSize, round: this.#counters.syncCount, last } },
    );
    if (this.#sent(sent) > 0 || writer.congested) return;
    throw new SternaError('STERNA_ERR_INTERNAL', 'RAM is dirty, but no page is marked');
  }

  /** Counts what was sent. @returns how many pages are done with */
  #sent({ zero, normal, xbzrle }: SentPages): number {
    const counters = this.#counters;
    const pages = zero + normal + (xbzrle === undefined ? 0 : xbzrle.hits - xbzrle.overflows);
    this.#dirty -= pages;
    counters.zeroPages += zero;
    counters.normalPages += normal;
    if (xbzrle !== undefined) counters.xbzrle.add(xbzrle);
    counters.remaining = this.remaining;
    return pages;
  }

  /** Sends every marked page. @throws the channel's error, or the reason why the signal is aborted */
  async sendAll(sender: PageSender, writer: StreamWriter, signal: AbortSignal): Promise<void> {
    while (this.#dirty > 0) {
      signal.throwIfAborted();
      await this.send(sender, writer, { bytes: Number.POSITIVE_INFINITY, ms: 50 }, true);
      await writer.drain();
    }
  }
}
