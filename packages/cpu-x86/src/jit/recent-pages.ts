import type { Code, Local, Val } from '@sterna/wasm';

/** The page last accessed through a base register for one kind of access, in locals. */
export interface RecentPage {
  readonly page: Local<'i64'>;
  readonly addend: Local<'i32'>;
}

/** How many pages in quick succession a region remembers before it takes its accesses for scattered. */
const PATIENCE = 64;
/** Instructions between two new pages that are no quick succession. */
const LONG = 256;
/**
 * Page of a place that remembers none. It is no page, so that no address cut to its page and alignment is equal to it; not
 * canonical; and has nothing else in its low half, so that host addresses computed from it are low.
 */
const NONE = (1n << 62n) | 0x10n;

/** Addresses below are not of guest memory. */
export const LOWEST_HOST = 8192;

/**
 * Pages that a region has met in the TLB, so that the next access to the same one needs no loads. A region that meets ever
 * other pages stops remembering, and its comparisons become branches that always go the same way.
 */
export class RecentPages {
  readonly #code: Code;
  readonly #clock: Local<'i32'>;
  readonly #pages = new Map<string, RecentPage>();
  #patience: Local<'i32'> | undefined;
  #groups: { readonly patience: Local<'i32'>; readonly last: Local<'i32'> } | undefined;

  /** @param clock counts instructions downward */
  constructor(code: Code, clock: Local<'i32'>) {
    this.#code = code;
    this.#clock = clock;
  }

  /** The place with a name. */
  of(name: string): RecentPage {
    let p = this.#pages.get(name);
    if (p === undefined) {
      p = { page: this.#code.ownLocal('i64'), addend: this.#code.ownLocal('i32') };
      this.#pages.set(name, p);
    }
    return p;
  }

  /** Statement: remembers the page of a single access. */
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

  /** Statement: remembers the page of several accesses, which is worth it when the last such page was long ago. */
  rememberGroup(place: RecentPage, page: Val<'i64'>, addend: Val<'i32'>): void {
    const m = this.#code;
    this.#groups ??= { patience: m.ownLocal('i32'), last: m.ownLocal('i32') };
    const { patience, last } = this.#groups;
    m.if(m.gtS(patience, 0), () => {
      const isQuick = m.ltS(m.sub(last, this.#clock), LONG);
      m.set(patience, m.select(isQuick, m.sub(patience, 1), m.i32(PATIENCE)));
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
    if (this.#groups !== undefined) m.set(this.#groups.patience, PATIENCE);
  }
}
