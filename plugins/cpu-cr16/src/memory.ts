import {
  type CpuBus,
  type MachineMemory,
  MEMORY_LAYOUT,
  PAGE_CODE,
  PAGE_MAP_READ,
  PAGE_MAP_WRITE,
  PAGE_MISSING,
  PAGE_PROTECTED,
  PAGE_SIZE,
} from '@sterna/core';

/** Thrown by an access to a page that is not there yet; the instruction has had no effect and is executed again. */
export const PAGE_WAIT: unique symbol = Symbol('page wait');

/** Addresses have 24 bits. */
export const ADDRESS_MASK = 0xff_ffff;
const OFFSET = PAGE_SIZE - 1;
const MAP = MEMORY_LAYOUT.pageMap / 4;

/** Memory as the CPU sees it: little-endian, any alignment, RAM directly and devices through the bus. */
export class Cr16Memory {
  readonly #memory: MachineMemory;
  readonly #bus: CpuBus;
  /** Told of every access of the program while somebody watches; fetching instructions is none. */
  onAccess: ((address: number, size: number, write: boolean) => void) | undefined;

  constructor(memory: MachineMemory, bus: CpuBus) {
    this.#memory = memory;
    this.#bus = bus;
  }

  /** Reads 1, 2 or 4 bytes. @throws PAGE_WAIT */
  read(address: number, size: number): number {
    const value = this.fetch(address, size);
    this.onAccess?.(address, size, false);
    return value;
  }

  /** Reads 1, 2 or 4 bytes of code, or for the CPU itself. @throws PAGE_WAIT */
  fetch(address: number, size: number): number {
    const host = this.#host(address, size, PAGE_MAP_READ, PAGE_MISSING);
    if (host === undefined) return size === 1 ? this.#bus.mmioRead(address, 1) : this.#fetchAcross(address, size);
    const { u8 } = this.#memory;
    if (size === 1) return u8[host]!;
    const low = u8[host]! | (u8[host + 1]! << 8);
    return size === 2 ? low : (low | (u8[host + 2]! << 16) | (u8[host + 3]! << 24)) >>> 0;
  }

  /** Writes the low 1, 2 or 4 bytes of a value. @throws PAGE_WAIT */
  write(address: number, size: number, value: number): void {
    this.#store(address, size, value);
    this.onAccess?.(address, size, true);
  }

  #store(address: number, size: number, value: number): void {
    const host = this.#host(address, size, PAGE_MAP_WRITE, PAGE_MISSING | PAGE_PROTECTED);
    if (host === undefined) {
      this.#storeAcross(address, size, value);
      return;
    }
    const { u8 } = this.#memory;
    for (let i = 0; i < size; i++) u8[host + i] = value >>> (8 * i);
    this.#memory.markWritten(host, size);
  }

  /** Makes sure that a stretch of RAM can be read (or written), so that an instruction waits before its first effect. */
  probe(address: number, length: number, write: boolean): void {
    const needed = write ? PAGE_MAP_WRITE : PAGE_MAP_READ;
    const waits = write ? PAGE_MISSING | PAGE_PROTECTED : PAGE_MISSING;
    for (let done = 0; done < length; ) {
      const at = (address + done) & ADDRESS_MASK;
      this.#host(at, 1, needed, waits);
      done += PAGE_SIZE - (at & OFFSET);
    }
  }

  /** Marks the page behind an address as one with decoded instructions; undefined when it is no RAM. */
  markCode(address: number): number | undefined {
    const host = this.#host(address, 1, PAGE_MAP_READ, 0);
    if (host === undefined) return undefined;
    const { u8 } = this.#memory;
    const index = this.#memory.flagIndex(host);
    u8[index] = u8[index]! | PAGE_CODE;
    return host - (host & OFFSET);
  }

  /** Host address of an access within one page of RAM; undefined when a device or more than one page is behind it. */
  #host(address: number, size: number, needed: number, waits: number): number | undefined {
    const offset = address & OFFSET;
    if (offset + size > PAGE_SIZE) return undefined;
    const entry = this.#memory.u32[MAP + (address >>> 12)]!;
    if ((entry & needed) === 0) return undefined;
    const page = (entry & ~OFFSET) >>> 0;
    if ((this.#memory.u8[MEMORY_LAYOUT.pageFlags + (page >>> 12)]! & waits) !== 0) throw PAGE_WAIT;
    return page + offset;
  }

  #fetchAcross(address: number, size: number): number {
    if ((address & OFFSET) + size <= PAGE_SIZE) return this.#bus.mmioRead(address, size);
    this.probe(address, size, false);
    let value = 0;
    for (let i = size - 1; i >= 0; i--) value = value * 256 + this.fetch((address + i) & ADDRESS_MASK, 1);
    return value;
  }

  #storeAcross(address: number, size: number, value: number): void {
    if ((address & OFFSET) + size <= PAGE_SIZE) {
      this.#bus.mmioWrite(address, size, value);
      return;
    }
    this.probe(address, size, true);
    for (let i = 0; i < size; i++) this.#store((address + i) & ADDRESS_MASK, 1, (value >>> (8 * i)) & 0xff);
  }
}
