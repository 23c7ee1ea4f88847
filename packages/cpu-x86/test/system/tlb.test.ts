import fc from 'fast-check';
import { expect, test } from 'vitest';
import { AT, Box, SEL } from './box.ts';

/*
 * Random changes of page tables, flushes and accesses against a model of what the architecture allows: a translation may be
 * used after its table entry changed until a flush that covers it, and never afterwards.
 */

const SPACES = [0x11_0000, 0x12_0000] as const;
const IDENTITY = 0x13_0000;
const TABLES = 0x14_0000;
/** Pages of this region hold `mov eax, number; ret` and their number at 0x800. */
const POOL = 0x20_0000;
const REGIONS = 3;
const PAGES = 4;
const HIGH = 0xffff_8000_0000_0000n;
const STUBS = AT.code;
const KERNEL_END = AT.code + 0xf00;

interface Translation {
  readonly frame: number;
  readonly write: boolean;
  readonly user: boolean;
  readonly global: boolean;
  readonly large: boolean;
}
type Entry = Translation | undefined;

/** A page of the test: region 0-2 in each half; the high half is the same in both spaces. */
interface Page {
  readonly high: boolean;
  readonly region: number;
  readonly index: number;
}
const allPages: Page[] = [false, true].flatMap((high) =>
  Array.from({ length: REGIONS * PAGES }, (_, i) => ({ high, region: Math.floor(i / PAGES), index: i % PAGES })),
);
// regions 8 MiB apart share the entries of the TLB
const linearOf = (p: Page): bigint => (p.high ? HIGH : 0n) + BigInt((p.region + 1) * (8 << 20) + p.index * 4096);

class Model {
  readonly box = new Box({}, { smap: true });
  /** Addresses of pieces of code, which stay so that they get translated. */
  readonly #stubs = new Map<string, number>();
  /** Supervisor accesses need EFLAGS.AC for user pages. */
  readonly smap: boolean;
  space = 0;
  /** Page table entries by table: low half of both spaces, then the high half. */
  readonly tables: Entry[][][] = [0, 1, 2].map(() =>
    Array.from({ length: REGIONS }, () => Array(PAGES).fill(undefined)),
  );
  readonly large: boolean[][] = [0, 1, 2].map(() => Array(REGIONS).fill(false));
  /** What may be cached, by page. */
  readonly cached: Translation[][] = allPages.map(() => []);

  constructor(threshold: number, smap: boolean) {
    this.smap = smap;
    const b = this.box;
    b.cpu.engine.jit.options = { ...b.cpu.engine.jit.options, threshold };
    b.enter('long');
    for (let at = 0x11_0000; at < 0x18_0000; at += 8) b.write64(at, 0n);
    const highPdpt = 0x15_0000;
    for (const [i, at] of SPACES.entries()) {
      b.write64(at, BigInt((at + 0x1000) | 7));
      b.write64(at + 256 * 8, BigInt(highPdpt | 7));
      b.write64(at + 0x1000, BigInt((at + 0x2000) | 7));
      b.write64(at + 0x2000, BigInt(IDENTITY | 7));
      for (let r = 0; r < REGIONS; r++) b.write64(this.#directory(i, r), BigInt(this.#table(i, r) | 7));
    }
    b.write64(highPdpt, BigInt((highPdpt + 0x1000) | 7));
    for (let r = 0; r < REGIONS; r++) b.write64(this.#directory(2, r), BigInt(this.#table(2, r) | 7));
    for (let i = 0; i < 512; i++) {
      const user = i === AT.code >>> 12 || i === (AT.userStack >>> 12) - 1;
      b.write64(IDENTITY + i * 8, BigInt((i << 12) | (user ? 0x167 : 0x163)));
    }
    for (let i = 0; i < 512; i++) {
      const at = POOL + i * 4096;
      b.view.setUint8(at, 0xb8);
      b.write32(at + 1, i);
      b.view.setUint8(at + 5, 0xc3);
      b.write32(at + 0x800, i);
    }
    b.state.setBig('cr3', BigInt(SPACES[0]));
    b.state.setBig('cr4', smap ? 0x20_06a0n : 0x6a0n);
    b.state.setBig('lstar', BigInt(KERNEL_END));
    b.state.setBig('star', (BigInt(SEL.data32) << 32n) | (BigInt(SEL.user32) << 48n));
    b.code('long', 'hlt', KERNEL_END);
    b.code('long', 'mov eax, [rbx + 0x800]\nsyscall', KERNEL_END + 0x10);
    b.code('long', `mov esp, ${AT.userStack}\ncall rbx\nsyscall`, KERNEL_END + 0x20);
    b.cpu.stateChanged();
  }

  #table(set: number, region: number): number {
    return TABLES + (set * REGIONS + region) * 4096;
  }
  #directory(set: number, region: number): number {
    const pd = set === 2 ? 0x15_1000 : SPACES[set]! + 0x2000;
    return pd + (region + 1) * 4 * 8;
  }
  set(p: Page): number {
    return p.high ? 2 : this.space;
  }

