import { AssemblerError, type SourcePosition } from './errors.ts';
import type { Value } from './expression.ts';

const DEFAULT_ALIGNMENT = 4;

/** A part of the output that labels move with. */
export class Section {
  readonly name: string;
  /** Base of the section's labels, see {@link Value}. */
  readonly base: number;
  /** Address of the first byte, as far as known from the pass before. */
  address = 0n;
  /** Bytes so far in this pass. */
  size = 0;
  alignment: number;
  /** Chosen by `start=` and `vstart=`. */
  fixedStart: bigint | undefined;
  virtualStart: bigint | undefined;
  /** Holds no bytes in the file: `.bss`, `nobits` and `absolute`. */
  noContent: boolean;
  /** Made by `absolute`. */
  isAbsolute = false;
  #content = new Uint8Array(256);

  constructor(name: string, base: number, noContent: boolean) {
    this.name = name;
    this.base = base;
    this.noContent = noContent;
    this.alignment = name === '.text' ? 1 : DEFAULT_ALIGNMENT;
  }

  get content(): Uint8Array {
    return this.#content.subarray(0, this.noContent ? 0 : this.size);
  }

  /** Address of the next byte. */
  here(): Value {
    return this.#at(BigInt(this.size));
  }

  /** Address of the first byte. */
  get start(): Value {
    return this.#at(0n);
  }

  #at(offset: bigint): Value {
    return { number: BigInt.asIntN(64, this.address + offset), base: this.base, known: true };
  }

  append(bytes: ArrayLike<number>): void {
    if (!this.noContent) {
      this.#grow(this.size + bytes.length);
      this.#content.set(bytes, this.size);
    }
    this.size += bytes.length;
  }

  /** Adds zero bytes. @throws AssemblerError when that is more than a file can hold */
  reserve(count: number, position: SourcePosition): void {
    if (!this.noContent) {
      if (this.size + count > 0x40000000) throw new AssemblerError(position, 'the output is larger than 1 GiB');
      this.#grow(this.size + count);
    }
    this.size += count;
  }

  needAlignment(to: number): void {
    this.alignment = Math.max(this.alignment, to);
  }

  setAttribute(word: string, value: bigint | undefined, position: SourcePosition): void {
    if (word === 'nobits') this.noContent = true;
    else if (word === 'align' && value !== undefined) this.alignment = Number(value);
    else if (word === 'start' && value !== undefined) this.fixedStart = value;
    else if (word === 'vstart' && value !== undefined) this.virtualStart = value;
    else if (!['progbits', 'exec', 'noexec', 'write', 'nowrite'].includes(word))
      throw new AssemblerError(position, `unknown section attribute ${word}`);
  }

  restart(): void {
    this.#content.fill(0);
    this.size = 0;
  }

  #grow(size: number): void {
    if (size <= this.#content.length) return;
    const larger = new Uint8Array(Math.max(size, this.#content.length * 2));
    larger.set(this.#content);
    this.#content = larger;
  }
}

/** All sections of a source, and where they lie in the flat file. */
export class Layout {
  origin: bigint;
  readonly #sections = new Map<string, Section>();
  #absolutes = 0;

  constructor(origin: bigint) {
    this.origin = origin;
  }

  /** Begins a pass. */
  restart(): void {
    for (const section of this.#sections.values()) section.restart();
    this.#absolutes = 0;
    this.section('.text').address = this.section('.text').virtualStart ?? this.origin;
  }

  setOrigin(origin: bigint): void {
    this.origin = origin;
    const text = this.section('.text');
    text.address = text.virtualStart ?? origin;
  }

  section(name: string): Section {
    let section = this.#sections.get(name);
    if (section === undefined) {
      section = new Section(name, this.#sections.size + 1, name === '.bss');
      this.#sections.set(name, section);
    }
    return section;
  }

  /** Addresses without content from a given one on; labels are as plain as that is. */
  absolute(at: Value): Section {
    const section = new Section(`absolute ${this.#absolutes++}`, at.base, true);
    section.isAbsolute = true;
    section.address = at.number;
    return section;
  }

  /** Gives all sections their addresses; returns whether one has moved. `nobits` sections come last. */
  place(): boolean {
    let moved = false;
    let at = this.origin;
    for (const section of this.#ordered()) {
      const alignment = BigInt(section.alignment);
      at = section.fixedStart ?? (section.name === '.text' ? at : at + (-at & (alignment - 1n)));
      const address = section.virtualStart ?? at;
      if (section.address !== address) moved = true;
      section.address = address;
      at += BigInt(section.size);
    }
    return moved;
  }

  /** The flat file. */
  join(): Uint8Array<ArrayBuffer> {
    const parts: { at: number; content: Uint8Array }[] = [];
    let at = this.origin;
    for (const section of this.#ordered().filter(({ noContent, size }) => !noContent && size > 0)) {
      at = section.fixedStart ?? (section.name === '.text' ? at : at + (-at & (BigInt(section.alignment) - 1n)));
      parts.push({ at: Number(at - this.origin), content: section.content });
      at += BigInt(section.size);
    }
    const out = new Uint8Array(parts.reduce((end, part) => Math.max(end, part.at + part.content.length), 0));
    for (const part of parts) out.set(part.content, part.at);
    return out;
  }

  #ordered(): Section[] {
    const rank = ({ name, noContent }: Section): number =>
      noContent ? 3 : name === '.text' ? 0 : name === '.data' ? 1 : 2;
    return [...this.#sections.values()].sort((a, b) => rank(a) - rank(b));
  }
}
