import type { Dma, DmaRange } from '@sterna/core';

/**
 * The machine's memory for a device, with pages that can be made to be missing, as they are after a postcopy switchover or
 * while a snapshot is loaded lazily: what the device asked for with `run` waits then.
 */
export class HeldDma implements Dma {
  /** While true every range is missing. */
  held = false;
  readonly #dma: Dma;
  #waiting: (() => void)[] = [];

  constructor(dma: Dma) {
    this.#dma = dma;
  }

  /** Requests that wait. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** The pages are there: what waited is done, in order. */
  release(): void {
    this.held = false;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const fn of waiting) fn();
  }

  /** Forgets what waits: its device has gone. */
  forget(): void {
    this.#waiting = [];
  }

  run(ranges: readonly DmaRange[], fn: () => void): void {
    if (this.held) this.#waiting.push(fn);
    else this.#dma.run(ranges, fn);
  }
  read(address: number, into: Uint8Array): void {
    this.#dma.read(address, into);
  }
  write(address: number, bytes: Uint8Array): void {
    this.#dma.write(address, bytes);
  }
  readU8(address: number): number {
    return this.#dma.readU8(address);
  }
  readU16(address: number): number {
    return this.#dma.readU16(address);
  }
  readU32(address: number): number {
    return this.#dma.readU32(address);
  }
  writeU8(address: number, value: number): void {
    this.#dma.writeU8(address, value);
  }
  writeU16(address: number, value: number): void {
    this.#dma.writeU16(address, value);
  }
  writeU32(address: number, value: number): void {
    this.#dma.writeU32(address, value);
  }
}
