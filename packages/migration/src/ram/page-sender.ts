import type { WasmMemory, WasmModule } from '@sterna/core';
import type { BufferArea } from '../host.ts';
import type { StreamWriter } from '../stream/writer.ts';

/** A RAM block whose dirty pages are marked in the dirty map: one byte for each page. */
export interface MarkedBlock {
  readonly name: string;
  /** Wasm address of its first byte, its first mark, and its first flags byte. */
  readonly hostOffset: number;
  readonly map: number;
  readonly flags: number;
  readonly pages: number;
}

/** Where everything is that sending pages takes; all of it can be posted to a thread. */
export interface PagePlan {
  readonly memory: WasmMemory;
  readonly kernel: WasmModule;
  /** In the order of the stream. */
  readonly blocks: readonly MarkedBlock[];
  /** Buffers that belong to a sending thread alone. */
  readonly buffers: BufferArea;
}

/** How much to send at once; a sender stops at whatever is reached first. */
export interface PageBudget {
  /** Bytes of the stream; at most one record more is written. */
  readonly bytes: number;
  /** Host time. */
  readonly ms: number;
}

/** What was sent. */
export interface SentPages {
  /** Pages sent as ZERO records, and whole ones. */
  readonly zero: number;
  readonly normal: number;
}

/**
 * Writes records of marked pages to the stream and clears their marks, in the place that the stream has reached.
 *
 * While a call is under way nobody else may touch the dirty map or write to the stream; the guest may run and write to any
 * page. Between calls the map belongs to the caller.
 */
export interface PageSender {
  /**
   * Sends until the budget is used up or no page is marked.
   *
   * @throws the channel's error; nothing is read or written any more then
   */
  send(writer: StreamWriter, budget: PageBudget): Promise<SentPages>;
}

/** Most bytes that one record can take: address, name of the block, page. */
export const MAX_RECORD: number = 8 + 1 + 255 + 4096;
