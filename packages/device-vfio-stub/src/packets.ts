/**
 * Packets of device data over channels of their own (QEMU hw/vfio/migration-multifd.c, v10.0):
 *
 *   be32 version 0, be32 number, be32 flags (1: the last one), data
 *
 * They come in any order, so the number says where each belongs.
 */
const HEADER = 12;
const VERSION = 0;
const LAST = 1;
/** Packets that may wait for one before them. */
const MOST_WAITING = 1024;

/** Puts a header before the data. */
export function encodePacket(number: number, data: Uint8Array, last: boolean): Uint8Array {
  const packet = new Uint8Array(HEADER + data.length);
  const view = new DataView(packet.buffer);
  view.setUint32(0, VERSION);
  view.setUint32(4, number);
  view.setUint32(8, last ? LAST : 0);
  packet.set(data, HEADER);
  return packet;
}

/** Puts packets into their order again. Nothing of them is trusted. */
export class PacketQueue {
  readonly #waiting = new Map<number, { readonly data: Uint8Array; readonly last: boolean }>();
  readonly #write: (data: Uint8Array) => void;
  #next = 0;
  #begun = false;
  #ended = false;

  /** @param write takes the data in their order */
  constructor(write: (data: Uint8Array) => void) {
    this.#write = write;
  }

  /** Whether the last packet and all before it were written. */
  get ended(): boolean {
    return this.#ended;
  }

  /** What came over the main channel is loaded: from here on packets are written. @throws what the device throws */
  begin(): void {
    this.#begun = true;
    this.#drain();
  }

  /** Takes a packet, and writes what is next. @throws RangeError for one that cannot be */
  add(packet: Uint8Array): void {
    if (packet.length < HEADER) throw new RangeError(`a packet of ${packet.length} bytes`);
    const view = new DataView(packet.buffer, packet.byteOffset, packet.byteLength);
    const [version, number, flags] = [view.getUint32(0), view.getUint32(4), view.getUint32(8)];
    if (version !== VERSION) throw new RangeError(`a packet has version ${version}, known is ${VERSION}`);
    if ((flags & ~LAST) !== 0) throw new RangeError(`a packet has flags 0x${flags.toString(16)}`);
    if (this.#ended || number < this.#next || this.#waiting.has(number))
      throw new RangeError(`packet ${number} comes twice, or behind the last one`);
    if (number - this.#next > MOST_WAITING)
      throw new RangeError(`packet ${number} comes, and packet ${this.#next} has not yet`);
    this.#waiting.set(number, { data: packet.subarray(HEADER), last: flags === LAST });
    if (this.#begun) this.#drain();
  }

  #drain(): void {
    for (;;) {
      const next = this.#waiting.get(this.#next);
      if (next === undefined) return;
      this.#waiting.delete(this.#next++);
      if (next.data.length > 0) this.#write(next.data);
      if (!next.last) continue;
      if (this.#waiting.size > 0) throw new RangeError('packets come behind the last one');
      this.#ended = true;
    }
  }
}
