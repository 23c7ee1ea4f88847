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
} from './packets.ts';
import type { MethodContext, PacketTarget, PageBatch, PageMethod, PayloadEncoder } from './page-method.ts';
import { METHOD_AT } from './page-share.ts';

/** Packets that may be on their way: while one is put together, the kernel takes the others. */
const SLOTS = 3;
const PAGES_SIZE = PACKET_PAGES * 4096;
/** Room for a packet whose pages do not get smaller by compression. */
const SLOT_SIZE = 640 * 1024;
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
    const slot = await this.#slot();
    const { kernel } = this.#context;
    const zerosAt = kernel.offsets(LIST.normal, normal, slot + OFFSETS_AT);
    kernel.offsets(LIST.zero, zero, zerosAt);
    const payload = normal === 0 ? 0 : this.#fill(slot + PAGES_HEADER_SIZE, normal, block.hostOffset);
    return this.#send(slot, { flags: this.#flag, normal, zero, payload, block: block.name });
  }

  /** Copies the pages, or what becomes of them. The guest may write to them meanwhile, so what is compressed is a copy. */
  #fill(at: number, count: number, block: number): number {
    const { kernel, own } = this.#context;
    const copy = this.#encoder === undefined ? at : METHOD_AT;
    kernel.gather(LIST.normal, count, block, copy);
    if (this.#encoder === undefined) return count * 4096;
    const room = SLOT_SIZE - PAGES_HEADER_SIZE;
    return this.#encoder.encode(new Uint8Array(own.buffer, copy, count * 4096), new Uint8Array(own.buffer, at, room));
  }

  async sync(): Promise<number> {
    const slot = await this.#slot();
    return this.#send(slot, { flags: MULTIFD_FLAG.sync, normal: 0, zero: 0, payload: 0, block: '' });
  }

  /** Sends a packet of a device's state. @returns bytes that it takes */
  async state(idstr: string, instanceId: number, state: Uint8Array): Promise<number> {
    const slot = await this.#slot();
    const header = encodeStateHeader({ idstr, instanceId, length: state.length });
    this.#handOver(slot, [header, state]);
    return header.length + state.length;
  }

  abort(reason: Error): void {
    this.#error ??= reason;
    this.#wake?.();
  }

  #send(slot: number, header: { flags: number; normal: number; zero: number; payload: number; block: string }): number {
    const { own, counters } = this.#context;
    const view = new DataView(own.buffer, slot, PAGES_HEADER_SIZE);
    encodePagesHeader(view, { ...header, number: counters.takePacket() });
    const length = PAGES_HEADER_SIZE + header.payload;
    this.#handOver(slot, [new Uint8Array(own.buffer, slot, length)]);
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

  async #slot(): Promise<number> {
    while (this.#free.length === 0 && this.#error === undefined)
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    this.#wake = undefined;
    if (this.#error !== undefined) throw this.#error;
    return this.#free.pop()!;
  }
}
