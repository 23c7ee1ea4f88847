/** The sender's cache of XBZRLE. This file and what else a sending thread needs import nothing but types from other packages. */
import type { WasmHost, WasmMemory, WasmModule } from '@sterna/core';
import type { MarkedBlock } from './page-sender.ts';

/** Addresses in the cache's memory at which the kernel answers. */
export const XBZRLE_CELLS = {
  /** End of what was written, in the machine's memory. */
  out: 0,
  /** Pages sent as ZERO records, and whole. */
  zero: 4,
  normal: 8,
  /** Pages that were in the cache, and those of them that have not changed, or too much to gain anything. */
  hits: 12,
  unchanged: 16,
  overflows: 20,
  /** Pages that were not in the cache. */
  misses: 24,
  /** Bytes sent for pages that were in the cache, without the address of their records. */
  bytes: 28,
} as const;
/** Where the page that is being sent is, and where tags begin; pages begin behind the tags. */
export const XBZRLE_SCRATCH = 4096;
export const XBZRLE_TAGS = 12_288;
/** Bytes between a record's address and the encoded page: a mark and the length. */
export const DELTA_HEADER = 3;

const PAGE = 4096;
const WASM_PAGE = 65_536;
const TAG_SIZE = 8;

/** Largest cache: with its tags it must fit into one memory. */
export const MAX_CACHE_SIZE: number = 2 ** 31;

type Emit = (...args: number[]) => number;

/** Pages as they were sent last, in a memory of their own. */
export class XbzrleCache {
  /** Bytes of pages that it holds. */
  readonly size: number;
  readonly #cells: Uint32Array;
  readonly #emit: Emit;
  readonly #mask: number;
  readonly #data: number;

  /**
   * @param module - The kernels
   * @param memory - The machine's
   * @param size - A power of two, at least a page and at most {@link MAX_CACHE_SIZE}
   * @throws RangeError when the host has no memory for it
   */
  constructor(module: WasmModule, memory: WasmMemory, size: number) {
    const entries = size / PAGE;
    const data = Math.ceil((XBZRLE_TAGS + entries * TAG_SIZE) / PAGE) * PAGE;
    // The kernels look up to 15 bytes beyond a page.
    const pages = Math.ceil((data + size + 16) / WASM_PAGE);
    const { WebAssembly: wasm } = globalThis as unknown as { readonly WebAssembly: WasmHost };
    const cache = new wasm.Memory({ initial: pages, maximum: pages, shared: true });
    this.size = size;
    this.#mask = entries - 1;
    this.#data = data;
    this.#cells = new Uint32Array(cache.buffer, 0, Object.keys(XBZRLE_CELLS).length);
    // The module exports exactly this.
    this.#emit = new wasm.Instance(module, { host: { memory, cache } }).exports['emit'] as Emit;
  }

  /**
   * Writes records for marked pages of one block and clears their marks, as `RamKernel.emit` does.
   *
   * @param round - How often dirty pages were collected
   * @param last - The guest stands still: nothing that is sent now is going to change
   * @returns the first page index not looked at
   */
  emit(
    out: number,
    outEnd: number,
    { map, flags, hostOffset, pages }: MarkedBlock,
    page: number,
    most: number,
    round: number,
    last: boolean,
  ): number {
    const keep = last ? 0 : 1;
    return this.#emit(out, outEnd, map, flags, hostOffset, page, pages, most, this.#mask, this.#data, round, keep);
  }

  /** Answers one of the last call's figures. */
  answer(name: keyof typeof XBZRLE_CELLS): number {
    return this.#cells[XBZRLE_CELLS[name] / 4]!;
  }
}
