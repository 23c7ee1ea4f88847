import type { RamBlock } from '@sterna/core';
import { StreamError } from '../errors.ts';
import type { MigrationHost } from '../host.ts';
import type { MappedRamLoader } from '../mapped-ram/load.ts';
import type { MultifdReceiver } from '../multifd/receiver.ts';
import { RAM_FLAG } from '../stream/constants.ts';
import type { StreamReader } from '../stream/reader.ts';
import { PAGE, type RamArea } from './blocks.ts';
import { DELTA_HEADER } from './xbzrle-cache.ts';

/** Version of the RAM section. */
export const RAM_VERSION = 4;

/** The destination's side of RAM: block list, pages and zero pages. */
export class RamLoader {
  readonly #host: MigrationHost;
  readonly #area: RamArea;
  readonly #multifd: MultifdReceiver | undefined;
  readonly #mapped: MappedRamLoader | undefined;
  readonly #blocks = new Map<string, RamBlock>();
  /** The block that CONTINUE refers to; it outlives a section. */
  #last: RamBlock | undefined;
  /** Set once the block list was read. */
  #listed = false;

  /** Other ways for pages to come: over further channels, or from places in a file. */
  constructor(
    host: MigrationHost,
    area: RamArea,
    ways: { readonly multifd?: MultifdReceiver | undefined; readonly mapped?: MappedRamLoader | undefined } = {},
  ) {
    this.#host = host;
    this.#area = area;
    this.#multifd = ways.multifd;
    this.#mapped = ways.mapped;
    for (const block of host.ramBlocks()) this.#blocks.set(block.name, block);
  }

  /** Whether the stream has announced its blocks. */
  get listed(): boolean {
    return this.#listed;
  }

  /**
   * Reads one section's records, up to and with EOS.
   *
   * @throws StreamError for a block or size that does not fit, or a record that is not known
   */
  async load(reader: StreamReader): Promise<void> {
    for (;;) {
      this.#absorb(reader);
      if (reader.available < 8) await reader.ensure(8);
      const at = reader.offset;
      const word = reader.u64Number();
      const flags = word % PAGE;
      const address = word - flags;
      if (this.#mapped !== undefined && (flags & ~(RAM_FLAG.eos | RAM_FLAG.memSize)) !== 0)
        throw new StreamError(`RAM record with flags 0x${flags.toString(16)} in a file in which pages have places`, {
          offset: at,
        });
      switch (flags & ~RAM_FLAG.continue) {
        case RAM_FLAG.eos:
          return this.#multifd?.endOfSection();
        case RAM_FLAG.multifdFlush:
          await this.#flush(at);
          break;
        case RAM_FLAG.memSize:
          await this.#blockList(reader, address);
          break;
        case RAM_FLAG.zero:
          await this.#zeroPage(reader, await this.#page(reader, flags, address, at));
          break;
        case RAM_FLAG.page:
          await this.#wholePage(reader, await this.#page(reader, flags, address, at));
          break;
        case RAM_FLAG.xbzrle:
          await this.#delta(reader, await this.#page(reader, flags, address, at));
          break;
        default:
          throw new StreamError(`RAM record with flags 0x${flags.toString(16)} is not known here`, { offset: at });
      }
    }
  }

  /** Hands the common records to the kernel, as far as they are in the buffer. */
  #absorb(reader: StreamReader): void {
    const { buffer } = reader;
    const block = this.#last;
    if (block === undefined || buffer.buffer !== this.#area.bytes.buffer) return;
    const from = buffer.byteOffset + reader.position;
    const flags = this.#host.pageFlags + block.hostOffset / PAGE;
    const { kernel } = this.#area;
    const to = kernel.absorb(from, from + reader.available, block.hostOffset, block.usedLength, flags);
    reader.advance(to - from);
  }

  async #page(reader: StreamReader, flags: number, address: number, at: number): Promise<number> {
    if ((flags & RAM_FLAG.continue) === 0) {
      const name = await countedString(reader);
      this.#last = this.#block(name, at);
    }
    const block = this.#last;
    if (block === undefined) throw new StreamError('a page that continues a block, but none was named', { offset: at });
    if (address + PAGE > block.usedLength) {
      throw new StreamError(`page at ${hex(address)} is outside RAM block ${block.name} of ${hex(block.usedLength)}`, {
        offset: at,
      });
    }
    return block.hostOffset + address;
  }

