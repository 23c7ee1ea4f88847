import { type CellName, STATE, STATE_END } from './layout.ts';
import { STATE_BASE } from './memory-map.ts';

/**
 * JavaScript's view of a vCPU's state cells. `get`/`set` are for cells of up to 32 bits and cost an array access; the wide
 * forms make bigints and belong between slices (vmstate, debuggers, reset). It follows the vCPU: while another one runs, the
 * cells are parked elsewhere.
 */
export class StateView {
  /** Distance of the cells from their places in the table: not 0 while the vCPU is parked. */
  #shift = 0;
  readonly #view: DataView;
  readonly #u32: Uint32Array;
  readonly #bytes: Uint8Array;

  constructor(memory: ArrayBufferLike) {
    this.#view = new DataView(memory);
    this.#u32 = new Uint32Array(memory);
    this.#bytes = new Uint8Array(memory);
  }

  /** The vCPU's cells are at another address from now on. */
  moveTo(address: number): void {
    this.#shift = address - STATE_BASE;
  }

  /** Address of a cell now. */
  #at(name: CellName, index: number): number {
    const p = STATE[name];
    const at = p.address + index * p.stride;
    return p.address < STATE_END ? at + this.#shift : at;
  }

  /** A cell of up to 32 bits as an unsigned number. */
  get(name: CellName, index = 0): number {
    const p = STATE[name];
    const at = this.#at(name, index);
    if (p.stride === 4) return this.#u32[at >>> 2]!;
    return p.stride === 2 ? this.#view.getUint16(at, true) : this.#bytes[at]!;
  }

  /** Sets a cell of up to 32 bits. */
  set(name: CellName, value: number, index = 0): void {
    const p = STATE[name];
    const at = this.#at(name, index);
    if (p.stride === 4) this.#u32[at >>> 2] = value;
    else if (p.stride === 2) this.#view.setUint16(at, value, true);
    else this.#bytes[at] = value;
  }

  /** Sets a 64-bit cell from its halves. */
  setHalves(name: CellName, low: number, high: number, index = 0): void {
    const at = this.#at(name, index) >>> 2;
    this.#u32[at] = low;
    this.#u32[at + 1] = high;
  }

  /** A signed 32-bit cell. */
  getSigned(name: CellName, index = 0): number {
    return this.get(name, index) | 0;
  }

  /** A 64-bit cell; also narrower ones and the low half of a vector. */
  getBig(name: CellName, index = 0): bigint {
    const p = STATE[name];
    return p.stride < 8 ? BigInt(this.get(name, index)) : this.#view.getBigUint64(this.#at(name, index), true);
  }

  /** Sets a 64-bit cell, wrapping. */
  setBig(name: CellName, value: bigint, index = 0): void {
    const p = STATE[name];
    if (p.stride < 8) this.set(name, Number(BigInt.asUintN(32, value)), index);
    else this.#view.setBigUint64(this.#at(name, index), BigInt.asUintN(64, value), true);
  }

  /** High half of a vector cell. */
  getHigh(name: CellName, index = 0): bigint {
    return this.#view.getBigUint64(this.#at(name, index) + 8, true);
  }

  /** Sets the high half of a vector cell. */
  setHigh(name: CellName, value: bigint, index = 0): void {
    this.#view.setBigUint64(this.#at(name, index) + 8, BigInt.asUintN(64, value), true);
  }

  /** Zeroes every cell of the vCPU. */
  clear(): void {
    this.#bytes.fill(0, STATE_BASE + this.#shift, STATE_END + this.#shift);
  }
}
