import { decode } from './decode/decode.ts';
import type { Instruction } from './decode/instruction.ts';
import { ADDRESS_MASK, type Cr16Memory } from './memory.ts';

const PAGE_BITS = 12;
const PER_PAGE = 2048;
/** Most bytes of an instruction. */
const LONGEST = 6;

interface CodePage {
  /** By half the offset in the page. */
  readonly instructions: (Instruction | undefined)[];
  readonly host: number;
}

/** Decoded instructions by their address. Whoever writes code in RAM makes the page be decoded anew. */
export class CodeCache {
  readonly #memory: Cr16Memory;
  readonly #pages = new Map<number, CodePage>();
  readonly #byHost = new Map<number, number>();
  #last: CodePage | undefined;
  #lastPage = -1;

  constructor(memory: Cr16Memory) {
    this.#memory = memory;
  }

  /** The instruction at an even address. @throws PAGE_WAIT when its page is not there yet */
  at(address: number): Instruction {
    const page = address >>> PAGE_BITS;
    const known = page === this.#lastPage ? this.#last : this.#pages.get(page);
    const index = (address & 0xfff) >>> 1;
    return known?.instructions[index] ?? this.#decode(address, page);
  }

  #decode(address: number, page: number): Instruction {
    const instruction = decode({ word: (n) => this.#memory.fetch((address + 2 * n) & ADDRESS_MASK, 2) });
    // Code that is not in RAM is decoded each time; so is what reaches into the next page, whose writes are not seen.
    if ((address & 0xfff) + LONGEST > 4096) return instruction;
    const known = this.#pages.get(page) ?? this.#add(address, page);
    if (known === undefined) return instruction;
    this.#last = known;
    this.#lastPage = page;
    known.instructions[(address & 0xfff) >>> 1] = instruction;
    return instruction;
  }

  #add(address: number, page: number): CodePage | undefined {
    const host = this.#memory.markCode(address);
    if (host === undefined) return undefined;
    const added: CodePage = { instructions: new Array(PER_PAGE).fill(undefined), host };
    this.#pages.set(page, added);
    this.#byHost.set(host >>> PAGE_BITS, page);
    return added;
  }

  /** Bytes of RAM were written by somebody. */
  invalidate(hostAddress: number, length: number): void {
    const last = (hostAddress + Math.max(length, 1) - 1) >>> PAGE_BITS;
    for (let host = hostAddress >>> PAGE_BITS; host <= last; host++) {
      const page = this.#byHost.get(host);
      if (page === undefined) continue;
      this.#pages.get(page)!.instructions.fill(undefined);
    }
  }

  /** The memory map changed. */
  clear(): void {
    this.#pages.clear();
    this.#byHost.clear();
    this.#last = undefined;
    this.#lastPage = -1;
  }
}
