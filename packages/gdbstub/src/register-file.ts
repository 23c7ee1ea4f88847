import type { DebugRegister, DebugView } from '@sterna/core';
import { fromHex, toHex } from './hex.ts';

/** The registers of a CPU as packets carry them: bytes in target order, by number. */
export class RegisterFile {
  readonly #registers: readonly DebugRegister[];
  readonly #littleEndian: boolean;

  constructor(view: DebugView, littleEndian: boolean) {
    this.#registers = view.features.flatMap(({ registers }) => registers);
    this.#littleEndian = littleEndian;
  }

  /** The registers of a `g` packet. */
  readAll(): string {
    return this.#registers.map((register) => this.#encode(register)).join('');
  }

  /** Takes a `G` packet. Only registers whose value differs are written. Answers false when its length is wrong. */
  writeAll(text: string): boolean {
    const bytes = fromHex(text);
    if (bytes === undefined || bytes.length !== this.#registers.reduce((sum, r) => sum + size(r), 0)) return false;
    let at = 0;
    for (const register of this.#registers) {
      this.#set(register, this.#decode(bytes.subarray(at, at + size(register))));
      at += size(register);
    }
    return true;
  }

  /** A register's bytes in hexadecimal; undefined for a number that there is not. */
  read(number: number): string | undefined {
    const register = this.#registers[number];
    return register === undefined ? undefined : this.#encode(register);
  }

  /** Writes a register. Answers false for a number that there is not or a value of another length. */
  write(number: number, text: string): boolean {
    const register = this.#registers[number];
    const bytes = fromHex(text);
    if (register === undefined || bytes?.length !== size(register)) return false;
    this.#set(register, this.#decode(bytes));
    return true;
  }

  /** Lets execution go on at an address. */
  setPc(address: bigint): void {
    this.#registers.find(({ type }) => type === 'code_ptr')?.write(address);
  }

  #set(register: DebugRegister, value: bigint): void {
    if (register.read() !== value) register.write(value);
  }

  #encode(register: DebugRegister): string {
    let value = register.read();
    const bytes = new Uint8Array(size(register));
    for (let i = 0; i < bytes.length; i++) {
      bytes[i] = Number(value & 0xffn);
      value >>= 8n;
    }
    return toHex(this.#littleEndian ? bytes : bytes.reverse());
  }

  #decode(bytes: Uint8Array): bigint {
    let value = 0n;
    const highFirst = this.#littleEndian ? bytes.toReversed() : bytes;
    for (const byte of highFirst) value = (value << 8n) | BigInt(byte);
    return value;
  }
}

function size({ bits }: DebugRegister): number {
  return Math.ceil(bits / 8);
}
