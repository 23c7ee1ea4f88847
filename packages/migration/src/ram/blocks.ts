import type { RamBlock } from '@sterna/core';
import type { BufferArea, MigrationHost } from '../host.ts';
import { ramKernel } from './kernel.ts';
import { KERNEL_CELLS, type RamKernel } from './kernel-instance.ts';

/** Target page size of the machines here. */
export const PAGE = 4096;

/** Bytes of the stream's chunks, or of its read buffer. */
export const STREAM_BUFFERS: number = 2 ** 20;
/** Bytes of a sending thread's chunks and kernel answers. */
export const THREAD_BUFFERS: number = 2 ** 20;

/** Size of the buffer area a machine must set aside. @param ramBytes most bytes that its RAM blocks may have */
export function bufferAreaSize(ramBytes: number): number {
  return KERNEL_CELLS + STREAM_BUFFERS + THREAD_BUFFERS + marksSize(ramBytes) + bitmapsSize(ramBytes);
}

/** A byte for each page, and some for blocks that do not fill their last stretch of pages. */
function marksSize(ramBytes: number): number {
  return Math.ceil(ramBytes / PAGE) + 4096;
}

function bitmapsSize(ramBytes: number): number {
  return Math.ceil(ramBytes / PAGE / 8) + 4096;
}

/** Blocks in the order of the stream: largest maximum first, equal ones as registered. */
export function streamOrder(blocks: readonly RamBlock[]): readonly RamBlock[] {
  return [...blocks].sort((a, b) => b.maxLength - a.maxLength);
}

/** The kernels and buffers of one migration on a machine's memory. */
export class RamArea {
  readonly kernel: RamKernel;
  /** The whole memory. */
  readonly bytes: Uint8Array;
  /** Where page marks may be kept, and behind them bitmaps. */
  readonly map: BufferArea;
  /** Chunks or read buffer of the stream. */
  readonly stream: Uint8Array;
  /** An encoded page, while a destination applies it; on a source it is the thread's. */
  readonly delta: Uint8Array;
  /** For a sending thread. */
  readonly thread: BufferArea;
  /** Answers of the last kernel call. */
  readonly cells: Uint32Array;

  constructor(host: MigrationHost) {
    const { offset, size } = host.buffers;
    const { buffer } = host.memory;
    this.kernel = ramKernel(host.memory, offset);
    this.bytes = new Uint8Array(buffer);
    this.cells = new Uint32Array(buffer, offset, KERNEL_CELLS / 4);
    const streamAt = offset + KERNEL_CELLS;
    this.stream = new Uint8Array(buffer, streamAt, STREAM_BUFFERS);
    this.thread = { offset: streamAt + STREAM_BUFFERS, size: THREAD_BUFFERS };
    this.delta = new Uint8Array(buffer, this.thread.offset, PAGE);
    const mapAt = this.thread.offset + THREAD_BUFFERS;
    this.map = { offset: mapAt, size: offset + size - mapAt };
  }
}
