/**
 * XBZRLE (QEMU migration/xbzrle.c and page_cache.c, v10.0): a page that was sent before travels as the bytes that have
 * changed since. The sender keeps what it has sent in a direct-mapped cache, which is a memory of its own: with its records
 * in it a machine's memory would have to be larger by what only some migrations need.
 *
 * A page is read once, into the cache's memory; what is compared, sent and kept is that copy, since the guest may be writing
 * to the page all the while.
 */
import { PAGE_SIZE, type WasmModule, wasmHost } from '@sterna/core';
import { type Code, type FuncRef, i32, ModuleBuilder, type Val } from '@sterna/wasm';
import { RAM_FLAG } from '../stream/constants.ts';
import { forMarkedPages, pageIsZero, writeIsZero, writeRecordHead, writeZeroRecord } from './kernel.ts';
import { DELTA_HEADER, XBZRLE_CELLS, XBZRLE_SCRATCH, XBZRLE_TAGS } from './xbzrle-cache.ts';

type I = Val<'i32'>;

/** The cache's memory; the machine's is memory 0. */
const CACHE = 1;
const INTO_CACHE = { dst: CACHE, src: 0 };
const OUT_OF_CACHE = { dst: 0, src: CACHE };
const WITHIN_CACHE = { dst: CACHE, src: CACHE };
/** An entry is replaced by another page's when it was not used in so many rounds. */
const LIFETIME = 2;
/** Log of the bytes of a tag: number of the page in the machine's memory, and the round in which it was used last. */
const TAG_BITS = 3;
const PAGE_BITS = 12;

let compiled: WasmModule | undefined;

/** The sender's kernels, compiled once. */
export function xbzrleModule(): WasmModule {
  compiled ??= new wasmHost.Module(build());
  return compiled;
}

function build(): Uint8Array<ArrayBuffer> {
  const m = new ModuleBuilder();
  m.importMemory('host', 'memory', { min: 1, max: 65536, shared: true });
  m.importMemory('host', 'cache', { min: 1, max: 65536, shared: true });
  const isZero = m.function('isZero', ['i32'], ['i32'], writeIsZero);
  const encode = m.function('encode', ['i32', 'i32', 'i32'], ['i32'], writeEncode);
  m.export('encode', encode);
  m.export(
    'emit',
    m.function('emit', Array(12).fill('i32'), ['i32'], (c) => new EmitWriter(c, isZero, encode).write()),
  );
  return m.build();
}

/** One function: records of marked pages, compared with the cache. */
class EmitWriter {
  readonly #c: Code;
  readonly #isZero: FuncRef;
  readonly #encode: FuncRef;
  readonly #out: I;
  /** Number of entries less one, address of the first page in the cache, and the round. */
  readonly #mask: I;
  readonly #data: I;
  readonly #round: I;
  /** Not zero while pages may still change: what is sent is kept then. */
  readonly #keep: I;
  /** Counters in the order of `XBZRLE_CELLS`. */
  readonly #counts: Readonly<Record<keyof typeof XBZRLE_CELLS, I>>;

