import { Rig } from '../rig.ts';
import { REGION, RESULT, VECTOR, type Vector } from './vectors.ts';

/** Physical addresses inside the bench's RAM. */
const PHYS = {
  pml4: 0x1000,
  low: 0x2000,
  lowDir: 0x3000,
  codeTable: 0x4000,
  dataTable: 0x5000,
  high: 0x6000,
  highDir: 0x7000,
  gdt: 0x8000,
  idt: 0x9000,
  tss: 0xa000,
  ldt: 0xb000,
  stackTop: 0xd000,
  handlers: 0xe000,
  code: 0x10000,
  data: 0x12000,
} as const;
/** Where the bench's own memory is mapped, for supervisor only. */
const KERNEL = 0xffff_8000_0000_0000n;
const PRESENT = 1n;
const WRITABLE = 2n;
const USER = 4n;

/** Vector names of what a run can end with. */
export interface Difference {
  readonly what: string;
}

/**
 * Runs oracle vectors as user-mode code under real paging, with gates whose handlers halt, so that every outcome is an
 * exception frame on the supervisor stack.
 */
export class OracleBench {
  /** MXCSR bits taken from vectors: a recording that did not know MXCSR_MASK has no DAZ. */
  mxcsrMask = 0xffff;
  /** Translate each vector's code and run the translation, instead of interpreting it. 16-bit code is never translated. */
  translate = false;
  /** Vectors that ran translated. */
  translated = 0;
  /** Mode key of the vector's code. */
  #key = 0;
  readonly rig: Rig = new Rig(1 << 18);
  readonly #shadow = new Uint8Array(REGION.size);
  readonly #words = new Uint32Array(this.#shadow.buffer);
  readonly #stale = new Uint8Array(REGION.size);

  constructor() {
    const { rig } = this;
    const { view } = rig;
    const entry = (table: number, index: number, value: bigint): void =>
      view.setBigUint64(rig.at(table + index * 8), value, true);
    const all = PRESENT | WRITABLE | USER;
    entry(PHYS.pml4, 0, BigInt(PHYS.low) | all);
    entry(PHYS.low, 0, BigInt(PHYS.lowDir) | all);
    entry(PHYS.lowDir, REGION.code >>> 21, BigInt(PHYS.codeTable) | all);
    entry(PHYS.lowDir, REGION.data >>> 21, BigInt(PHYS.dataTable) | all);
    for (let page = 0; page < 2; page++) {
      entry(PHYS.codeTable, page, BigInt(PHYS.code + page * 4096) | all);
      entry(PHYS.dataTable, page, BigInt(PHYS.data + page * 4096) | all | (1n << 63n));
    }
    entry(PHYS.pml4, 256, BigInt(PHYS.high) | PRESENT | WRITABLE);
    entry(PHYS.high, 0, BigInt(PHYS.highDir) | PRESENT | WRITABLE);
    entry(PHYS.highDir, 0, PRESENT | WRITABLE | 0x80n);
    this.#tables();
    this.#control();
  }

