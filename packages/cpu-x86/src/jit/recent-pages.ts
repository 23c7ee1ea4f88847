import type { Code, Local, Val } from '@sterna/wasm';

/** The page last accessed through a base register for one kind of access, in locals. */
export interface RecentPage {
  readonly page: Local<'i64'>;
  readonly addend: Local<'i32'>;
}

/** How many pages in quick succession a region remembers before it takes its accesses for scattered. */
const PATIENCE = 64;
/** Instructions between two new pages that are no quick succession. */
const LONG = 64;
/** Most places that a region remembers pages for. */
const MAX_PLACES = 12;
/** Page of a place that remembers none: not canonical, and without low bits, so that host addresses computed with it are low. */
const NONE = 1n << 62n;

/** Addresses below are not of guest memory. */
export const LOWEST_HOST = 4096;

/**
 * Pages that a region has met in the TLB, so that the next access to the same one needs no loads. A region that meets ever
 * other pages stops remembering, and its comparisons become branches that always go the same way.
 */
export class RecentPages {
  readonly #code: Code;
  readonly #clock: Local<'i32'>;
  readonly #pages = new Map<string, RecentPage>();
  #patience: Local<'i32'> | undefined;
  #last: Local<'i32'> | undefined;

  /** @param clock counts instructions downward */
  constructor(code: Code, clock: Local<'i32'>) {
    this.#code = code;
    this.#clock = clock;
  }

  /** The place with a name; undefined when there are too many. */
  of(name: string): RecentPage | undefined {
    let p = this.#pages.get(name);
    if (p === undefined && this.#pages.size < MAX_PLACES) {
      p = { page: this.#code.ownLocal('i64'), addend: this.#code.ownLocal('i32') };
      this.#pages.set(name, p);
    }
    return p;
  }

  /** Statement: remembers a page. */
  remember(place: RecentPage, page: Val<'i64'>, addend: Val<'i32'>): void {
    const m = this.#code;
    this.#patience ??= m.ownLocal('i32');
    this.#last ??= m.ownLocal('i32');
    const [left, last] = [this.#patience, this.#last];
    m.if(m.gtS(left, 0), () => {
      m.set(left, m.select(m.ltS(m.sub(last, this.#clock), LONG), m.sub(left, 1), m.i32(PATIENCE)));
      m.set(last, this.#clock);
      m.set(place.page, page);
      m.set(place.addend, addend);
    });
  }

  /** Statement at the entry. */
  forget(): void {
    const m = this.#code;
    for (const { page, addend } of this.#pages.values()) {
      m.set(page, m.i64(NONE));
      m.set(addend, 0);
    }
    if (this.#patience !== undefined) m.set(this.#patience, PATIENCE);
  }
}
