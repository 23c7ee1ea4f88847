import type { SystemBus } from './buses.ts';
import type { Dma, DmaRange } from './dma.ts';

/** DMA through the system bus. */
export class BusDma implements Dma {
  readonly #bus: SystemBus;
  readonly #word = new Uint8Array(4);
  readonly #one = this.#word.subarray(0, 1);
  readonly #two = this.#word.subarray(0, 2);

  constructor(bus: SystemBus) {
    this.#bus = bus;
  }

  read(address: number, into: Uint8Array): void {
    this.#bus.read(address, into);
  }

  write(address: number, bytes: Uint8Array): void {
    this.#bus.write(address, bytes);
  }

  readU8(address: number): number {
    this.#bus.read(address, this.#one);
    return this.#word[0]!;
  }

  readU16(address: number): number {
    this.#bus.read(address, this.#two);
    return this.#word[0]! | (this.#word[1]! << 8);
  }

  readU32(address: number): number {
    this.#bus.read(address, this.#word);
    return (this.#word[0]! | (this.#word[1]! << 8) | (this.#word[2]! << 16) | (this.#word[3]! << 24)) >>> 0;
  }

  writeU8(address: number, value: number): void {
    this.#word[0] = value;
    this.#bus.write(address, this.#one);
  }

  writeU16(address: number, value: number): void {
    this.#word[0] = value;
    this.#word[1] = value >>> 8;
    this.#bus.write(address, this.#two);
  }

  writeU32(address: number, value: number): void {
    for (let i = 0; i < 4; i++) this.#word[i] = value >>> (8 * i);
    this.#bus.write(address, this.#word);
  }

  run(_ranges: readonly DmaRange[], fn: () => void): void {
    // No page is ever missing before postcopy and lazy snapshots exist, so every range is resident.
    fn();
  }
}
