/**
 * The kernels as functions. This file and what else a sending thread needs import nothing but types from other packages:
 * such a thread starts in milliseconds.
 */
import type { WasmHost, WasmMemory, WasmModule } from '@sterna/core';

/** Bytes at `RamKernel.cells` through which the kernels answer beside their result. */
export const KERNEL_CELLS = 16;

/** Wasm addresses are numbers; all lengths are in bytes unless the name says pages. */
export interface RamKernel {
  /**
   * Moves dirty flags into the dirty map: a page whose CLEAN flag is off gets a 1 in the map, and the flag on.
   *
   * @returns how many pages got a 1 that had none
   */
  harvest(flags: number, map: number, pages: number): number;
  /** Whether a page is all zeros: 1 or 0. */
  isZero(address: number): number;
  /**
   * Writes records (all with CONTINUE) for marked pages of one block and clears their marks.
   *
   * Cells: end of the output, zero pages, other pages.
   *
   * @returns the first page index not looked at
   */
  emit(
    out: number,
    outEnd: number,
    map: number,
    flags: number,
    block: number,
    page: number,
    pageEnd: number,
    most: number,
  ): number;
  /**
   * Applies an XBZRLE-encoded page to what is there.
   *
   * @returns 0, or -1 when it is malformed; a part of it may have been applied then
   */
  decode(page: number, input: number, length: number): number;
  /**
   * Reads CONTINUE records of pages into one block, until a record that needs more thought or is not all there.
   *
   * @returns the address of the first byte not consumed
   */
  absorb(input: number, inputEnd: number, block: number, length: number, flags: number): number;
}

/**
 * Instantiates the compiled kernels on a machine's memory.
 *
 * @param cells address of `KERNEL_CELLS` bytes for answers
 */
export function instantiateKernel(module: WasmModule, memory: WasmMemory, cells: number): RamKernel {
  const { WebAssembly: wasm } = globalThis as unknown as { readonly WebAssembly: WasmHost };
  const { exports } = new wasm.Instance(module, { host: { memory } });
  // The module exports exactly these, with the address of the cells as a last parameter.
  const raw = exports as unknown as {
    harvest: RamKernel['harvest'];
    isZero: RamKernel['isZero'];
    decode: RamKernel['decode'];
    emit(...args: number[]): number;
    absorb(...args: number[]): number;
  };
  return {
    harvest: raw.harvest,
    isZero: (address) => raw.isZero(address),
    decode: raw.decode,
    emit: (out, outEnd, map, flags, block, page, pageEnd, most) =>
      raw.emit(out, outEnd, map, flags, block, page, pageEnd, most, cells) >>> 0,
    absorb: (input, inputEnd, block, length, flags) => raw.absorb(input, inputEnd, block, length, flags) >>> 0,
  };
}
