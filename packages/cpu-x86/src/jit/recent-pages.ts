import type { Code, Local, Val } from '@sterna/wasm';

/** The page last accessed through a base register for one kind of access, in locals. */
export interface RecentPage {
  readonly page: Local<'i64'>;
  readonly addend: Local<'i32'>;
}

/** How many pages a region remembers before it takes its accesses for scattered. */
const PATIENCE = 64;
const NONE = -1;

/**
 * Pages that a region has met in the TLB, so that the next access to the same one needs no loads. A region that meets ever
 * other pages stops remembering, and its comparisons become branches that always go the same way.
 */
export class RecentPages {
  readonly #code: Code;
  readonly #pages = new Map<string, RecentPage>();
  #patience: Local<'i32'> | undefined;

  constructor(code: Code) {
    this.#code = code;
  }

  /** The place for a base register and a TLB tag. */
  of(base: number, tag: number): RecentPage {
    const key = `${base}.${tag}`;
    let p = this.#pages.get(key);
    if (p === undefined) {
      p = { page: this.#code.ownLocal('i64'), addend: this.#code.ownLocal('i32') };
      this.#pages.set(key, p);
    }
    return p;
  }

  /** Statement: remembers a page. */
  remember(place: RecentPage, page: Val<'i64'>, addend: Val<'i32'>): void {
    const m = this.#code;
    this.#patience ??= m.ownLocal('i32');
    const left = this.#patience;
    m.if(m.gtS(left, 0), () => {
      m.set(left, m.sub(left, 1));
      m.set(place.page, page);
      m.set(place.addend, addend);
    });
  }

  /** Statement at the entry. */
  forget(): void {
    const m = this.#code;
    for (const { page } of this.#pages.values()) m.set(page, NONE);
    if (this.#patience !== undefined) m.set(this.#patience, PATIENCE);
  }
}
