import type { WasmMemory, WasmModule } from '@sterna/core';
import type { BufferArea } from '../host.ts';
import type { MappedPlan } from '../mapped-ram/target.ts';
import type { StatePacket } from '../multifd/state-packet.ts';
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
  /** Kernels of XBZRLE, where it is wanted. */
  readonly xbzrle?: WasmModule;
  /** Places of pages in a file; without it pages are records of the stream. */
  readonly mapped?: MappedPlan;
}

/** How pages that were sent before are sent again. */
export interface XbzrleTurn {
  /** Bytes of pages that the cache may hold, a power of two. */
  readonly cacheSize: number;
  /** How often dirty pages were collected; the age of what the cache holds is counted in these. */
  readonly round: number;
  /** The guest stands still: what is sent now is not sent again. */
  readonly last: boolean;
}

/** How much to send at once; a sender stops at whatever is reached first. */
export interface PageBudget {
  /** Bytes of the stream; at most one record more is written. */
  readonly bytes: number;
  /** Host time. */
  readonly ms: number;
  /** Absent where pages are always sent whole. */
  readonly xbzrle?: XbzrleTurn;
}

/** What was sent. */
export interface SentPages {
  /** Pages sent as ZERO records, and whole ones. */
  readonly zero: number;
  readonly normal: number;
  /** With XBZRLE. */
  readonly xbzrle?: XbzrleSent;
}

/** What XBZRLE has done, in pages. */
export interface XbzrleSent {
  /** Pages that the cache held. Some of them need not be sent since they have not changed; some were sent whole. */
  readonly hits: number;
  readonly unchanged: number;
  readonly overflows: number;
  /** Pages that it did not hold. */
  readonly misses: number;
  /** Bytes of the stream for pages that it held, without the address of each. */
  readonly bytes: number;
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
  /** Does what a section of RAM needs before its EOS, where pages travel beside it. @throws the channel's error */
  finishSection?(writer: StreamWriter, kind: RamSectionKind): Promise<void>;
  /** Sends a packet of a device's state; absent where there are no channels for it. @throws the channel's error */
  sendState?(writer: StreamWriter, packet: StatePacket): Promise<void>;
  /** Resolves when all that travels beside the stream is on its way. @throws the channel's error */
  settled?(): Promise<void>;
}

/** Sections of RAM: its first, one of its parts, its last. */
export type RamSectionKind = 'start' | 'part' | 'end';

/** Most bytes that one record can take: address, name of the block, mark and length of an encoded page, page. */
export const MAX_RECORD: number = 8 + 1 + 255 + 3 + 4096;
