import { ConfigError } from '../errors.ts';
import { MEMORY_LAYOUT, PAGE_CODE, PAGE_MISSING, PAGE_PROTECTED, PAGE_SIZE, PAGE_UNTOUCHED } from './layout.ts';
import type { RamBlock } from './ram-block.ts';
import { type WasmMemory, wasmHost } from './wasm-host.ts';

const WASM_PAGE = 65536;
/** Flags that a write does not clear. */
const KEEP_ON_WRITE = PAGE_CODE | PAGE_MISSING | PAGE_PROTECTED;
/** Largest main RAM of the 32-bit memory flavour (design section 3). */
export const MAX_RAM = 3840 * 2 ** 20;

/** A RAM block as memory owns it: its used length may change when a migration brings another. */
export class OwnedRamBlock implements RamBlock {
  readonly name: string;
  readonly hostOffset: number;
  readonly maxLength: number;
  readonly resizable: boolean;
  /** Used lengths that a block which is not resizable may take over from a migration's source. */
  readonly lengths: readonly number[];
  usedLength: number;
  /** Told after the used length has changed: the machine maps it anew. */
  onResize: () => void = () => {};

  constructor(
    name: string,
    hostOffset: number,
    usedLength: number,
    maxLength: number,
    resizable: boolean,
    lengths: readonly number[],
  ) {
    this.name = name;
    this.lengths = lengths;
    this.hostOffset = hostOffset;
    this.usedLength = usedLength;
    this.maxLength = maxLength;
    this.resizable = resizable;
  }
}

/** Options of a RAM block. */
export interface RamBlockOptions {
  /** Bytes that may come into use; the size by default. */
  readonly maxLength?: number;
  /** Any used length up to the maximum may arrive with a migration (QEMU's resizable blocks). */
  readonly resizable?: boolean;
  /** Further used lengths that may arrive for a block that is otherwise fixed, as firmware images of other builds. */
  readonly lengths?: readonly number[];
}

/**
 * The one shared memory of a machine: CPU state, page tables of the emulator and all guest RAM.
 * Everything is reserved at creation and committed by the host when touched.
 */
export class MachineMemory {
  readonly memory: WasmMemory;
  readonly u8: Uint8Array;
  readonly u16: Uint16Array;
  readonly u32: Uint32Array;
  readonly f64: Float64Array;
  readonly u64: BigUint64Array;
  readonly blocks: OwnedRamBlock[] = [];
  /** Told when RAM with decoded code in it is written by somebody else than the CPU. */
  codeInvalidator: (hostAddress: number, length: number) => void = () => {};
  #next: number = MEMORY_LAYOUT.ram;
  #hostArea: number = MEMORY_LAYOUT.hostArea;

  /**
   * @param ramBytes Room for all RAM blocks and reservations together, in bytes.
   * @throws ConfigError `STERNA_ERR_RAM_SIZE` when it cannot be addressed.
   */
  constructor(ramBytes: number) {
    const pages = Math.ceil((MEMORY_LAYOUT.ram + ramBytes) / WASM_PAGE);
    if (pages > 65536) {
      throw new ConfigError(
        'STERNA_ERR_RAM_SIZE',
        `${ramBytes} bytes of RAM do not fit the 32-bit memory; at most ${MAX_RAM / 2 ** 20} MiB of main RAM are possible until the memory64 flavour`,
      );
    }
    this.memory = new wasmHost.Memory({ initial: pages, maximum: pages, shared: true });
    this.u8 = new Uint8Array(this.memory.buffer);
    this.u16 = new Uint16Array(this.memory.buffer);
    this.u32 = new Uint32Array(this.memory.buffer);
    this.f64 = new Float64Array(this.memory.buffer);
    this.u64 = new BigUint64Array(this.memory.buffer);
  }

