/**
 * The device's data, as a driver hands it out and takes it in through the data
 * descriptor of VFIO. The migration never looks into it.
 *
 *   header   be32 'VFST', be32 version, be32 pages of the device
 *   page     be32 number, 4096 bytes
 *   end      be32 0xffffffff, be32 checksum of the memory
 *
 * A read answers whole records only, so a write takes whole records only.
 */
import { STUB_PAGE, type StubMemory } from './stub-memory.ts';

const MAGIC = 0x5646_5354;
const VERSION = 1;
const HEADER = 12;
const END_MARK = 0xffff_ffff;
const END = 8;
/** Bytes of a page on its way. */
export const PAGE_RECORD: number = 4 + STUB_PAGE;
/** Most bytes of one read or write, as QEMU's buffer (VFIO_MIG_DEFAULT_DATA_BUFFER_SIZE). */
export const MAX_CHUNK: number = 2 ** 20;

/** What a device has still to say, in bytes (`VFIO_MIG_GET_PRECOPY_INFO`). */
export interface PreCopyInfo {
  /** Must be loaded before the device may be switched over. */
  readonly initialBytes: number;
  /** Changed since it was read, or not read yet. */
  readonly dirtyBytes: number;
}

/** Options of a {@link SavingSession}. */
export interface SavingOptions {
  /** Pages, from the first on, that make up the initial data. */
  readonly initialPages: number;
  /** Pages, at the end of the memory, that only a stopped device gives out. */
  readonly stopCopyPages: number;
  /** Whether the device knows what changes while it works; without, everything is read again at the end. */
  readonly tracking: boolean;
}

/** An open session of a device that gives its data out. */
export class SavingSession {
  readonly #memory: StubMemory;
  readonly #options: SavingOptions;
  /** A mark for each page that has to be read (again). */
  readonly #marked: Uint8Array;
  #dirty: number;
  #initialRead = 0;
  #at = 0;
  #begun = false;
  #stopped = false;
  #ended = false;
  readonly #chunk = new Uint8Array(MAX_CHUNK);

  constructor(memory: StubMemory, options: SavingOptions) {
    this.#memory = memory;
    this.#options = options;
    this.#marked = new Uint8Array(memory.pages).fill(1);
    this.#dirty = memory.pages - options.initialPages;
  }

