import type { WasmMemory, WasmModule } from '@sterna/core';
import { instantiateMultifdKernel, LIST, type MultifdKernel, type OwnMemory, WATCHED } from './kernel-instance.ts';
import {
  decodePagesHeader,
  decodePrefix,
  decodeStateHeader,
  METHOD_FLAG,
  MULTIFD_FLAG,
  type MultifdCompression,
  OFFSETS_AT,
  PACKET_PAGES,
  PAGES_HEADER_SIZE,
  PacketError,
  type PagesHeader,
  PREFIX_SIZE,
  STATE_HEADER_SIZE,
  type StateHeader,
} from './packets.ts';
import type { PayloadDecoder } from './page-method.ts';

/** Where things are in a receiving channel's own memory. */
const HEADER_AT = 2048;
const PAGES_AT = 4096;
/** With room for more than the pages, which shows that there is more. */
const WINDOW_AT: number = PAGES_AT + PACKET_PAGES * 4096 + 4096;
/** Bytes that may wait to be read. */
export const WINDOW_SIZE: number = 256 * 1024;
/** Bytes of its own memory that a receiving channel needs. */
export const READER_MEMORY: number = WINDOW_AT + WINDOW_SIZE;

/** A RAM block that pages may come for. */
export interface ReceivedBlock {
  readonly name: string;
  /** Wasm address of its first byte, and of its first flags byte. */
  readonly hostOffset: number;
  readonly flags: number;
  readonly pages: number;
}

/** What a channel needs to read packets; all of it can be posted to a thread. */
export interface ReceivePlan {
  readonly memory: WasmMemory;
  /** The kernels of multifd. */
  readonly kernel: WasmModule;
  /** With the lengths that the stream has announced. */
  readonly blocks: readonly ReceivedBlock[];
  readonly compression: MultifdCompression;
}

/** Where a channel's bytes come from. */
export interface PacketSource {
  /** Puts the next bytes at the beginning of the window. @returns how many; 0 at the end */
  next(): Promise<number>;
}

/** Who is told of what a channel reads. */
export interface PacketOwner {
  /**
   * The source has synchronised. Resolves when what follows may be read.
   *
   * @param watched host addresses of pages that were written and have to be announced
   */
  synchronise(watched: readonly number[]): Promise<void>;
  /** A packet of a device's state. Resolves when the next packet may be read. */
  state(header: StateHeader, state: Uint8Array): Promise<void>;
}

/** The window for a source, in a channel's own memory. */
export function windowOf(own: OwnMemory): Uint8Array<ArrayBuffer> {
  return new Uint8Array(own.buffer, WINDOW_AT, WINDOW_SIZE);
}

/** Reads packets and puts their pages into the machine's memory. */
export class PacketReader {
  readonly #source: PacketSource;
  readonly #owner: PacketOwner;
  readonly #plan: ReceivePlan;
  readonly #own: OwnMemory;
  readonly #bytes: Uint8Array;
  readonly #header: DataView;
  readonly #flags: Uint8Array;
  readonly #kernel: MultifdKernel;
  readonly #decoder: PayloadDecoder | undefined;
  readonly #blocks: ReadonlyMap<string, ReceivedBlock>;
  /** Bytes of the window that were not read yet. */
  #at = 0;
  #end = 0;
  #watched: number[] = [];

  /**
   * @param own a memory of {@link READER_MEMORY} bytes
   * @param waiting bytes at the beginning of the window that have come already: `from` of them were read, up to `to`
   * @param decoder absent when nothing is compressed
   */
  constructor(
    plan: ReceivePlan,
    own: OwnMemory,
    { source, owner }: { readonly source: PacketSource; readonly owner: PacketOwner },
    waiting: { readonly from: number; readonly to: number },
    decoder: PayloadDecoder | undefined,
  ) {
    this.#plan = plan;
    this.#own = own;
    this.#source = source;
    this.#owner = owner;
    this.#decoder = decoder;
    this.#bytes = new Uint8Array(own.buffer);
    this.#header = new DataView(own.buffer, HEADER_AT, PAGES_HEADER_SIZE);
    this.#flags = new Uint8Array(plan.memory.buffer);
    this.#kernel = instantiateMultifdKernel(plan.kernel, plan.memory, own);
    this.#blocks = new Map(plan.blocks.map((block) => [block.name, block]));
    this.#at = waiting.from;
    this.#end = waiting.to;
  }