  async #zeroPage(reader: StreamReader, host: number): Promise<void> {
    await reader.ensure(1);
    const value = reader.u8();
    // Before 9.0 QEMU filled with any byte; nobody ever sent another than 0.
    if (value !== 0) throw new StreamError(`a zero page is filled with ${value}`, { offset: reader.offset - 1 });
    if (this.#area.kernel.isZero(host) !== 0) return;
    this.#area.bytes.fill(0, host, host + PAGE);
    this.#host.markWritten(host, PAGE);
  }

  async #wholePage(reader: StreamReader, host: number): Promise<void> {
    await reader.ensure(PAGE);
    reader.bytesInto(this.#area.bytes.subarray(host, host + PAGE));
    this.#host.markWritten(host, PAGE);
  }

  /** A page as what has changed in it since it was sent last. */
  async #delta(reader: StreamReader, host: number): Promise<void> {
    await reader.ensure(DELTA_HEADER);
    const at = reader.offset;
    const [mark, length] = [reader.u8(), reader.u16()];
    if (mark !== 1) throw new StreamError(`an XBZRLE page with mark ${mark} instead of 1`, { offset: at });
    if (length > PAGE) throw new StreamError(`an XBZRLE page of ${length} bytes`, { offset: at });
    await reader.ensure(length);
    const input = this.#area.delta;
    reader.bytesInto(input.subarray(0, length));
    if (this.#area.kernel.decode(host, input.byteOffset, length) !== 0)
      throw new StreamError('an XBZRLE page with runs that do not make a page', { offset: at });
    this.#host.markWritten(host, PAGE);
  }

  #block(name: string, at: number): RamBlock {
    const block = this.#blocks.get(name);
    if (block !== undefined) return block;
    const known = [...this.#blocks.keys()].join(', ');
    throw new StreamError(`RAM block '${name}' does not exist here; this machine has ${known}`, { offset: at });
  }

  async #blockList(reader: StreamReader, total: number): Promise<void> {
    for (let left = total; left > 0; ) {
      const at = reader.offset;
      const block = this.#block(await countedString(reader), at);
      await reader.ensure(8);
      const length = reader.u64Number();
      if (length === 0 || length > left || length % PAGE !== 0) {
        throw new StreamError(`RAM block ${block.name} has ${hex(length)} bytes of ${hex(left)} left`, { offset: at });
      }
      left -= length;
      if (length !== block.usedLength) this.#resize(block, length, at);
      await this.#mapped?.load(reader, block);
    }
    this.#listed = true;
    this.#multifd?.start([...this.#blocks.values()]);
  }

  async #flush(at: number): Promise<void> {
    if (this.#multifd === undefined)
      throw new StreamError('the source uses multifd; set the capability here too', { offset: at });
    await this.#multifd.flush();
  }

  #resize(block: RamBlock, length: number, at: number): void {
    try {
      this.#host.resizeRam(block, length);
    } catch (error) {
      const sizes = `RAM block ${block.name} has ${hex(length)} bytes in the stream, ${hex(block.usedLength)} here`;
      throw new StreamError(
        `${sizes}; start this side with the same options as the source`,
        { offset: at },
        { cause: error },
      );
    }
  }
}

async function countedString(reader: StreamReader): Promise<string> {
  await reader.ensure(1);
  await reader.ensure(1 + reader.peekU8());
  return reader.countedString();
}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}
