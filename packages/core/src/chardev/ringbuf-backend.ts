import type { CharBackend } from './char-backend.ts';
import { NullBackend } from './null-backend.ts';

/** A backend that keeps the last bytes the guest wrote, for tests and for looking at a boot afterwards. */
export class RingbufBackend extends NullBackend implements CharBackend {
  readonly #ring: Uint8Array;
  #written = 0;
  #read = 0;

  /** @param size - Bytes kept, a power of two. */
  constructor(id: string, size = 65_536) {
    super(id);
    this.#ring = new Uint8Array(size);
  }

  override write(bytes: Uint8Array): number {
    for (const byte of bytes) this.#ring[this.#written++ % this.#ring.length] = byte;
    this.#read = Math.max(this.#read, this.#written - this.#ring.length);
    return bytes.length;
  }

  /** Takes up to `size` of the oldest bytes out of the ring. */
  read(size = this.#ring.length): Uint8Array {
    const out = new Uint8Array(Math.min(size, this.#written - this.#read));
    for (let at = 0; at < out.length; at++) out[at] = this.#ring[this.#read++ % this.#ring.length]!;
    return out;
  }
}