  /**
   * Makes a RAM block of zeros.
   *
   * @throws ConfigError when the size is not a multiple of a page or the reserved room is used up.
   */
  allocate(name: string, size: number, options: RamBlockOptions = {}): OwnedRamBlock {
    const lengths = options.lengths ?? [];
    const maxLength = Math.max(options.maxLength ?? size, ...lengths);
    if (size <= 0 || size % PAGE_SIZE !== 0 || maxLength < size) {
      throw new ConfigError(
        'STERNA_ERR_RAM_SIZE',
        `RAM block ${name}: ${size} bytes (at most ${maxLength}) is not a positive multiple of ${PAGE_SIZE}`,
      );
    }
    const end = this.#next + maxLength;
    if (end > this.u8.length)
      throw new ConfigError(
        'STERNA_ERR_RAM_SIZE',
        `RAM block ${name} of ${maxLength} bytes does not fit the machine's memory`,
      );
    const block = new OwnedRamBlock(name, this.#next, size, maxLength, options.resizable ?? false, lengths);
    this.#next = Math.ceil(end / WASM_PAGE) * WASM_PAGE;
    this.blocks.push(block);
    this.u8.fill(PAGE_UNTOUCHED, this.flagIndex(block.hostOffset), this.flagIndex(block.hostOffset + maxLength));
    return block;
  }

  /**
   * Gives a block another used length.
   *
   * @throws RangeError when the block cannot have it.
   */
  resize(block: RamBlock, usedLength: number): void {
    const owned = this.blocks.find((candidate) => candidate === block);
    if (owned === undefined) throw new RangeError(`RAM block ${block.name} is not of this machine`);
    if (usedLength === owned.usedLength) return;
    const allowed = owned.resizable
      ? usedLength > 0 && usedLength <= owned.maxLength
      : owned.lengths.includes(usedLength);
    if (!allowed || usedLength % PAGE_SIZE !== 0) {
      throw new RangeError(
        `RAM block ${block.name} has ${owned.usedLength} bytes here and cannot be given ${usedLength}`,
      );
    }
    owned.usedLength = usedLength;
    owned.onResize();
  }

  /**
   * Reserves bytes among the RAM that are no RAM of the guest: for what does not fit the fixed map.
   *
   * @returns their address, a multiple of 64 KiB
   * @throws ConfigError when there is no room.
   */
  reserve(size: number): number {
    const at = this.#next;
    if (at + size > this.u8.length)
      throw new ConfigError('STERNA_ERR_RAM_SIZE', `no room for ${size} bytes in the machine's memory`);
    this.#next = Math.ceil((at + size) / WASM_PAGE) * WASM_PAGE;
    return at;
  }

  /** Reserves bytes in the bounce area of devices and host I/O. */
  reserveHostArea(size: number): number {
    const at = this.#hostArea;
    this.#hostArea += Math.ceil(size / 64) * 64;
    if (this.#hostArea > MEMORY_LAYOUT.hostAreaEnd)
      throw new ConfigError('STERNA_ERR_RAM_SIZE', `no room for ${size} bytes in the host area`);
    return at;
  }

  /** Index in `u8` of the flags byte of the page at a host address. */
  flagIndex(hostAddress: number): number {
    return MEMORY_LAYOUT.pageFlags + Math.floor(hostAddress / PAGE_SIZE);
  }

  /** A view of a block's used bytes. */
  bytes(block: RamBlock): Uint8Array {
    return this.u8.subarray(block.hostOffset, block.hostOffset + block.usedLength);
  }

  /** Tells all consumers that RAM was written by a device, a loader or a migration. */
  markWritten(hostAddress: number, length: number): void {
    if (length <= 0) return;
    const last = this.flagIndex(hostAddress + length - 1);
    let code = 0;
    for (let index = this.flagIndex(hostAddress); index <= last; index++) {
      const flags = this.u8[index]!;
      if (flags === 0) continue;
      code |= flags & KEEP_ON_WRITE;
      this.u8[index] = flags & KEEP_ON_WRITE;
    }
    if ((code & PAGE_CODE) !== 0) this.codeInvalidator(hostAddress, length);
  }
}