  /** The device has changed a page. */
  mark(page: number): void {
    // Unread initial data is counted by itself.
    if (this.#marked[page] === 1) return;
    this.#marked[page] = 1;
    this.#dirty++;
  }

  /** What a working device can give out. */
  get info(): PreCopyInfo {
    const { initialPages, stopCopyPages, tracking } = this.#options;
    const header = this.#begun || initialPages === 0 ? 0 : HEADER;
    return {
      initialBytes: (initialPages - this.#initialRead) * PAGE_RECORD + header,
      dirtyBytes: tracking ? (this.#dirty - stopCopyPages) * PAGE_RECORD : 0,
    };
  }

  /** What would be read if the device stopped now. */
  get stopCopySize(): number {
    const { initialPages, tracking } = this.#options;
    const marked = initialPages - this.#initialRead + this.#dirty;
    const pages = tracking || this.#stopped ? marked : this.#memory.pages;
    return pages * PAGE_RECORD + (this.#begun ? 0 : HEADER) + (this.#ended ? 0 : END);
  }

  /** The device has stopped: everything can be read now, and what it could not tell apart before has to be. */
  stop(): void {
    this.#stopped = true;
    if (!this.#options.tracking) for (let page = 0; page < this.#memory.pages; page++) this.mark(page);
  }

  /**
   * The next records, at most `most` bytes of them but at least one; empty when nothing is left, for a working device
   * at the moment. The array is valid until the next call.
   */
  read(most: number): Uint8Array {
    const limit = Math.min(most, MAX_CHUNK);
    let length = 0;
    if (!this.#begun) {
      this.#begun = true;
      length = this.#put(0, MAGIC, VERSION, this.#memory.pages);
    }
    for (let page = this.#next(); page >= 0; page = this.#next()) {
      if (length > HEADER && length + PAGE_RECORD > limit) return this.#chunk.subarray(0, length);
      this.#take(page);
      this.#put(length, page);
      this.#chunk.set(this.#memory.page(page), length + 4);
      length += PAGE_RECORD;
    }
    if (this.#stopped && !this.#ended && length + END <= MAX_CHUNK) {
      this.#ended = true;
      length += this.#put(length, END_MARK, this.#memory.checksum);
    }
    return this.#chunk.subarray(0, length);
  }

  /** The next page to read, -1 when there is none. Initial data comes first. */
  #next(): number {
    const { initialPages, stopCopyPages, tracking } = this.#options;
    if (this.#initialRead < initialPages) return this.#initialRead;
    if (!this.#stopped && !tracking) return -1;
    const readable = this.#stopped ? this.#marked : this.#marked.subarray(0, this.#marked.length - stopCopyPages);
    const found = readable.indexOf(1, this.#at);
    return found >= 0 ? found : readable.indexOf(1);
  }

  #take(page: number): void {
    this.#marked[page] = 0;
    if (this.#initialRead < this.#options.initialPages) this.#initialRead++;
    else {
      this.#dirty--;
      this.#at = page + 1;
    }
  }

  /** Writes be32 values into the chunk. @returns their length */
  #put(at: number, ...values: number[]): number {
    for (const [i, value] of values.entries())
      this.#chunk.set([value >>> 24, value >>> 16, value >>> 8, value], at + i * 4);
    return values.length * 4;
  }
}

/** An open session of a device that takes data in. Nothing of it is trusted. */
export class ResumingSession {
  readonly #memory: StubMemory;
  #begun = false;
  #complete = false;

  constructor(memory: StubMemory) {
    this.#memory = memory;
  }

  /** Whether the end record has come. */
  get complete(): boolean {
    return this.#complete;
  }

  /** Takes the next records in. @throws RangeError for anything that a device of this size has not given out */
  write(bytes: Uint8Array): void {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    let at = this.#begun ? 0 : this.#readHeader(view);
    while (at < view.byteLength) {
      if (this.#complete) throw new RangeError(`${view.byteLength - at} bytes come after the end of the device's data`);
      const left = view.byteLength - at;
      if (left < END) throw new RangeError(`${left} bytes are no record of device data`);
      const page = view.getUint32(at);
      if (page === END_MARK) at += this.#readEnd(view.getUint32(at + 4));
      else at += this.#readPage(page, bytes.subarray(at + 4, at + PAGE_RECORD));
    }
  }

  #readHeader(view: DataView): number {
    if (view.byteLength < HEADER) throw new RangeError(`device data begin with ${view.byteLength} bytes`);
    const [magic, version, pages] = [view.getUint32(0), view.getUint32(4), view.getUint32(8)];
    if (magic !== MAGIC) throw new RangeError(`device data begin with 0x${magic.toString(16)}, not with 0x56465354`);
    if (version !== VERSION) throw new RangeError(`device data have version ${version}, known is ${VERSION}`);
    if (pages !== this.#memory.pages)
      throw new RangeError(
        `the source's device has ${pages} pages, this one ${this.#memory.pages}; give both sides the same size=`,
      );
    this.#begun = true;
    return HEADER;
  }

  #readPage(page: number, bytes: Uint8Array): number {
    if (page >= this.#memory.pages) throw new RangeError(`page ${page} of a device with ${this.#memory.pages}`);
    if (bytes.length < STUB_PAGE)
      throw new RangeError(`page ${page} has ${bytes.length} bytes instead of ${STUB_PAGE}`);
    this.#memory.loadPage(page, bytes);
    return PAGE_RECORD;
  }

  #readEnd(checksum: number): number {
    if (checksum !== this.#memory.checksum)
      throw new RangeError(
        `the device's checksum was 0x${checksum.toString(16)}, what has arrived gives 0x${this.#memory.checksum.toString(16)}`,
      );
    this.#complete = true;
    return END;
  }
}
