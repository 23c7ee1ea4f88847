import { MEMORY_LAYOUT, PAGE_CODE } from '@sterna/core';
import { ENTRY_MAP_SLOTS } from '../interp/lookup.ts';
import { Handler, REC } from '../interp/records.ts';
import { cellAddress } from '../state/layout.ts';
import { CPU_MAP } from '../state/memory-map.ts';
import { Decoded, type Decoder } from './decoder.ts';
import type { HandlerTables } from './handlers.ts';
import type { PairTable } from './pairs.ts';

/** Most records in one run; a longer one continues with a link. */
const RUN_LIMIT = 256;
/**
 * How many instructions a run may go on where another one has begun. A loop entered in its middle first would otherwise keep
 * a link in every round.
 */
const OVERLAP = 96;
/** Largest number of runs before everything is dropped. */
const MAX_RUNS = 1 << 18;
const PAGE = 4096;

/**
 * Decoded runs of instructions by host page and mode key. Records live in the CPU area; the bookkeeping of runs in arrays
 * here. Dropping a run turns its records into links to themselves, so that pointers to them need no
 * unlinking; space is reclaimed by
 * clearing everything when it is full.
 */
export class DecodeCache {
  readonly #bytes: Uint8Array;
  readonly #u32: Int32Array;
  readonly #view: DataView;
  readonly #decoder: Decoder;
  readonly #fuse: Uint16Array;
  readonly #pairs: PairTable;
  /** Own handlers of the instructions of the run being decoded, whatever they were joined to. */
  readonly #own = new Uint16Array(RUN_LIMIT + 1);
  readonly #withholdWrites: () => void;
  /** Told of code that is dropped: host address and length, or everything. */
  onInvalidate: (host: number, length: number) => void = () => {};
  /** Told before the records of a run become links: address of the first, end, and their host page. */
  onDrop: (first: number, end: number, hostPage: number) => void = () => {};
  /** Told of each new run. */
  onRun: (run: number) => void = () => {};
  /** Told before everything is dropped. */
  onClear: () => void = () => {};
  /** Newest run + 1 of each host page. */
  readonly #pages = new Int32Array(1 << 20);
  readonly #next = new Int32Array(MAX_RUNS);
  readonly #start = new Uint16Array(MAX_RUNS);
  readonly #stop = new Uint16Array(MAX_RUNS);
  readonly #record = new Int32Array(MAX_RUNS);
  readonly #count = new Uint16Array(MAX_RUNS);
  readonly #key = new Uint8Array(MAX_RUNS);
  /** For the part of an instruction in its second page: the CROSS record whose link it is; else 0. */
  readonly #crossing = new Int32Array(MAX_RUNS);
  readonly #page = new Int32Array(MAX_RUNS);
  readonly #linked = new Uint8Array(MAX_RUNS);
  readonly #touched: number[] = [];
  readonly #pair = new Uint8Array(32);
  #runs = 0;
  #cleared = false;
  #top: number = CPU_MAP.records;

  constructor(memory: ArrayBufferLike, decoder: Decoder, tables: HandlerTables, withholdWrites: () => void) {
    this.#bytes = new Uint8Array(memory);
    this.#u32 = new Int32Array(memory);
    this.#view = new DataView(memory);
    this.#decoder = decoder;
    this.#fuse = tables.fuse;
    this.#pairs = tables.pairs;
    this.#withholdWrites = withholdWrites;
  }