  /** What the tables say now. */
  current(p: Page): Entry {
    const set = this.set(p);
    if (this.large[set]![p.region]) {
      return { frame: p.index, write: true, user: true, global: p.high, large: true };
    }
    return this.tables[set]![p.region]![p.index];
  }

  /** Runs code at CPL 0 (RBX the page, RAX and RDX values) and says whether it faulted; EAX otherwise. */
  run(source: string, p: Page | undefined, value = 0): number | 'fault' {
    const b = this.box;
    let at = this.#stubs.get(source);
    if (at === undefined) {
      at = STUBS + this.#stubs.size * 128;
      this.#stubs.set(source, at);
      expect(b.code('long', `${source}\nhlt`, at)).toBeLessThan(128);
    }
    const regs = [BigInt(value), 0n, BigInt(value), p === undefined ? 0n : linearOf(p), BigInt(AT.stack0)];
    for (const [i, v] of regs.entries()) b.state.setBig('regs', v, i);
    b.state.setBig('regs', 2n, 11);
    b.state.setBig('rip', BigInt(at));
    b.state.set('halted', 0);
    expect(b.cpu.run(1000)).toBe(1);
    if (b.stoppedAt === 14) return 'fault';
    expect(b.stoppedAt).toBe(-1);
    return Number(b.reg(0) & 0xffff_ffffn);
  }

  /** After a change of the tables the new entries may be cached. */
  refresh(): void {
    allPages.forEach((p, i) => {
      const now = this.current(p);
      if (now !== undefined) this.cached[i]!.push(now);
    });
  }

