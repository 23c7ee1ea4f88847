/** The records of RAM's sections, without holding any of them. */
import { StreamError } from '../errors.ts';
import { PAGE } from '../ram/blocks.ts';
import { RAM_FLAG } from '../stream/constants.ts';
import { type MappedBlock, readMappedBlock } from './mapped-ram.ts';
import type { SourceCursor } from './source.ts';

/** A RAM block as the stream announces it. */
export interface StreamBlock {
  readonly name: string;
  /** Bytes in use. */
  readonly length: number;
  /** Where it is announced. */
  readonly offset: number;
  /** Guest address in its region, with x-ignore-shared. */
  readonly address?: number;
  /** Its place in the file, with mapped-ram. */
  readonly mapped?: MappedBlock;
}

/** What one section of RAM holds. */
export interface RamSummary {
  /** The list of blocks, in the section that has it. */
  readonly blocks: readonly StreamBlock[];
  /** Records of each kind. */
  readonly zero: number;
  readonly normal: number;
  readonly xbzrle: number;
  /** Bytes of encoded pages. */
  readonly xbzrleBytes: number;
  /** Offsets of the marks at which the other channels are waited for. */
  readonly multifdFlushes: readonly number[];
  /** Records of pages by block. */
  readonly byBlock: ReadonlyMap<string, number>;
}

/** Told of every record. */
export interface RamListener {
  /** The list of blocks; `total` is the sum that it announces. */
  blocks?(blocks: readonly StreamBlock[], total: number): void;
  /**
   * A page: whole, zero or encoded, as the flags say.
   *
   * @param flags RAM_FLAG bits of the record
   * @param data offset of what follows the address and name; @param length how much that is
   * @param at offset of the record
   */
  page?(flags: number, block: StreamBlock, address: number, data: number, length: number, at: number): void;
  /** A record that stands alone: end of the section, or a wait for the other channels. */
  mark?(flags: number, at: number): void;
}

interface OpenSummary {
  blocks: StreamBlock[];
  zero: number;
  normal: number;
  xbzrle: number;
  xbzrleBytes: number;
  multifdFlushes: number[];
  byBlock: Map<string, number>;
}

/** Walks the sections of one stream's RAM. */
export class RamWalk {
  /** With these capabilities the list of blocks says more. */
  readonly capabilities: { mappedRam: boolean; ignoreShared: boolean } = { mappedRam: false, ignoreShared: false };
  /** All blocks announced so far. */
  readonly blocks: Map<string, StreamBlock> = new Map();
  readonly #listener: RamListener;
  readonly #warn: (offset: number, message: string) => void;
  #last: StreamBlock | undefined;

  /** @param warn told of what is odd and does no harm */
  constructor(listener: RamListener, warn: (offset: number, message: string) => void) {
    this.#listener = listener;
    this.#warn = warn;
  }

  /** A summary to be filled by {@link RamWalk.section}. */
  empty(): RamSummary {
    return { blocks: [], zero: 0, normal: 0, xbzrle: 0, xbzrleBytes: 0, multifdFlushes: [], byBlock: new Map() };
  }

  /**
   * Walks one section, up to and with its EOS.
   *
   * @param summary counts what was read, also when the section is damaged
   * @throws StreamError where the records cannot be followed any more
   */
  section(cursor: SourceCursor, summary: RamSummary): void {
    const open = summary as OpenSummary;
    for (;;) {
      const at = cursor.offset;
      const word = cursor.u64();
      const flags = word % PAGE;
      const address = word - flags;
      if (flags === RAM_FLAG.eos) {
        this.#listener.mark?.(flags, at);
        return;
      }
      if (flags === RAM_FLAG.multifdFlush) {
        open.multifdFlushes.push(at);
        this.#listener.mark?.(flags, at);
      } else if (flags === RAM_FLAG.memSize) this.#list(cursor, address, open);
      else this.#page(cursor, flags, address, at, open);
    }
  }

  #list(cursor: SourceCursor, total: number, summary: OpenSummary): void {
    for (let left = total; left > 0; ) {
      const { offset } = cursor;
      const name = cursor.countedString();
      const length = cursor.u64();
      if (length === 0 || length > left || length % PAGE !== 0)
        throw new StreamError(`block '${name}' has ${length} bytes, ${left} are left`, { section: 'ram', offset });
      const { mappedRam, ignoreShared } = this.capabilities;
      const address = ignoreShared ? cursor.u64() : undefined;
      const mapped = mappedRam ? readMappedBlock(cursor, { name, length }, this.#warn) : undefined;
      const block = {
        name,
        length,
        offset,
        ...(address === undefined ? {} : { address }),
        ...(mapped === undefined ? {} : { mapped }),
      };
      if (this.blocks.has(name)) this.#warn(offset, `block '${name}' is announced twice`);
      this.blocks.set(name, block);
      summary.blocks.push(block);
      left -= length;
    }
    this.#listener.blocks?.(summary.blocks, total);
  }

  #page(cursor: SourceCursor, flags: number, address: number, at: number, summary: OpenSummary): void {
    const kind = flags & ~RAM_FLAG.continue;
    if (kind !== RAM_FLAG.zero && kind !== RAM_FLAG.page && kind !== RAM_FLAG.xbzrle)
      throw new StreamError(`unknown RAM record flags 0x${flags.toString(16)}`, { section: 'ram', offset: at });
    if ((flags & RAM_FLAG.continue) === 0) {
      const name = cursor.countedString();
      // A stream whose list is lost can still be followed.
      this.#last = this.blocks.get(name) ?? { name, length: Number.POSITIVE_INFINITY, offset: at };
      if (!this.blocks.has(name)) this.#warn(at, `a page of block '${name}', which was not announced`);
    }
    const block = this.#last;
    if (block === undefined)
      throw new StreamError('a page that continues a block, but none was named', { section: 'ram', offset: at });
    if (address + PAGE > block.length)
      this.#warn(at, `page 0x${address.toString(16)} lies outside block '${block.name}'`);
    if (this.capabilities.mappedRam) this.#warn(at, 'a page in the stream of a file whose pages have fixed places');
    const length = this.#data(cursor, kind, at);
    const data = cursor.offset;
    cursor.skip(length);
    if (kind === RAM_FLAG.zero) summary.zero++;
    else if (kind === RAM_FLAG.page) summary.normal++;
    else {
      summary.xbzrle++;
      summary.xbzrleBytes += length;
    }
    summary.byBlock.set(block.name, (summary.byBlock.get(block.name) ?? 0) + 1);
    this.#listener.page?.(flags, block, address, data, length, at);
  }

  /** Bytes of a page's data; reads what stands before them. */
  #data(cursor: SourceCursor, kind: number, at: number): number {
    if (kind === RAM_FLAG.page) return PAGE;
    if (kind === RAM_FLAG.zero) {
      const fill = cursor.peek() ?? 0;
      if (fill !== 0) this.#warn(at, `a zero page is filled with ${fill}`);
      return 1;
    }
    const header = cursor.u8();
    const length = cursor.u16();
    if (header !== 1 || length > PAGE)
      throw new StreamError(`an encoded page with header ${header} and ${length} bytes`, {
        section: 'ram',
        offset: at,
      });
    return length;
  }
}
