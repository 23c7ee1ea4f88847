import type { ByteOutput } from '../stream/writer.ts';
import { LIST } from './kernel-instance.ts';
import {
  encodePagesHeader,
  encodeStateHeader,
  METHOD_FLAG,
  MULTIFD_FLAG,
  OFFSETS_AT,
  PACKET_PAGES,
  PAGES_HEADER_SIZE,
  type PagesHeader,
} from './packets.ts';
import type { MethodContext, PacketTarget, PageBatch, PageMethod, PayloadEncoder } from './page-method.ts';
import { METHOD_AT } from './page-share.ts';
import type { StatePacket } from './state-packet.ts';

/** Pieces of the stream that may be on their way: while one is put together, the kernel takes the others. */
const SLOTS = 3;
const PAGES_SIZE = PACKET_PAGES * 4096;
/** Most bytes of a packet, with room for pages that do not get smaller by compression. */
const MAX_PACKET: number = PAGES_HEADER_SIZE + PAGES_SIZE + 64 * 1024;
/** Packets that are smaller go out together: one without pages is hardly worth a call. */
const ENOUGH = 128 * 1024;
const SLOT_SIZE: number = Math.ceil((ENOUGH + MAX_PACKET) / 4096) * 4096;
const SLOTS_AT: number = METHOD_AT + PAGES_SIZE;

/** Bytes of its own memory that a channel needs for {@link PacketMethod}. */
export const PACKET_METHOD_MEMORY: number = SLOTS_AT + SLOTS * SLOT_SIZE;

/** Puts pages into packets on a socket. */
export class PacketMethod implements PageMethod {
  readonly #context: MethodContext;
  readonly #output: ByteOutput;
  readonly #encoder: PayloadEncoder | undefined;
  readonly #flag: number;
  readonly #free: number[] = [];
  /** The piece that is being put together, 0 when there is none, and its bytes so far. */
  #slot = 0;
  #filled = 0;
  #error: Error | undefined;
  #wake: (() => void) | undefined;

  /** @param encoder absent when nothing is compressed */
  constructor(context: MethodContext, output: ByteOutput, target: PacketTarget, encoder: PayloadEncoder | undefined) {
    this.#context = context;
    this.#output = output;
    this.#encoder = encoder;
    this.#flag = METHOD_FLAG[target.compression];
    for (let i = 0; i < SLOTS; i++) this.#free.push(SLOTS_AT + i * SLOT_SIZE);
  }

  async put({ block, normal, zero }: PageBatch): Promise<number> {
    const at = await this.#room();
    const { kernel } = this.#context;
    const zerosAt = kernel.offsets(LIST.normal, normal, at + OFFSETS_AT);
    kernel.offsets(LIST.zero, zero, zerosAt);
    const payload = normal === 0 ? 0 : this.#fill(at + PAGES_HEADER_SIZE, normal, block.hostOffset);
    return this.#placed(at, { flags: this.#flag, normal, zero, payload, block: block.name });
  }

  /** Copies the pages, or what becomes of them. The guest may write to them meanwhile, so what is compressed is a copy. */
  #fill(at: number, count: number, block: number): number {
    const { kernel, own } = this.#context;
    const copy = this.#encoder === undefined ? at : METHOD_AT;
    kernel.gather(LIST.normal, count, block, copy);
    if (this.#encoder === undefined) return count * 4096;
    const room = MAX_PACKET - PAGES_HEADER_SIZE;
    return this.#encoder.encode(new Uint8Array(own.buffer, copy, count * 4096), new Uint8Array(own.buffer, at, room));
  }

  async sync(): Promise<number> {
    const at = await this.#room();
    const length = this.#placed(at, { flags: MULTIFD_FLAG.sync, normal: 0, zero: 0, payload: 0, block: '' });
    this.flush();
    return length;
  }

  async state({ idstr, instanceId, state }: StatePacket): Promise<number> {
    this.flush();
    const slot = await this.#freeSlot();
    const header = encodeStateHeader({ idstr, instanceId, length: state.length });
    this.#handOver(slot, [header, state]);
    return header.length + state.length;
  }

  flush(): void {
    const slot = this.#slot;
    if (slot === 0) return;
    this.#handOver(slot, [new Uint8Array(this.#context.own.buffer, slot, this.#filled)]);
    this.#slot = this.#filled = 0;
  }

  abort(reason: Error): void {
    this.#error ??= reason;
    this.#wake?.();
  }

  /** Where the next packet goes. */
  async #room(): Promise<number> {
    if (this.#error !== undefined) throw this.#error;
    if (this.#slot === 0) this.#slot = await this.#freeSlot();
    return this.#slot + this.#filled;
  }

  /** The payload of a packet is in its place. With enough of them they go out. */
  #placed(at: number, header: Omit<PagesHeader, 'number'>): number {
    const { own, counters } = this.#context;
    const view = new DataView(own.buffer, at, PAGES_HEADER_SIZE);
    encodePagesHeader(view, { ...header, number: counters.takePacket() });
    const length = PAGES_HEADER_SIZE + header.payload;
    this.#filled += length;
    if (this.#filled >= ENOUGH) this.flush();
    return length;
  }

  #handOver(slot: number, pieces: readonly Uint8Array[]): void {
    Promise.all(pieces.map((piece) => this.#output.write(piece)))
      .catch((error: Error) => {
        this.#error ??= error;
      })
      .finally(() => {
        this.#free.push(slot);
        this.#wake?.();
      });
  }

  async #freeSlot(): Promise<number> {
    while (this.#free.length === 0 && this.#error === undefined)
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    this.#wake = undefined;
    if (this.#error !== undefined) throw this.#error;
    return this.#free.pop()!;
  }
}
