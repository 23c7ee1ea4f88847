/** Writes small CR16 programs; every method is one instruction, in the manual's order of operands. */
export class Assembler {
  readonly #words: number[] = [];
  readonly #labels = new Map<string, number>();
  readonly #fixes: { readonly at: number; readonly label: string; readonly kind: 'branch' | 'call' | 'half' }[] = [];

  /** Address of the next instruction. */
  get here(): number {
    return 2 * this.#words.length;
  }
  label(name: string): this {
    this.#labels.set(name, this.here);
    return this;
  }
  /** Raw words. */
  words(...words: readonly number[]): this {
    this.#words.push(...words);
    return this;
  }
  /** Goes on at an address. */
  at(address: number): this {
    while (this.here < address) this.#words.push(0);
    return this;
  }
  /** `movd $value,(pair)` */
  movd(value: number, pair: number): this {
    return this.words(0x0070 | pair, value >>> 16, value & 0xffff);
  }
  /** `movw $value,r` */
  movw(value: number, r: number): this {
    return this.words(0x5ab0 | r, value & 0xffff);
  }
  /** `addw $value,r` for 0 to 8 */
  addw(value: number, r: number): this {
    return this.words(0x3200 | (value << 4) | r);
  }
  /** `cmpw $value,r` */
  cmpw(value: number, r: number): this {
    return this.words(0x52b0 | r, value & 0xffff);
  }
  /** `stord (pair),abs24` */
  stord(pair: number, address: number): this {
    return this.#absolute(0x13, 11, pair, address);
  }
  /** `storw r,abs24` */
  storw(r: number, address: number): this {
    return this.#absolute(0x13, 15, r, address);
  }
  /** `loadw abs24,r` */
  loadw(address: number, r: number): this {
    return this.#absolute(0x12, 15, r, address);
  }
  /** `loadd abs24,(pair)` */
  loadd(address: number, pair: number): this {
    return this.#absolute(0x12, 11, pair, address);
  }
  #absolute(opcode: number, kind: number, register: number, address: number): this {
    const second = (kind << 12) | (((address >>> 16) & 15) << 8) | (register << 4) | (address >>> 20);
    return this.words(opcode, second, address & 0xffff);
  }
  /** `lprd (pair),register` by the register's number */
  lprd(pair: number, register: number): this {
    return this.words(0x0014, 0x1000 | (register << 4) | pair);
  }
  /** `lpr r,register` */
  lpr(r: number, register: number): this {
    return this.words(0x0014, (register << 4) | r);
  }
  /** `bcond label`; 14 is always */
  branch(condition: number, label: string): this {
    this.#fixes.push({ at: this.#words.length, label, kind: 'branch' });
    return this.words(0x1800 | (condition << 4), 0);
  }
  /** `bal (ra),label` */
  call(label: string): this {
    this.#fixes.push({ at: this.#words.length, label, kind: 'call' });
    return this.words(0xc000, 0);
  }
  /** The address of a label without its lowest bit, as in the dispatch table. */
  half(label: string): this {
    this.#fixes.push({ at: this.#words.length, label, kind: 'half' });
    return this.words(0);
  }

  /** The program's bytes, for address 0. */
  bytes(): Uint8Array {
    for (const { at, label, kind } of this.#fixes) {
      const target = this.#labels.get(label);
      if (target === undefined) throw new Error(`label ${label} is not there`);
      const distance = target - 2 * at;
      if (kind === 'half') this.#words[at] = target >>> 1;
      else if (kind === 'branch') this.#words[at + 1] = (distance & 0xfffe) | (distance < 0 ? 1 : 0);
      else {
        this.#words[at] = 0xc000 | ((distance >> 16) & 0xff);
        this.#words[at + 1] = (distance & 0xfffe) | (distance < 0 ? 1 : 0);
      }
    }
    return new Uint8Array(Uint16Array.from(this.#words).buffer);
  }
}
