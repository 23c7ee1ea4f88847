import type { MarkedBlock } from '../ram/page-sender.ts';
import { RAM_FLAG } from '../stream/constants.ts';

const RECORD = 9;
const CHUNK = 64 * 1024;

/** Collects ZERO records for the main channel. The first one names its block, so they can go anywhere in a section of RAM. */
export class ZeroRecords {
  /** Bytes so far. */
  bytes = 0;
  readonly #blocks: readonly MarkedBlock[];
  readonly #full: Uint8Array[] = [];
  #chunk = new Uint8Array();
  #at = 0;
  #named = -1;

  constructor(blocks: readonly MarkedBlock[]) {
    this.#blocks = blocks;
  }

  /** Adds pages of a block. @returns bytes that they take */
  add(index: number, pages: Uint32Array, count: number): number {
    const before = this.bytes;
    for (let i = 0; i < count; i++) this.#record(index, pages[i]! * 4096);
    return this.bytes - before;
  }

  /** All records. */
  take(): readonly Uint8Array[] {
    return this.#at === 0 ? this.#full : [...this.#full, this.#chunk.subarray(0, this.#at)];
  }

  #record(index: number, offset: number): void {
    const named = this.#named === index;
    const name = named ? '' : this.#blocks[index]!.name;
    if (this.#chunk.length - this.#at < RECORD + 1 + name.length) this.#newChunk();
    const from = this.#at;
    this.#at += 4;
    this.#word(offset + (named ? RAM_FLAG.zero | RAM_FLAG.continue : RAM_FLAG.zero));
    if (!named) {
      this.#chunk[this.#at++] = name.length;
      for (let i = 0; i < name.length; i++) this.#chunk[this.#at++] = name.charCodeAt(i);
      this.#named = index;
    }
    this.#chunk[this.#at++] = 0;
    this.bytes += this.#at - from;
  }

  #word(value: number): void {
    this.#chunk[this.#at++] = value >>> 24;
    this.#chunk[this.#at++] = value >>> 16;
    this.#chunk[this.#at++] = value >>> 8;
    this.#chunk[this.#at++] = value;
  }

  #newChunk(): void {
    if (this.#at > 0) this.#full.push(this.#chunk.subarray(0, this.#at));
    this.#chunk = new Uint8Array(CHUNK);
    this.#at = 0;
  }
}