  setEntry(p: Page, entry: Entry): void {
    const set = this.set(p);
    this.tables[set]![p.region]![p.index] = entry;
    const bits =
      entry === undefined
        ? 0
        : (POOL + entry.frame * 4096) |
          0x21 |
          (entry.write ? 0x42 : 0) |
          (entry.user ? 4 : 0) |
          (entry.global ? 0x100 : 0);
    this.box.write64(this.#table(set, p.region) + p.index * 8, BigInt(bits));
    this.refresh();
  }

  toggleLarge(p: Page): void {
    const set = this.set(p);
    const on = !this.large[set]![p.region]!;
    this.large[set]![p.region] = on;
    const bits = on ? POOL | 0xe7 | (p.high ? 0x100 : 0) : this.#table(set, p.region) | 7;
    this.box.write64(this.#directory(set, p.region), BigInt(bits));
    this.refresh();
  }

  /** Keeps of what may be cached only what `keep` says, and what the tables say. */
  flush(keep: (t: Translation, p: Page) => boolean): void {
    allPages.forEach((p, i) => {
      this.cached[i] = this.cached[i]!.filter((t) => keep(t, p));
    });
    this.refresh();
  }

  /** Checks the result of an access against what is allowed. */
  check(p: Page, got: number | 'fault', allows: (t: Translation) => boolean): void {
    const i = allPages.indexOf(p);
    const now = this.current(p);
    if (got === 'fault') expect(now !== undefined && allows(now), 'fault of an accessible page').toBe(false);
    else expect(this.cached[i]!.filter(allows).map((t) => t.frame)).toContain(got);
  }
}

const userAt = (offset: number): string => `mov ecx, ${KERNEL_END + offset}\nsysretq`;

type Step = readonly [op: number, page: number, value: number];

/** Wraps code in STAC and CLAC for odd values; without SMAP that changes nothing. */
const open = (code: string, value: number): string => `${value & 1 ? 'stac' : 'clac'}\n${code}\nclac`;
/** What such code may access. */
const opened = (m: Model, value: number) => (t: Translation) => !m.smap || (value & 1) === 1 || !t.user;

function apply(m: Model, [op, page, value]: Step): void {
  const p = allPages[page % allPages.length]!;
  switch (op) {
    case 0:
      m.check(p, m.run(open('mov ecx, 3\nl: mov eax, [rbx + 0x800]\ndec ecx\njnz l', value), p), opened(m, value));
      break;
    case 1:
      m.check(p, m.run(userAt(0x10), p), (t) => t.user);
      break;
    case 2:
      m.check(p, m.run('mov r8d, 3\nl: call rbx\ndec r8d\njnz l', p), () => true);
      break;
    case 3:
      m.check(p, m.run(userAt(0x20), p), (t) => t.user);
      break;
    case 4: {
      const mark = (value | 1) >>> 0;
      const got = m.run(open('mov [rbx + 0x900], edx', value >>> 1), p, mark);
      let where = -1;
      for (let i = 0; i < 16; i++) {
        if (m.box.read32(POOL + i * 4096 + 0x900) === mark) where = i;
        m.box.write32(POOL + i * 4096 + 0x900, 0);
      }
      m.check(p, got === 'fault' ? got : where, (t) => t.write && opened(m, value >>> 1)(t));
      break;
    }
    case 5: {
      if (value % 5 === 0) {
        m.setEntry(p, undefined);
        break;
      }
      const flag = (bit: number): boolean => ((value >>> bit) & 1) !== 0;
      const global = p.high ? !flag(8) || !flag(9) : flag(8) && flag(9);
      m.setEntry(p, { frame: value & 7, write: flag(4), user: flag(5) || flag(6), global, large: false });
      break;
    }
    case 6:
      if (value % 4 === 0) m.toggleLarge(p);
      break;
    case 7: {
      m.run('invlpg [rbx]', p);
      m.flush((t, q) => !(q.high === p.high && q.region === p.region && (q.index === p.index || t.large)));
      break;
    }
    case 8:
      m.space = value & 1;
      m.run('mov cr3, rax', undefined, SPACES[m.space]);
      m.flush((t) => t.global);
      break;
    case 9:
      if (value % 4 !== 0) break;
      m.run(open('mov rax, cr4\nxor al, 0x80\nmov cr4, rax\nxor al, 0x80\nmov cr4, rax', value >>> 2), undefined);
      m.flush(() => false);
      break;
  }
}

const step = fc.tuple(
  fc.constantFrom(0, 0, 1, 1, 2, 2, 2, 3, 3, 4, 4, 5, 5, 5, 6, 7, 8, 9),
  fc.nat({ max: allPages.length - 1 }),
  fc.nat({ max: 0x3ff }),
);

test.for([
  ['interpreter', 0, false],
  ['regions', 2, false],
  ['SMAP', 2, true],
] as const)(
  'translations are dropped when the architecture says so: %s',
  { timeout: 120_000 },
  ([, threshold, smap]) => {
    let regions = 0;
    fc.assert(
      fc.property(fc.array(step, { minLength: 20, maxLength: 200, size: 'max' }), (steps) => {
        const m = new Model(threshold, smap);
        for (const [i, p] of allPages.entries()) {
          m.setEntry(p, { frame: i & 7, write: true, user: true, global: p.high, large: false });
        }
        m.flush(() => false);
        m.run('mov rax, cr4\nxor al, 0x80\nmov cr4, rax\nxor al, 0x80\nmov cr4, rax', undefined);
        for (const s of steps) apply(m, s);
        regions += m.box.cpu.engine.jit.statistics.regions;
      }),
      { numRuns: Number(process.env['STERNA_TLB_RUNS'] ?? 25) },
    );
    expect(regions > 0).toBe(threshold > 0);
  },
);
