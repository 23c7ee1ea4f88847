/** Bytes of a page of device memory; also what the device tracks writes by. */
export const STUB_PAGE = 4096;
const WORDS_PER_PAGE = STUB_PAGE / 4;

/**
 * The device's own memory with a checksum that is always up to date, so that a guest compares two devices by reading
 * one register. A word counts with a weight that depends on its place, so moved content differs too.
 */
export class StubMemory {
  readonly pages: number;
  /** Sum of word times weight, modulo 2^32. */
  checksum = 0;
  /** Told of every page whose content changes. */
  onWrite: (page: number) => void = () => {};
  readonly #words: Uint32Array<ArrayBuffer>;
  readonly #bytes: Uint8Array<ArrayBuffer>;

  /** @throws RangeError when the size is not a positive number of pages, at most 1 GiB */
  constructor(size: number) {
    if (size <= 0 || size > 2 ** 30 || size % STUB_PAGE !== 0)
      throw new RangeError(`size ${size} is not a multiple of ${STUB_PAGE} from ${STUB_PAGE} to ${2 ** 30}`);
    this.pages = size / STUB_PAGE;
    this.#words = new Uint32Array(size / 4);
    this.#bytes = new Uint8Array(this.#words.buffer);
  }

  read(word: number): number {
    return this.#words[word]!;
  }

  write(word: number, value: number): void {
    this.#store(word, value);
    this.onWrite(Math.floor(word / WORDS_PER_PAGE));
  }

  /** Fills everything with words that follow from `seed`; 0 clears. */
  fill(seed: number): void {
    if (seed === 0) {
      this.#words.fill(0);
      this.checksum = 0;
    } else {
      for (let word = 0; word < this.#words.length; word++) this.#store(word, Math.imul(seed ^ word, 0x9e37_79b1));
    }
    for (let page = 0; page < this.pages; page++) this.onWrite(page);
  }

  /** A page's bytes, little-endian. The view is valid as long as the memory. */
  page(page: number): Uint8Array {
    return this.#bytes.subarray(page * STUB_PAGE, (page + 1) * STUB_PAGE);
  }

  /** Replaces a page by bytes of a stream. */
  loadPage(page: number, bytes: Uint8Array): void {
    const first = page * WORDS_PER_PAGE;
    for (let i = 0; i < WORDS_PER_PAGE; i++) {
      const at = i * 4;
      this.#store(first + i, bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24));
    }
    this.onWrite(page);
  }

  #store(word: number, value: number): void {
    const change = (value - this.#words[word]!) | 0;
    this.checksum = (this.checksum + Math.imul(change, (word << 1) | 1)) >>> 0;
    this.#words[word] = value;
  }
}