  #tables(): void {
    const { rig } = this;
    const { view } = rig;
    const gdt = [
      0n,
      0n,
      0x00af9b000000ffffn,
      0x00cf93000000ffffn,
      0x00cffb000000ffffn,
      0x00cff3000000ffffn,
      0x00affb000000ffffn,
    ];
    gdt.forEach((d, i) => {
      view.setBigUint64(rig.at(PHYS.gdt + i * 8), d, true);
    });
    const ldt = (index: number, base: number, access: number): void => {
      const b = BigInt(base);
      const limit = BigInt(REGION.size - 1);
      const d = limit | ((b & 0xffffffn) << 16n) | (BigInt(access) << 40n) | ((b >> 24n) << 56n);
      view.setBigUint64(rig.at(PHYS.ldt + index * 8), d, true);
    };
    ldt(1, REGION.code, 0xfb);
    ldt(2, REGION.data, 0xf3);
    view.setBigUint64(rig.at(PHYS.tss + 4), KERNEL + BigInt(PHYS.stackTop), true);
    // no I/O permission map
    view.setUint16(rig.at(PHYS.tss + 0x66), 0xffff, true);
    for (let v = 0; v < 32; v++) {
      const at = KERNEL + BigInt(PHYS.handlers + v);
      const gate = rig.at(PHYS.idt + v * 16);
      view.setUint16(gate, Number(at & 0xffffn), true);
      view.setUint16(gate + 2, 0x10, true);
      view.setUint16(gate + 4, v === 3 || v === 4 ? 0xee00 : 0x8e00, true);
      view.setUint16(gate + 6, Number((at >> 16n) & 0xffffn), true);
      view.setUint32(gate + 8, Number(at >> 32n), true);
      rig.bytes[rig.at(PHYS.handlers + v)] = 0xf4;
    }
  }

  #control(): void {
    const s = this.rig.cpu.state;
    s.setBig('cr0', 0x80050033n);
    s.setBig('cr3', BigInt(PHYS.pml4));
    s.setBig('cr4', 0x620n);
    s.setBig('efer', 0xd01n);
    s.setBig('gdtBase', KERNEL + BigInt(PHYS.gdt));
    s.set('gdtLimit', 0x7f);
    s.setBig('idtBase', KERNEL + BigInt(PHYS.idt));
    s.set('idtLimit', 0x1ff);
    s.setBig('ldtBase', KERNEL + BigInt(PHYS.ldt));
    s.set('ldtLimit', 0x17);
    s.set('ldtFlags', 0x8200);
    s.set('ldtSel', 0x48);
    s.setBig('trBase', KERNEL + BigInt(PHYS.tss));
    s.set('trLimit', 0x67);
    s.set('trFlags', 0x8b00);
    s.set('trSel', 0x40);
    s.set('a20Mask', 0xffffffff);
  }

  #segment(index: number, selector: number, base: number, limit: number, flags: number): void {
    const s = this.rig.cpu.state;
    s.set('segSel', selector, index);
    s.setBig('segBase', BigInt(base), index);
    s.set('segLimit', limit, index);
    s.set('segFlags', flags, index);
  }

  /** `again`: the code is in memory already, and what was made of it stays. */
  #start(v: Vector, again = false): void {
    const { rig } = this;
    const { cpu } = rig;
    const s = cpu.state;
    let x = v.seed | 1;
    for (let i = 0; i < REGION.size / 4; i++) {
      x ^= x << 13;
      x ^= x >>> 17;
      x ^= x << 5;
      this.#words[i] = x;
    }
    for (let i = 0; i < 4; i++) {
      const at = VECTOR.patches + i * 20;
      const offset = v.start.getUint16(at, true);
      const length = v.start.getUint8(at + 2);
      for (let k = 0; k < length && offset + length <= REGION.size; k++)
        this.#shadow[offset + k] = v.start.getUint8(at + 4 + k);
    }
    rig.bytes.set(this.#shadow, rig.at(PHYS.data));
    if (!again) {
      this.#stale.fill(0xcc);
      this.#stale.set(v.code, v.codeOffset);
      rig.bytes.set(this.#stale, rig.at(PHYS.code));
      cpu.invalidateCode(rig.at(PHYS.code), REGION.size);
    }
    const is16 = v.mode === 16;
    const data: readonly [number, number, number, number] = is16
      ? [0x17, REGION.data, REGION.size - 1, 0xf300]
      : [0x2b, 0, 0xffffffff, 0xcff300];
    for (const index of [0, 2, 3]) this.#segment(index, ...data);
    if (is16) this.#segment(1, 0xf, REGION.code, REGION.size - 1, 0xfb00);
    else this.#segment(1, v.mode === 64 ? 0x33 : 0x23, 0, 0xffffffff, v.mode === 64 ? 0xaffb00 : 0xcffb00);
    this.#segment(4, 0, 0, 0, 0);
    this.#segment(5, 0, v.mode === 64 ? REGION.gsBase : 0, 0, 0);
    for (let i = 0; i < 16; i++) s.setBig('regs', v.start.getBigUint64(VECTOR.regs + 8 * i, true), i);
    s.setBig('rip', BigInt(v.codeOffset + (is16 ? 0 : REGION.code)));
    cpu.rflags = (v.start.getUint32(VECTOR.rflags, true) & 0xcd5) | 0x202;
    s.setBig('cr2', 0n);
    s.set('halted', 0);
    this.#loadFx(v.start);
    cpu.stateChanged();
    this.#key = s.get('modeKey');
  }

  /** Runs the code once, so that it is decoded and its page is known, and has it translated from its first instruction on. */
  #translate(v: Vector): void {
    const { cpu } = this.rig;
    const { cache, jit } = cpu.engine;
    cpu.run(1_000_000);
    const record = cache.peek(this.rig.at(PHYS.code) + v.codeOffset, this.#key);
    if (record === 0) return;
    cpu.state.set('cpl', 3);
    cpu.state.setBig('pcPage', BigInt(REGION.code + (v.codeOffset & ~0xfff)));
    const before = jit.statistics.regions;
    jit.report(record);
    jit.work();
    this.translated += jit.statistics.regions - before;
  }

  #loadFx(image: DataView): void {
    const s = this.rig.cpu.state;
    const at = VECTOR.fx;
    const status = image.getUint16(at + 2, true);
    const top = (status >> 11) & 7;
    s.set('fpuCw', image.getUint16(at, true));
    s.set('fpuSw', status & ~0x3800);
    s.set('fpuTop', top);
    s.set('fpuTags', image.getUint8(at + 4));
    s.set('mxcsr', image.getUint32(at + 24, true) & this.mxcsrMask);
    for (let i = 0; i < 8; i++) {
      s.setBig('fpMant', image.getBigUint64(at + 32 + 16 * i, true), (top + i) & 7);
      s.set('fpExp', image.getUint16(at + 40 + 16 * i, true), (top + i) & 7);
    }
    for (let i = 0; i < 16; i++) {
      s.setBig('xmm', image.getBigUint64(at + 160 + 16 * i, true), i);
      s.setHigh('xmm', image.getBigUint64(at + 168 + 16 * i, true), i);
    }
  }

  /** Runs a vector; the text says how the outcome differs from the expected one, empty when it does not. */
  run(v: Vector): string {
    const e = v.expected;
    const want = e.getUint8(RESULT.status);
    if (want > 1) return '';
    this.#start(v);
    if (this.translate && v.mode !== 16) {
      this.#translate(v);
      this.#start(v, true);
    }
    const { rig } = this;
    const { cpu } = rig;
    const s = cpu.state;
    const exit = cpu.run(1_000_000);
    if (exit !== 1) return `exit ${exit}`;
    const vector = Number(s.getBig('rip') - KERNEL) - PHYS.handlers - 1;
    const hasError = [8, 10, 11, 12, 13, 14, 17].includes(vector);
    let at = Number(s.getBig('regs', 4) - KERNEL);
    const pop = (): bigint => {
      const x = rig.view.getBigUint64(rig.at(at), true);
      at += 8;
      return x;
    };
    const error = hasError ? Number(pop()) : 0;
    let rip = pop();
    pop();
    const flags = Number(pop());
    const rsp = pop();
    if (vector === 3) rip -= 1n;
    const out: string[] = [];
    const differ = (what: string, got: bigint | number, expected: bigint | number): void => {
      if (got !== expected) out.push(`${what} ${got.toString(16)} want ${expected.toString(16)}`);
    };
    const wantVector = want === 0 ? 3 : e.getUint8(RESULT.vector);
    if (vector !== wantVector)
      return `vector ${vector} want ${wantVector} (rip ${rip.toString(16)} want ${e.getBigUint64(RESULT.rip, true).toString(16)})`;
    if (want === 1) {
      // the host's kernel has pages in the upper half, so there P tells about the host; nor does its I bit matter
      const upper = e.getBigUint64(RESULT.cr2, true) >= KERNEL;
      const mask = vector !== 14 ? -1 : upper ? ~0x11 : ~0x10;
      differ('error', error & mask, e.getUint32(RESULT.error, true) & mask);
      if (vector === 14) differ('cr2', s.getBig('cr2'), e.getBigUint64(RESULT.cr2, true));
    }
    differ('rip', rip, e.getBigUint64(RESULT.rip, true));
    for (let i = 0; i < (v.mode === 64 ? 16 : 8); i++) {
      const got = i === 4 ? rsp : s.getBig('regs', i);
      differ(`r${i}`, v.mode === 64 ? got : got & 0xffffffffn, e.getBigUint64(RESULT.regs + 8 * i, true));
    }
    const mask = v.mask & 0xcd5;
    differ(`flags(${mask.toString(16)})`, flags & mask, e.getUint32(RESULT.rflags, true) & mask);
    this.#compareFx(v, e, differ);
    if (!(v.class & 4)) this.#compareMemory(e, out);
    return out.join(', ');
  }

  #compareFx(
    v: Vector,
    e: DataView,
    differ: (what: string, got: bigint | number, expected: bigint | number) => void,
  ): void {
    const s = this.rig.cpu.state;
    const at = RESULT.fx;
    const approximate = (v.class & 1) !== 0;
    const loose = (v.class & 8 ? 0x4700 : v.class & 16 ? 0x200 : 0) | (approximate ? 0x20 : 0);
    const top = s.get('fpuTop');
    differ('fcw', s.get('fpuCw'), e.getUint16(at, true));
    differ('fsw', (s.get('fpuSw') | (top << 11)) & ~loose, e.getUint16(at + 2, true) & ~loose);
    differ('ftw', s.get('fpuTags'), e.getUint8(at + 4));
    differ('mxcsr', s.get('mxcsr') & 0xffff, e.getUint32(at + 24, true) & 0xffff);
    for (let i = 0; i < 8; i++) {
      const mantissa = s.getBig('fpMant', (top + i) & 7);
      const exponent = s.get('fpExp', (top + i) & 7);
      const wantMantissa = e.getBigUint64(at + 32 + 16 * i, true);
      const wantExponent = e.getUint16(at + 40 + 16 * i, true);
      if (approximate && exponent === wantExponent) {
        const d = mantissa - wantMantissa;
        if (d > -(4n << 11n) && d < 4n << 11n) continue;
      }
      differ(`st${i}`, (BigInt(exponent) << 64n) | mantissa, (BigInt(wantExponent) << 64n) | wantMantissa);
    }
    for (let i = 0; i < (v.mode === 64 ? 16 : 8); i++) {
      if (v.class & 2 && this.#closeFloats(i, e, at + 160 + 16 * i)) continue;
      const wide = (low: bigint, high: bigint): bigint => (high << 64n) | low;
      differ(
        `xmm${i}`,
        wide(s.getBig('xmm', i), s.getHigh('xmm', i)),
        wide(e.getBigUint64(at + 160 + 16 * i, true), e.getBigUint64(at + 168 + 16 * i, true)),
      );
    }
  }

  /** Whether the four floats of a register are within the tolerance of the reciprocal approximations. */
  #closeFloats(index: number, e: DataView, at: number): boolean {
    const mine = new DataView(new ArrayBuffer(16));
    mine.setBigUint64(0, this.rig.cpu.state.getBig('xmm', index), true);
    mine.setBigUint64(8, this.rig.cpu.state.getHigh('xmm', index), true);
    for (let k = 0; k < 16; k += 4) {
      if (mine.getUint32(k, true) === e.getUint32(at + k, true)) continue;
      const a = mine.getFloat32(k, true);
      const b = e.getFloat32(at + k, true);
      if (!(Math.abs(a - b) <= Math.abs(b) * 1e-3)) return false;
    }
    return true;
  }

  #compareMemory(e: DataView, out: string[]): void {
    const expected = this.#shadow;
    const changes = e.getUint16(RESULT.changes, true);
    for (let i = 0; i < changes; i++)
      expected[e.getUint16(RESULT.data + 4 * i, true)] = e.getUint8(RESULT.data + 4 * i + 2);
    const host = this.rig.at(PHYS.data);
    for (let i = 0; i < REGION.size; i++) {
      const got = this.rig.bytes[host + i]!;
      if (got === expected[i]) continue;
      out.push(`mem[${i.toString(16)}] ${got.toString(16)} want ${expected[i]!.toString(16)}`);
      if (out.length > 8) return;
    }
  }
}