  constructor(c: Code, isZero: FuncRef, encode: FuncRef) {
    this.#c = c;
    this.#isZero = isZero;
    this.#encode = encode;
    this.#out = c.param('i32', 0);
    [this.#mask, this.#data, this.#round, this.#keep] = [8, 9, 10, 11].map((i) => c.param('i32', i)) as [I, I, I, I];
    const names = Object.keys(XBZRLE_CELLS) as (keyof typeof XBZRLE_CELLS)[];
    this.#counts = Object.fromEntries(names.map((name) => [name, c.local('i32')])) as Record<
      keyof typeof XBZRLE_CELLS,
      I
    >;
  }

  write(): void {
    const c = this.#c;
    const [outEnd, map, flags, block] = [1, 2, 3, 4].map((i) => c.param('i32', i)) as [I, I, I, I];
    const [page, pageEnd, most] = [5, 6, 7].map((i) => c.param('i32', i)) as [I, I, I];
    forMarkedPages(c, { map, page, pageEnd }, (done) => {
      c.brIf(done, c.gtU(c.add(this.#out, i32(8 + DELTA_HEADER + PAGE_SIZE)), outEnd));
      c.brIf(done, c.eqz(most));
      c.set(most, c.sub(most, i32(1)));
      c.store('i32.8', c.add(map, page), i32(0));
      const address = c.let(c.shl(page, i32(PAGE_BITS)));
      this.#page(address, c.let(c.add(block, address)), c.add(flags, page));
    });
    c.set(this.#counts.out, this.#out);
    for (const [name, at] of Object.entries(XBZRLE_CELLS))
      c.store('i32', i32(at), this.#counts[name as keyof typeof XBZRLE_CELLS], 0, CACHE);
    c.return(page);
  }

  #page(address: I, host: I, flagAt: I): void {
    const c = this.#c;
    const number = c.let(c.shrU(host, i32(PAGE_BITS)));
    const index = c.let(c.and(number, this.#mask));
    const tagAt = c.let(c.shl(index, i32(TAG_BITS)));
    const kept = c.let(c.add(this.#data, c.shl(index, i32(PAGE_BITS))));
    c.if(
      pageIsZero(c, this.#isZero, flagAt, host),
      () => {
        writeZeroRecord(c, this.#out, address);
        this.#advance(i32(9));
        this.#count('zero');
        this.#insert(number, tagAt, () => c.memoryFill(kept, i32(0), i32(PAGE_SIZE), CACHE));
      },
      () =>
        c.if(
          c.eq(c.load('i32', tagAt, XBZRLE_TAGS, CACHE), number),
          () => this.#hit(address, host, tagAt, kept),
          () => {
            this.#count('misses');
            this.#whole(address, () => c.memoryCopy(c.add(this.#out, i32(8)), host, i32(PAGE_SIZE)));
            c.if(this.#keep, () =>
              this.#insert(number, tagAt, () =>
                c.memoryCopy(kept, c.sub(this.#out, i32(PAGE_SIZE)), i32(PAGE_SIZE), INTO_CACHE),
              ),
            );
          },
        ),
    );
  }

  #hit(address: I, host: I, tagAt: I, kept: I): void {
    const c = this.#c;
    const scratch = i32(XBZRLE_SCRATCH);
    this.#count('hits');
    c.store('i32', tagAt, this.#round, XBZRLE_TAGS + 4, CACHE);
    c.memoryCopy(scratch, host, i32(PAGE_SIZE), INTO_CACHE);
    const length = c.let(c.call(this.#encode, kept, scratch, c.add(this.#out, i32(8 + DELTA_HEADER))));
    c.if(
      c.eqz(length),
      () => this.#count('unchanged'),
      () => {
        c.if(this.#keep, () => c.memoryCopy(kept, scratch, i32(PAGE_SIZE), WITHIN_CACHE));
        c.if(
          c.gtS(length, i32(0)),
          () => {
            writeRecordHead(c, this.#out, address, RAM_FLAG.xbzrle);
            c.store('i32.8', this.#out, i32(1), 8);
            c.store('i32.8', this.#out, c.shrU(length, i32(8)), 9);
            c.store('i32.8', this.#out, length, 10);
            this.#advance(c.add(length, i32(8 + DELTA_HEADER)));
            this.#count('bytes', c.add(length, i32(DELTA_HEADER)));
          },
          () => {
            this.#count('overflows');
            this.#count('bytes', i32(PAGE_SIZE));
            this.#whole(address, () => c.memoryCopy(c.add(this.#out, i32(8)), scratch, i32(PAGE_SIZE), OUT_OF_CACHE));
          },
        );
      },
    );
  }

  #whole(address: I, copy: () => void): void {
    writeRecordHead(this.#c, this.#out, address, RAM_FLAG.page);
    copy();
    this.#advance(i32(8 + PAGE_SIZE));
    this.#count('normal');
  }

  /** Makes a page the content of its entry, unless the entry holds another one that is in use. */
  #insert(number: I, tagAt: I, copy: () => void): void {
    const c = this.#c;
    const tag = c.let(c.load('i32', tagAt, XBZRLE_TAGS, CACHE));
    const age = c.load('i32', tagAt, XBZRLE_TAGS + 4, CACHE);
    const old = c.leU(c.add(age, i32(LIFETIME)), this.#round);
    c.if(c.or(c.or(c.eqz(tag), c.eq(tag, number)), old), () => {
      copy();
      c.store('i32', tagAt, number, XBZRLE_TAGS, CACHE);
      c.store('i32', tagAt, this.#round, XBZRLE_TAGS + 4, CACHE);
    });
  }

  #advance(length: I): void {
    this.#c.set(this.#out, this.#c.add(this.#out, length));
  }
  #count(name: keyof typeof XBZRLE_CELLS, by: I = i32(1)): void {
    this.#c.set(this.#counts[name], this.#c.add(this.#counts[name], by));
  }
}

/**
 * Writes what has changed from page `old` to page `fresh` (both in the cache) to `out`: runs of equal and of changed bytes by
 * turns, as lengths with the changed bytes behind theirs. Answers the length, 0 for equal pages, -1 when it is no gain.
 */
function writeEncode(c: Code): void {
  const [old, fresh, out] = [0, 1, 2].map((i) => c.param('i32', i)) as [I, I, I];
  const at = c.local('i32');
  const to = c.let(out);
  const limit = c.let(c.add(out, i32(PAGE_SIZE)));
  const from = c.local('i32');
  const run = c.local('i32');
  const noRoom = () => c.if(c.gtU(c.add(to, i32(2)), limit), () => c.return(i32(-1)));
  c.loop((again) => {
    noRoom();
    c.set(from, at);
    skipWhile(c, at, old, fresh, 'equal');
    c.if(c.eq(at, i32(PAGE_SIZE)), () => c.return(c.sub(to, out)));
    writeLength(c, to, c.sub(at, from));
    noRoom();
    c.set(from, at);
    skipWhile(c, at, old, fresh, 'changed');
    c.set(run, c.sub(at, from));
    writeLength(c, to, run);
    c.if(c.gtU(c.add(to, run), limit), () => c.return(i32(-1)));
    const content = c.add(fresh, from);
    // Most runs are short, and a copy of any length costs a call.
    c.if(
      c.and(c.leU(run, i32(16)), c.leU(c.add(to, i32(16)), limit)),
      () => c.store('v128', to, c.load('v128', content, 0, CACHE)),
      () => c.memoryCopy(to, content, run, OUT_OF_CACHE),
    );
    c.set(to, c.add(to, run));
    c.brIf(again, c.ltU(at, i32(PAGE_SIZE)));
  });
  c.return(c.sub(to, out));
}

/** Advances over bytes that are all equal, or all changed, up to the end of the page. It looks at up to 15 bytes behind it. */
function skipWhile(c: Code, at: I, old: I, fresh: I, what: 'equal' | 'changed'): void {
  c.block((end) => {
    c.loop((again) => {
      c.brIf(end, c.geU(at, i32(PAGE_SIZE)));
      c.scope(() => {
        const same = c.simd(
          'i8x16.eq',
          c.load('v128', c.add(old, at), 0, CACHE),
          c.load('v128', c.add(fresh, at), 0, CACHE),
        );
        const equal = c.simdTest('i8x16.bitmask', same) as I;
        const others = c.let(what === 'equal' ? c.xor(equal, i32(0xffff)) : equal);
        c.if(c.eqz(others), () => {
          c.set(at, c.add(at, i32(16)));
          c.br(again);
        });
        c.set(at, c.add(at, c.ctz(others)));
      });
    });
  });
  c.if(c.gtU(at, i32(PAGE_SIZE)), () => c.set(at, i32(PAGE_SIZE)));
}

/** A number of at most 14 bits, seven in each byte, the low ones first. */
function writeLength(c: Code, to: I, value: I): void {
  c.scope(() => {
    const length = c.let(value);
    c.if(
      c.ltU(length, i32(0x80)),
      () => {
        c.store('i32.8', to, length);
        c.set(to, c.add(to, i32(1)));
      },
      () => {
        c.store('i32.8', to, c.or(length, i32(0x80)));
        c.store('i32.8', to, c.shrU(length, i32(7)), 1);
        c.set(to, c.add(to, i32(2)));
      },
    );
  });
}
