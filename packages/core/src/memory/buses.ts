import type { CpuBus } from '../cpu/define-cpu.ts';
import type { AddressSpace, FlatRange } from './address-space.ts';
import { MEMORY_LAYOUT, PAGE_MAP_READ, PAGE_MAP_WRITE, PAGE_SIZE } from './layout.ts';
import type { MachineMemory } from './machine-memory.ts';

const PORTS = 65536;

/**
 * Slow path of the CPU and path of DMA: dispatches accesses to devices and keeps the page map that generated
 * code reads in step with the address spaces.
 */
export class SystemBus implements CpuBus {
  readonly #memory: MachineMemory;
  readonly #physical: AddressSpace;
  readonly #ports: AddressSpace;
  /** Index + 1 of each port's range in `#portRanges`; 0 is unassigned. */
  readonly #portIndex = new Uint16Array(PORTS);
  #portRanges: readonly FlatRange[] = [];
  #portsStale = true;
  #last: FlatRange | undefined;
  /** Highest physical page that is in the page map. */
  #mappedPages = 0;

  constructor(memory: MachineMemory, physical: AddressSpace, ports: AddressSpace) {
    this.#memory = memory;
    this.#physical = physical;
    this.#ports = ports;
    ports.onChange(() => {
      this.#portsStale = true;
    });
    physical.onChange(() => {
      this.#last = undefined;
    });
  }

  /** Rewrites the page map from the physical address space. The caller flushes TLBs. */
  writePageMap(): void {
    const { u32 } = this.#memory;
    const base = MEMORY_LAYOUT.pageMap / 4;
    u32.fill(0, base, base + this.#mappedPages);
    this.#mappedPages = 0;
    for (const { start, end, region, offset } of this.#physical.flat) {
      if (region.kind !== 'ram') continue;
      const host = region.block.hostOffset + region.offset + offset;
      // Only whole, aligned pages can be accessed directly; the rest goes through `mmioRead`.
      const first = Math.ceil(start / PAGE_SIZE);
      const last = Math.min(Math.floor(end / PAGE_SIZE), MEMORY_LAYOUT.pageMapSpan / PAGE_SIZE);
      if ((host - start) % PAGE_SIZE !== 0) continue;
      const flags = region.readonly === true ? PAGE_MAP_READ : PAGE_MAP_READ + PAGE_MAP_WRITE;
      for (let page = first; page < last; page++) u32[base + page] = host + (page * PAGE_SIZE - start) + flags;
      this.#mappedPages = Math.max(this.#mappedPages, last);
    }
  }

  #find(address: number): FlatRange | undefined {
    const last = this.#last;
    if (last !== undefined && address >= last.start && address < last.end) return last;
    const found = this.#physical.find(address);
    if (found !== undefined) this.#last = found;
    return found;
  }

  /** Unassigned memory reads as zero, as on QEMU. */
  mmioRead(address: number, size: number): number {
    const range = this.#find(address);
    if (range === undefined) return 0;
    const offset = address - range.start + range.offset;
    const { region } = range;
    if (address + size > range.end) return this.#readBytes(address, size);
    if (region.kind === 'mmio') return region.ops.read(offset, size) >>> 0;
    return readLittle(this.#memory.u8, region.block.hostOffset + region.offset + offset, size);
  }

  mmioWrite(address: number, size: number, value: number): void {
    const range = this.#find(address);
    if (range === undefined) return;
    const { region } = range;
    if (address + size > range.end) {
      for (let i = 0; i < size; i++) this.mmioWrite(address + i, 1, (value >>> (8 * i)) & 0xff);
      return;
    }
    const offset = address - range.start + range.offset;
    if (region.kind === 'mmio') region.ops.write(offset, value >>> 0, size);
    else if (region.readonly !== true) {
      const host = region.block.hostOffset + region.offset + offset;
      for (let i = 0; i < size; i++) this.#memory.u8[host + i] = value >>> (8 * i);
      this.#memory.markWritten(host, size);
    }
  }

  #readBytes(address: number, size: number): number {
    let value = 0;
    for (let i = 0; i < size; i++) value += this.mmioRead(address + i, 1) * 2 ** (8 * i);
    return value >>> 0;
  }

  #portRange(port: number): FlatRange | undefined {
    if (this.#portsStale) {
      this.#portRanges = this.#ports.flat;
      this.#portIndex.fill(0);
      this.#portRanges.forEach(({ start, end }, i) => void this.#portIndex.fill(i + 1, start, Math.min(end, PORTS)));
      this.#portsStale = false;
    }
    return this.#portRanges[this.#portIndex[port]! - 1];
  }

  /** Unassigned ports read as all ones. */
  ioRead(port: number, size: number): number {
    const range = this.#portRange(port);
    if (range === undefined || range.region.kind !== 'mmio') return size === 4 ? 0xffff_ffff : 2 ** (8 * size) - 1;
    if (port + size > range.end) {
      let value = 0;
      for (let i = 0; i < size; i++) value += this.ioRead((port + i) % PORTS, 1) * 2 ** (8 * i);
      return value >>> 0;
    }
    return range.region.ops.read(port - range.start + range.offset, size) >>> 0;
  }

  ioWrite(port: number, size: number, value: number): void {
    const range = this.#portRange(port);
    if (range === undefined || range.region.kind !== 'mmio') return;
    if (port + size > range.end) {
      for (let i = 0; i < size; i++) this.ioWrite((port + i) % PORTS, 1, (value >>> (8 * i)) & 0xff);
      return;
    }
    range.region.ops.write(port - range.start + range.offset, value >>> 0, size);
  }

  /** Copies guest-physical memory into `into`. */
  read(address: number, into: Uint8Array): void {
    for (let done = 0; done < into.length; ) {
      const at = address + done;
      const range = this.#find(at);
      if (range === undefined) {
        const rest = Math.min(into.length - done, this.#gap(at));
        into.fill(0, done, done + rest);
        done += rest;
        continue;
      }
      const length = Math.min(into.length - done, range.end - at);
      if (range.region.kind === 'ram') {
        const host = range.region.block.hostOffset + range.region.offset + range.offset + (at - range.start);
        into.set(this.#memory.u8.subarray(host, host + length), done);
      } else for (let i = 0; i < length; i++) into[done + i] = this.mmioRead(at + i, 1);
      done += length;
    }
  }

  /** Copies `bytes` to guest-physical memory; ROM and unassigned memory swallow them. */
  write(address: number, bytes: Uint8Array): void {
    for (let done = 0; done < bytes.length; ) {
      const at = address + done;
      const range = this.#find(at);
      if (range === undefined) {
        done += Math.min(bytes.length - done, this.#gap(at));
        continue;
      }
      const length = Math.min(bytes.length - done, range.end - at);
      if (range.region.kind === 'ram') {
        if (range.region.readonly !== true) {
          const host = range.region.block.hostOffset + range.region.offset + range.offset + (at - range.start);
          this.#memory.u8.set(bytes.subarray(done, done + length), host);
          this.#memory.markWritten(host, length);
        }
      } else for (let i = 0; i < length; i++) this.mmioWrite(at + i, 1, bytes[done + i]!);
      done += length;
    }
  }

  /** Bytes from an unassigned address to the next range. */
  #gap(address: number): number {
    for (const range of this.#physical.flat) if (range.start > address) return range.start - address;
    return Number.MAX_SAFE_INTEGER;
  }
}

function readLittle(u8: Uint8Array, at: number, size: number): number {
  let value = 0;
  for (let i = size - 1; i >= 0; i--) value = value * 256 + u8[at + i]!;
  return value;
}
