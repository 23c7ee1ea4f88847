/** What a channel does with pages, and what it needs for that. Everything here can be posted to a thread. */
import type { WasmMemory, WasmModule } from '@sterna/core';
import type { FileTarget } from '../mapped-ram/target.ts';
import type { MarkedBlock } from '../ram/page-sender.ts';
import type { MultifdKernel, OwnMemory } from './kernel-instance.ts';
import type { MultifdCompression } from './packets.ts';
import type { StatePacket } from './state-packet.ts';

/** Pages of one block that go out together. Valid until whoever got it has taken it over. */
export interface PageBatch {
  readonly block: MarkedBlock;
  /** Place of the block in the plan. */
  readonly index: number;
  /** How many pages are to be sent whole, and how many are zero. Their numbers in the block: */
  readonly normal: number;
  readonly zero: number;
  /** In ascending order; only the first {@link PageBatch.normal} are valid. */
  readonly normalPages: Uint32Array;
  readonly zeroPages: Uint32Array;
}

/** How a channel puts pages where they belong: in packets on a socket, or at their places of a file. */
export interface PageMethod {
  /**
   * Takes a batch over: its pages are read before this resolves. May wait until less is under way.
   *
   * @returns bytes that it takes
   * @throws the channel's error
   */
  put(batch: PageBatch): Promise<number>;
  /**
   * Separates what was put before from what comes after: on a socket by a mark in the stream, in a file by waiting until
   * everything is written.
   *
   * @returns bytes that it takes
   */
  sync(): Promise<number>;
  /** Sends a packet of a device's state; absent where there are no packets. @returns bytes that it takes */
  state?(packet: StatePacket): Promise<number>;
  /** Lets go of what it has held back to send it together with more. */
  flush?(): void;
  /** Ends what waits, and everything that follows. */
  abort(reason: Error): void;
}

/** What a method works on. */
export interface MethodContext {
  readonly memory: WasmMemory;
  /** The channel's own memory; the first {@link LIST_SIZE} bytes hold the batch. */
  readonly own: OwnMemory;
  readonly kernel: MultifdKernel;
  readonly counters: SharedCounters;
}

/** Counters in the machine's memory that all channels of a migration share. */
export class SharedCounters {
  /** Bytes of them. */
  static readonly SIZE = 8;
  readonly #cells: Int32Array;

  /** @param at their address */
  constructor(memory: WasmMemory, at: number) {
    this.#cells = new Int32Array(memory.buffer, at, 2);
  }

  /** Number of a stripe that nobody else has got in this round. */
  takeStripe(): number {
    return Atomics.add(this.#cells, 0, 1);
  }
  /** Begins a round; nobody may be taking stripes. */
  restart(): void {
    Atomics.store(this.#cells, 0, 0);
  }
  /** Number of a packet. */
  takePacket(): number {
    return Atomics.add(this.#cells, 1, 1) >>> 0;
  }
  /** Everything from the beginning. */
  reset(): void {
    this.#cells.fill(0);
  }
}

/** Compresses packets as one continuous stream. */
export interface PayloadEncoder {
  /** @returns bytes that were written to `output` @throws Error when there is no room for them */
  encode(input: Uint8Array, output: Uint8Array): number;
}

/** Its counterpart. */
export interface PayloadDecoder {
  /**
   * Goes on with the stream as far as input and room allow.
   *
   * @returns bytes that were taken and written
   * @throws Error for bytes that are no such stream
   */
  decode(input: Uint8Array, output: Uint8Array): { readonly taken: number; readonly written: number };
}

/** Makes encoders and decoders where the host has them; absent for `none`. */
export interface PayloadCodecs {
  encoder(method: MultifdCompression, level: number): PayloadEncoder | undefined;
  decoder(method: MultifdCompression): PayloadDecoder | undefined;
}

/** Where pages go, for a thread that makes the method of it. */
export interface PacketTarget {
  readonly kind: 'packets';
  readonly compression: MultifdCompression;
  readonly level: number;
}

/** Everything that a channel needs to send its share of the pages. */
export interface SharePlan {
  readonly memory: WasmMemory;
  /** The kernels of multifd. */
  readonly kernel: WasmModule;
  /** In the order of the stream; the same for all channels. */
  readonly blocks: readonly MarkedBlock[];
  /** Address of `SharedCounters`. */
  readonly counters: number;
  /** `none`: no page is looked at; `legacy`: zero pages become records of the main channel; `multifd`: they go along. */
  readonly zeroPages: 'none' | 'legacy' | 'multifd';
  readonly target: PacketTarget | FileTarget;
}