  /** Record of the instruction at a host address under a mode key, decoding a run when it is not there yet. */
  lookup(host: number, key: number): number {
    const page = host >>> 12;
    const offset = host & 0xfff;
    let limit = PAGE;
    for (let r = this.#pages[page]!; r !== 0; r = this.#next[r - 1]!) {
      const run = r - 1;
      if (this.#key[run] !== key || this.#crossing[run] !== 0) continue;
      const start = this.#start[run]!;
      if (start > offset && start < limit) limit = start;
      if (offset < start || offset >= this.#stop[run]!) continue;
      const found = this.#search(run, offset);
      if (found !== 0) {
        this.#enter(host, key, found);
        return found;
      }
    }
    const record = this.#decodeRun(page, offset, limit, key);
    this.#enter(host, key, record);
    return record;
  }

  /** Record of the instruction at a host address if it is decoded, else 0. */
  peek(host: number, key: number): number {
    const offset = host & 0xfff;
    for (let r = this.#pages[host >>> 12]!; r !== 0; r = this.#next[r - 1]!) {
      const run = r - 1;
      if (this.#key[run] !== key || this.#crossing[run] !== 0) continue;
      if (offset < this.#start[run]! || offset >= this.#stop[run]!) continue;
      const found = this.#search(run, offset);
      if (found !== 0) return found;
    }
    return 0;
  }

  /** The run that a record belongs to, or -1. Runs are allocated upwards. */
  runOf(record: number): number {
    let low = 0;
    let high = this.#runs - 1;
    while (low <= high) {
      const mid = (low + high) >> 1;
      if (this.#record[mid]! > record) high = mid - 1;
      else low = mid + 1;
    }
    for (let run = high; run >= 0; run--) {
      const first = this.#record[run]!;
      // the extra entry of a crossing has no records of its own
      if (this.#count[run] === 0) continue;
      return record >= first && record < first + this.#count[run]! * REC.size ? run : -1;
    }
    return -1;
  }

  /** Address after the last record of a run; a link may follow there. */
  runEnd(run: number): number {
    return this.#record[run]! + this.#count[run]! * REC.size;
  }

  /** Number of runs so far; they are numbered from 0 until everything is dropped. */
  get runs(): number {
    return this.#runs;
  }

  /** Address of the first record of a run. */
  runStart(run: number): number {
    return this.#record[run]!;
  }

  /** The record that stands for an instruction in its first page, where a run is the instruction that reaches into another; else 0. */
  runCrossing(run: number): number {
    return this.#crossing[run]!;
  }

  /** Mode key of a run. */
  runKey(run: number): number {
    return this.#key[run]!;
  }

  /** Host address of the page that a run's first byte is in. */
  runPage(run: number): number {
    return this.#page[run]! * PAGE;
  }

  /** Whether a link record follows the records of a run, so that code goes on there. */
  hasLink(run: number): boolean {
    return this.#linked[run] !== 0;
  }

  /** Space for `count` records outside all runs. Returns its address, or 0 when the cache is full. */
  allocate(count: number): number {
    const bytes = count * REC.size;
    if (this.#top + bytes > CPU_MAP.recordsEnd) return 0;
    const at = this.#top;
    this.#top += bytes;
    return at;
  }

  /** Makes a record that continues at an offset from the start of its page. */
  writeLink(record: number, offset: number): void {
    this.#link(record, offset);
  }

  #search(run: number, offset: number): number {
    const first = this.#record[run]!;
    let low = 0;
    let high = this.#count[run]! - 1;
    while (low <= high) {
      const mid = (low + high) >> 1;
      const at = this.#view.getUint16(first + mid * REC.size + REC.pos, true) & 0xfff;
      if (at === offset) return first + mid * REC.size;
      if (at < offset) low = mid + 1;
      else high = mid - 1;
    }
    return 0;
  }

  #enter(host: number, key: number, record: number): void {
    const slot = (CPU_MAP.entryMap + entrySlot(host)) >>> 2;
    this.#u32[slot] = host;
    this.#u32[slot + 1] = key;
    this.#u32[slot + 2] = record;
  }

  #reserve(): void {
    if (this.#top + (RUN_LIMIT + 2) * REC.size > CPU_MAP.recordsEnd || this.#runs + 2 > MAX_RUNS) this.clear();
  }

  #newRun(
    page: number,
    key: number,
    start: number,
    stop: number,
    record: number,
    count: number,
    crossing: number,
    linked: boolean,
  ): void {
    const run = this.#runs++;
    if (this.#pages[page] === 0) this.#touched.push(page);
    this.#next[run] = this.#pages[page]!;
    this.#pages[page] = run + 1;
    this.#start[run] = start;
    this.#stop[run] = stop;
    this.#record[run] = record;
    this.#count[run] = count;
    this.#key[run] = key;
    this.#crossing[run] = crossing;
    this.#page[run] = page;
    this.#linked[run] = linked ? 1 : 0;
    this.#mark(page, start, stop);
    this.onRun(run);
  }

  /** Notes that lines of a page hold code and that writes to it must be seen. */
  #mark(page: number, start: number, stop: number): void {
    const slot = CPU_MAP.lineMap + (page & 0xffff) * 8;
    for (let line = start >> 6; line <= (stop - 1) >> 6; line++) {
      const byte = slot + (line >> 3);
      this.#bytes[byte] = this.#bytes[byte]! | (1 << (line & 7));
    }
    const flags = MEMORY_LAYOUT.pageFlags + page;
    const old = this.#bytes[flags]!;
    if (old & PAGE_CODE) return;
    this.#bytes[flags] = old | PAGE_CODE;
    if (old === 0) this.#withholdWrites();
  }

  #decodeRun(page: number, offset: number, limit: number, key: number): number {
    this.#reserve();
    const decoder = this.#decoder;
    const first = this.#top;
    const base = page * PAGE;
    let at = offset;
    let rec = first;
    let count = 0;
    let beyond = 0;
    let linked = false;
    for (;;) {
      if (at > limit) beyond++;
      if (at >= PAGE || beyond > OVERLAP || count === RUN_LIMIT) {
        this.#link(rec, at);
        rec += REC.size;
        linked = true;
        break;
      }
      const result = decoder.decode(this.#bytes, base + at, PAGE - at, rec, at, key);
      if (result === Decoded.SHORT) {
        this.#view.setUint32(rec, Handler.CROSS, true);
        this.#view.setUint32(rec + 4, (at << 16) | (1 << 28), true);
        this.#view.setInt32(rec + REC.imm, 0, true);
        this.#view.setInt32(rec + REC.link, 0, true);
        at = PAGE;
        rec += REC.size;
        count++;
        break;
      }
      const handler = this.#view.getUint16(rec, true);
      this.#joinBack(rec, handler, first, (key & 3) === 2);
      at += decoder.length;
      rec += REC.size;
      count++;
      if (result === Decoded.END) break;
    }
    this.#top = rec;
    this.#newRun(page, key, offset, Math.min(at, PAGE), first, count, 0, linked);
    return first;
  }

  /**
   * Joins the instruction at `rec` to the ones before it in the run: a Jcc to the comparison before it, and frequent
   * sequences. Only the earliest record's handler changes, so each stays good as an entry.
   */
  #joinBack(rec: number, handler: number, first: number, is64: boolean): void {
    const n = (rec - first) / REC.size;
    this.#own[n] = handler;
    if (n > 0 && this.#decoder.condition >= 0 && is64) {
      const fused = this.#fuse[this.#own[n - 1]! * 16 + this.#decoder.condition]!;
      if (fused !== 0) {
        this.#view.setUint16(rec - REC.size, fused, true);
        this.#extend(rec - REC.size, fused, first);
        return;
      }
    }
    this.#extend(rec, handler, first);
  }

  /** Joins what `handler` does at `rec` to what ends just before it. */
  #extend(rec: number, handler: number, first: number): void {
    const { row, column, columns, table, length } = this.#pairs;
    if (column[handler] === 0) return;
    for (let n = 1; n <= 2; n++) {
      const at = rec - n * REC.size;
      if (at < first) return;
      const before = n === 1 ? this.#own[(at - first) / REC.size]! : this.#view.getUint16(at, true);
      if (length[before] !== n) continue;
      const joined = table[row[before]! * columns + column[handler]!]!;
      if (joined === 0) continue;
      this.#view.setUint16(at, joined, true);
      this.#extend(at, joined, first);
    }
  }

  #link(rec: number, at: number): void {
    this.#view.setUint32(rec, Handler.LINK, true);
    this.#view.setUint32(rec + 4, (at & 0xfff) << 16, true);
    this.#view.setInt32(rec + REC.imm, at, true);
    this.#view.setInt32(rec + REC.link, 0, true);
  }

  /** Decodes the instruction of a CROSS record for a pair of host addresses and links it. */
  crossing(cross: number, host: number, second: number, key: number): number {
    const epoch = this.#u32[cellAddress('cacheEpoch') >>> 2];
    this.#reserve();
    const page = host >>> 12;
    const offset = host & 0xfff;
    const here = PAGE - offset;
    this.#pair.set(this.#bytes.subarray(host, host + here));
    this.#pair.set(this.#bytes.subarray(second, second + 15), here);
    const rec = this.#top;
    const result = this.#decoder.decode(this.#pair, 0, here + 15, rec, offset, key);
    this.#top += REC.size;
    if (result === Decoded.OK) {
      this.#link(this.#top, offset + this.#decoder.length);
      this.#top += REC.size;
    }
    const alive = epoch === this.#u32[cellAddress('cacheEpoch') >>> 2];
    if (alive) {
      this.#view.setInt32(cross + REC.imm, second, true);
      this.#view.setInt32(cross + REC.link, rec, true);
    }
    const rest = Math.max(1, this.#decoder.length - here);
    this.#newRun(second >>> 12, key, 0, rest, rec, 1, alive ? cross : -1, result === Decoded.OK);
    if (!alive) this.#newRun(page, key, offset, PAGE, rec, 0, -1, false);
    return rec;
  }

  /** Drops the runs that overlap `length` bytes at a host address. */
  invalidate(host: number, length: number): void {
    // no bit operators on the whole address: it may be above 2 GiB
    for (let at = host; at < host + length; at += PAGE - (at & 0xfff)) {
      this.#invalidatePage(at >>> 12, at & 0xfff, Math.min(PAGE, (at & 0xfff) + (host + length - at)));
    }
  }

  #invalidatePage(page: number, from: number, to: number): void {
    this.onInvalidate(page * PAGE + from, to - from);
    this.#bump('codeEpoch');
    let previous = -1;
    for (let r = this.#pages[page]!; r !== 0; ) {
      const run = r - 1;
      const next = this.#next[run]!;
      if (this.#start[run]! < to && this.#stop[run]! > from) {
        this.#drop(page, run);
        if (previous < 0) this.#pages[page] = next;
        else this.#next[previous] = next;
      } else previous = run;
      r = next;
    }
    if (this.#pages[page] === 0) {
      const flags = MEMORY_LAYOUT.pageFlags + page;
      this.#bytes[flags] = this.#bytes[flags]! & ~PAGE_CODE;
    }
  }

  #drop(page: number, run: number): void {
    const crossing = this.#crossing[run]!;
    if (crossing > 0) this.#view.setInt32(crossing + REC.link, 0, true);
    const count = this.#count[run]!;
    this.onDrop(this.#record[run]!, this.#record[run]! + count * REC.size, page * PAGE);
    for (let i = 0, rec = this.#record[run]!; i < count; i++, rec += REC.size) {
      this.#forget(rec);
      if (crossing !== 0) continue;
      const slot =
        (CPU_MAP.entryMap + entrySlot(page * PAGE + (this.#view.getUint16(rec + REC.pos, true) & 0xfff))) >>> 2;
      if (this.#u32[slot]! >>> 12 === page) this.#u32[slot] = 0;
    }
  }

  /** Turns a record into a link to its own place, so that whoever still points to it finds what is there now. */
  #forget(rec: number): void {
    this.#view.setUint16(rec, Handler.LINK, true);
    this.#view.setInt32(rec + REC.imm, this.#view.getUint16(rec + REC.pos, true) & 0xfff, true);
    this.#view.setInt32(rec + REC.link, 0, true);
  }

  /** Drops everything. Every record address becomes void. */
  clear(): void {
    // nothing was decoded since
    if (this.#cleared && this.#runs === 0) return;
    this.#cleared = true;
    this.onClear();
    for (const page of this.#touched) {
      this.#pages[page] = 0;
      const flags = MEMORY_LAYOUT.pageFlags + page;
      this.#bytes[flags] = this.#bytes[flags]! & ~PAGE_CODE;
    }
    this.#touched.length = 0;
    this.#runs = 0;
    this.#top = CPU_MAP.records;
    this.#bytes.fill(0, CPU_MAP.entryMap, CPU_MAP.entryMap + ENTRY_MAP_SLOTS * 16);
    this.#bytes.fill(0xff, CPU_MAP.jumpCache, CPU_MAP.jumpCache + 65536);
    this.#bytes.fill(0, CPU_MAP.lineMap, CPU_MAP.lineMap + 0x8_0000);
    this.#bytes.fill(0, CPU_MAP.profile, CPU_MAP.jumpProfileEnd);
    this.#bump('cacheEpoch');
    this.#bump('codeEpoch');
  }

  #bump(cell: 'cacheEpoch' | 'codeEpoch'): void {
    const at = cellAddress(cell) >>> 2;
    this.#u32[at] = this.#u32[at]! + 1;
  }
}

/** Byte offset of a host address's slot in the entry map; the same as in `lookup`'s microcode. */
function entrySlot(host: number): number {
  return ((host ^ (host >>> 11)) & (ENTRY_MAP_SLOTS - 1)) << 4;
}
