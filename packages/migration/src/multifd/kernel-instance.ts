/** The kernels of multifd as functions. Like all that a channel's thread loads, this imports only types from other packages. */
import type { WasmHost, WasmMemory, WasmModule } from '@sterna/core';

/** Most pages of a packet: 512 KiB of them (QEMU's MULTIFD_PACKET_SIZE). */
export const BATCH_PAGES = 128;

/** Flags of pages that others must hear of when they are written: core's PAGE_CODE, PAGE_MISSING, PAGE_PROTECTED. */
export const WATCHED = 0x0e;

/** Layout of what `pick` answers: two counts, then page numbers of 32 bits each. */
export const LIST = { normalCount: 0, zeroCount: 4, normal: 16, zero: 16 + BATCH_PAGES * 4 } as const;
/** Bytes of it. */
export const LIST_SIZE: number = LIST.zero + BATCH_PAGES * 4;

/**
 * Addresses named `own` are in the channel's own memory, all others in the machine's. Lists are page numbers within a block,
 * 32 bits each, in the channel's own memory; `block` and `flags` are addresses of a block's first byte and first flags byte.
 */
export interface MultifdKernel {
  /**
   * Takes marked pages of one block, at most `most` of them, and clears their marks.
   *
   * @param list own address of the list that they are added to, see {@link LIST}
   * @param detect 1 to tell zero pages from others, 0 to take all as others
   * @returns the first page that was not looked at
   */
  pick(
    list: number,
    map: number,
    flags: number,
    block: number,
    page: number,
    pageEnd: number,
    most: number,
    detect: number,
  ): number;
  /** Copies the pages of a list behind each other, to an own address. */
  gather(list: number, count: number, block: number, ownOut: number): number;
  /** Writes the pages of a list as be64 offsets, to an own address. */
  offsets(list: number, count: number, ownOut: number): number;
  /**
   * Reads be64 offsets at an own address into a list.
   *
   * @param pages pages of the block
   * @returns how many were read before one that is outside of the block, or not at the beginning of a page
   */
  readOffsets(ownAt: number, count: number, list: number, pages: number): number;
  /**
   * Copies bytes to the pages of a list and marks them as written.
   *
   * @param cursor where among the pages' bytes these begin
   * @returns nonzero when a page is watched (code, missing, protected): its flags are as before
   */
  scatter(list: number, cursor: number, block: number, flags: number, ownSource: number, length: number): number;
  /** Fills the pages of a list with zeros, unless they were never written. @returns as `scatter` */
  clear(list: number, count: number, block: number, flags: number): number;
}

/** A memory that belongs to one channel. */
export interface OwnMemory {
  readonly buffer: ArrayBuffer;
}

/** Instantiates the compiled kernels on the machine's memory and a channel's own. */
export function instantiateMultifdKernel(module: WasmModule, memory: WasmMemory, own: OwnMemory): MultifdKernel {
  const { WebAssembly: wasm } = globalThis as unknown as { readonly WebAssembly: WasmHost };
  const { exports } = new wasm.Instance(module, { host: { memory, own } });
  // The module exports exactly these.
  return exports as unknown as MultifdKernel;
}

/** A new memory. @param bytes at least so many */
export function ownMemory(bytes: number): OwnMemory {
  const { WebAssembly: wasm } = globalThis as unknown as {
    readonly WebAssembly: { readonly Memory: new (descriptor: { initial: number }) => OwnMemory };
  };
  return new wasm.Memory({ initial: Math.ceil(bytes / 65536) });
}