  /** Reads to the end. @throws PacketError, or the source's error */
  async run(): Promise<void> {
    while (await this.#packet());
  }

  async #packet(): Promise<boolean> {
    if (this.#at === this.#end && !(await this.#fill())) return false;
    await this.#readHeader(0, PREFIX_SIZE);
    const flags = decodePrefix(this.#header);
    if ((flags & MULTIFD_FLAG.deviceState) !== 0) await this.#state();
    else await this.#pages();
    return true;
  }

  async #state(): Promise<void> {
    await this.#readHeader(PREFIX_SIZE, STATE_HEADER_SIZE);
    const header = decodeStateHeader(this.#header);
    const state = new Uint8Array(header.length);
    for (let at = 0; at < state.length; ) {
      const part = await this.#some(state.length - at);
      state.set(this.#bytes.subarray(WINDOW_AT + this.#at, WINDOW_AT + this.#at + part), at);
      this.#at += part;
      at += part;
    }
    await this.#owner.state(header, state);
  }

  async #pages(): Promise<void> {
    await this.#readHeader(PREFIX_SIZE, PAGES_HEADER_SIZE);
    const header = decodePagesHeader(this.#header, METHOD_FLAG[this.#plan.compression]);
    if (header.normal + header.zero > 0) await this.#load(header);
    if ((header.flags & MULTIFD_FLAG.sync) === 0) return;
    const watched = this.#watched;
    this.#watched = [];
    await this.#owner.synchronise(watched);
  }

  async #load({ block: name, normal, zero, payload }: PagesHeader): Promise<void> {
    const block = this.#blocks.get(name);
    if (block === undefined)
      throw new PacketError(
        `RAM block '${name}' does not exist here; this machine has ${[...this.#blocks.keys()].join(', ')}`,
      );
    this.#offsets(block, LIST.normal, 0, normal);
    this.#offsets(block, LIST.zero, normal, zero);
    const watched =
      (this.#decoder === undefined
        ? await this.#copy(block, payload)
        : await this.#decode(this.#decoder, block, normal, payload)) |
      this.#kernel.clear(LIST.zero, zero, block.hostOffset, block.flags);
    if (watched !== 0) this.#noteWatched(block, normal, zero);
  }

  #offsets(block: ReceivedBlock, list: number, first: number, count: number): void {
    const at = HEADER_AT + OFFSETS_AT + first * 8;
    const read = this.#kernel.readOffsets(at, count, list, block.pages);
    if (read === count) return;
    const place = OFFSETS_AT + (first + read) * 8;
    const offset = (this.#header.getUint32(place) * 2 ** 32 + this.#header.getUint32(place + 4)).toString(16);
    throw new PacketError(`a page at 0x${offset} of RAM block ${block.name}, which has ${block.pages} pages`);
  }

  /** Copies pages as they come. */
  async #copy(block: ReceivedBlock, payload: number): Promise<number> {
    let watched = 0;
    for (let cursor = 0; cursor < payload; ) {
      const part = await this.#some(payload - cursor);
      watched |= this.#kernel.scatter(LIST.normal, cursor, block.hostOffset, block.flags, WINDOW_AT + this.#at, part);
      this.#at += part;
      cursor += part;
    }
    return watched;
  }

  /** What is compressed must become exactly the pages, and nothing of it may be left over. */
  async #decode(decoder: PayloadDecoder, block: ReceivedBlock, normal: number, payload: number): Promise<number> {
    const size = normal * 4096;
    let [left, made] = [payload, 0];
    while (left > 0) {
      const part = await this.#some(left);
      const input = this.#bytes.subarray(WINDOW_AT + this.#at, WINDOW_AT + this.#at + part);
      const output = this.#bytes.subarray(PAGES_AT + made, PAGES_AT + size + 1);
      const { taken, written } = this.#decompress(decoder, input, output);
      made += written;
      this.#at += taken;
      left -= taken;
      if (made > size || (taken === 0 && written === 0)) break;
    }
    if (made !== size || left > 0)
      throw new PacketError(
        `a packet of ${normal} pages has ${made > size ? 'more than that' : `${made} bytes`} when it is decompressed`,
      );
    return this.#kernel.scatter(LIST.normal, 0, block.hostOffset, block.flags, PAGES_AT, size);
  }

  #decompress(decoder: PayloadDecoder, input: Uint8Array, output: Uint8Array): { taken: number; written: number } {
    try {
      return decoder.decode(input, output);
    } catch (error) {
      throw new PacketError(`a packet cannot be decompressed: ${error instanceof Error ? error.message : error}`);
    }
  }

  #noteWatched(block: ReceivedBlock, normal: number, zero: number): void {
    const lists = new Uint32Array(this.#own.buffer, 0, PAGES_AT / 4);
    const note = (list: number, count: number): void => {
      for (const page of lists.subarray(list / 4, list / 4 + count))
        if ((this.#flags[block.flags + page]! & WATCHED) !== 0) this.#watched.push(block.hostOffset + page * 4096);
    };
    note(LIST.normal, normal);
    note(LIST.zero, zero);
  }

  async #readHeader(from: number, to: number): Promise<void> {
    for (let at = from; at < to; ) {
      const part = await this.#some(to - at);
      this.#bytes.copyWithin(HEADER_AT + at, WINDOW_AT + this.#at, WINDOW_AT + this.#at + part);
      this.#at += part;
      at += part;
    }
  }

  /** How many of the wanted bytes are in the window, at least one. */
  async #some(wanted: number): Promise<number> {
    if (this.#at === this.#end && !(await this.#fill())) throw new PacketError('the channel ends within a packet');
    return Math.min(wanted, this.#end - this.#at);
  }

  async #fill(): Promise<boolean> {
    this.#at = 0;
    this.#end = await this.#source.next();
    return this.#end > 0;
  }
}
