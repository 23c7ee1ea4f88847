import type { IntType, Local, Val } from '@sterna/wasm';
import { linearAny } from '../interp/address.ts';
import { ADDR, REC } from '../interp/records.ts';
import { PROBE } from '../interp/translate.ts';
import { LOADS, STORES, width } from '../interp/widths.ts';
import type { AccessOptions, Int, ReadModifyWrite } from '../semantics/machine.ts';
import type { Micro } from '../semantics/micro.ts';
import type { Bits, MemForm, Operand } from '../semantics/operand.ts';
import { Reg, Seg } from '../semantics/vectors.ts';
import { cellAddress } from '../state/layout.ts';
import { TLB } from '../state/memory-map.ts';
import { type RecentPage, RecentPages } from './recent-pages.ts';
import { BASED, File, NotInlinable, RegionBase } from './region-base.ts';
import { regionRead, regionWrite } from './slow-paths.ts';

/** Byte offset of the cell that stands for "no register" in addresses, and of pcPage, from the start of the state. */
const ZERO_FIELD = 128;
const PAGE_FIELD = 136;

/** Operands with everything of the record known, and guest memory through the TLB. */
export abstract class RegionOperands extends RegionBase {
  // Guest memory

  /** Leaves a host address in `host`; slow paths that are not plain RAM leave the region. */
  #hostOf(host: Local<'i32'>, linear: Val<'i64'>, bytes: number, tag: number, slow: Micro): void {
    const last = bytes === 1 ? linear : this.add(linear, bytes - 1);
    const base = this.#base;
    const mustAlign = this.#mustAlign;
    this.#base = undefined;
    this.#mustAlign = false;
    if (!this.recentPages || base === undefined || (bytes & (bytes - 1)) !== 0) {
      this.#probe(host, linear, this.and(last, -4096), bytes, tag, slow, undefined);
      return;
    }
    const recent = this.#recent.of(base, tag);
    // one comparison for the page and for an aligned address, which cannot cross into the next
    const aligned = this.and(linear, this.i64(-4096 | (bytes - 1)));
    this.if(
      this.eq(aligned, recent.page),
      () => this.set(host, this.add(this.wrap(linear), recent.addend)),
      () => {
        if (mustAlign) this.checkAligned(linear);
        this.#probe(host, linear, this.let(this.and(last, -4096)), bytes, tag, slow, recent);
      },
    );
  }

  /** Looks a page up in the TLB; remembers it in `recent`. */
  #probe(
    host: Local<'i32'>,
    linear: Val<'i64'>,
    page: Val<'i64'>,
    bytes: number,
    tag: number,
    slow: Micro,
    recent: RecentPage | undefined,
  ): void {
    this.set(host, this.add(this.and(this.wrap(this.shrU(linear, 7)), (TLB.entries - 1) * TLB.stride), this.tlb));
    this.if(
      this.eq(this.load('i64', host, tag), page),
      () => {
        if (recent !== undefined) this.#recent.remember(recent, page, this.load('i32', host, TLB.addend));
        this.set(host, this.add(this.wrap(linear), this.load('i32', host, TLB.addend)));
      },
      () => {
        this.set(host, this.call(this.linker.micro(slow), linear, this.i32(bytes)));
        this.if(this.eqz(host), () => this.leave(), undefined, false);
      },
      true,
    );
  }

  /** Whether accesses remember the page last met through their base register: worth it where they are repeated. */
  recentPages = false;
  readonly #recent = new RecentPages(this);
  /** Base register of the address just formed. */
  #base: number | undefined;
  /** The access to that address still has to check that it is aligned. */
  #mustAlign = false;

  override linearAligned(op: Operand, bytes: number, write = false): Val<'i64'> {
    const linear = this.linear(op, bytes, write);
    // an address on a remembered page is found to be aligned together with the page
    if (this.recentPages && this.#base !== undefined && bytes === 16) this.#mustAlign = true;
    else this.checkAligned(linear);
    return linear;
  }

  /** Statement at the region's entry: no page is remembered. */
  forgetPages(): void {
    this.#recent.forget();
  }

  loadLinear<B extends Bits>(
    linear: Val<'i64'>,
    bits: B,
    options: AccessOptions = {},
  ): Val<B extends 64 ? 'i64' : B extends 128 ? 'v128' : 'i32'> {
    if (options.system) throw new NotInlinable('system access');
    const w = width(bits);
    const host = this.local('i32');
    this.#hostOf(host, linear.isSimple ? linear : this.let(linear), w / 8, TLB.read, regionRead);
    return this.let(this.load(LOADS[w], host) as Val) as never;
  }

  storeLinear(linear: Val<'i64'>, bits: Bits, value: Val, options: AccessOptions = {}): void {
    if (options.system) throw new NotInlinable('system access');
    const w = width(bits);
    const host = this.local('i32');
    const v = value.isSimple ? value : this.let(value);
    this.#hostOf(host, linear.isSimple ? linear : this.let(linear), w / 8, TLB.write, regionWrite);
    this.store(STORES[w], host, v as never);
  }

  /** After this no store in the range leaves the region: neither for a fault nor because code is there. */
  probeWrite(linear: Val<'i64'>, bytes: number): void {
    this.#hostOf(this.local('i32'), linear.isSimple ? linear : this.let(linear), bytes, TLB.write, regionWrite);
  }

  checkAligned(linear: Val<'i64'>): void {
    this.raiseIf(this.ne(this.and(this.wrap(linear), 15), 0));
  }

  // Operands

  /** A byte of the record. */
  protected fieldOf(at: number): number {
    return this.bytes[this.rec + at]!;
  }

  /** Register file, number and whether it is AH..BH. */
  #register(op: Operand): [File | 'mmx', number, boolean] {
    if (op.kind === 'fixed') {
      if (op.file !== 'gpr' && op.file !== 'xmm') throw new NotInlinable(`file ${op.file}`);
      return [op.file === 'gpr' ? File.gpr : File.xmm, op.reg, false];
    }
    if (op.kind !== 'reg') throw new NotInlinable('not a register');
    const field = this.fieldOf(op.field);
    if (op.file === 'gpr') return [File.gpr, field >> 3, (field & 1) !== 0];
    if (op.file === 'xmm') return [File.xmm, field >> 4, false];
    if (op.file === 'mmx') return ['mmx', field, false];
    throw new NotInlinable(`file ${op.file}`);
  }

  read(op: Operand): Int {
    switch (op.kind) {
      case 'reg':
      case 'fixed':
        return this.#readRegister(op);
      case 'mem':
        return this.loadLinear(this.linear(op), width(op.bits)) as unknown as Int;
      case 'imm': {
        const low = this.view.getInt32(this.rec + op.at, true);
        if (op.bits !== 64) return this.i32(low);
        return op.wide ? this.i64(this.view.getBigInt64(this.rec + op.at, true)) : this.i64(low);
      }
      case 'const':
        return op.bits === 64 ? this.i64(op.value) : this.i32(op.value);
      default:
        throw new NotInlinable(`operand ${op.kind}`);
    }
  }

  #readRegister(op: Operand): Int {
    const [file, reg, high] = this.#register(op);
    if (file === 'mmx')
      return this.let(this.load(LOADS[width(op.bits)], 0, cellAddress('fpMant') + reg) as unknown as Int);
    if (file === File.gpr) return this.#gprPart(reg, op.bits as 8, high);
    const v = this.readSlot(File.xmm, reg) as Val<'v128'>;
    if (op.bits === 64) return this.let(this.extractLane('i64x2', v, 0));
    if (op.bits === 32) return this.let(this.extractLane('i32x4', v, 0));
    throw new NotInlinable('vector as number');
  }

  #gprPart(reg: number, bits: 8 | 16 | 32 | 64, high: boolean): Int {
    const v = this.gprValue(reg);
    if (bits === 64) return v as Int;
    const low = this.wrap(v);
    if (bits === 32) return this.let(low);
    if (bits === 16) return this.let(this.and(low, 0xffff));
    return this.let(this.and(high ? this.shrU(low, 8) : low, 0xff));
  }

  override readFloat(op: Operand): Val<'f32' | 'f64'> {
    if (op.kind !== 'reg' && op.kind !== 'fixed') return super.readFloat(op);
    const [file, reg] = this.#register(op);
    if (file !== File.xmm) return super.readFloat(op);
    const v = this.readSlot(File.xmm, reg) as Val<'v128'>;
    return this.let(
      op.bits === 64 ? this.extractLane('f64x2', v, 0) : (this.extractLane('f32x4', v, 0) as Val<'f32' | 'f64'>),
    );
  }

  override writeFloat(op: Operand, value: Val<'f32' | 'f64'>): void {
    if (op.kind === 'reg' || op.kind === 'fixed') {
      const [file, reg] = this.#register(op);
      if (file === File.xmm) {
        const v = this.readSlot(File.xmm, reg) as Val<'v128'>;
        this.writeSlot(File.xmm, reg, this.replaceLane(op.bits === 64 ? 'f64x2' : 'f32x4', v, 0, value));
        return;
      }
    }
    super.writeFloat(op, value);
  }

  readVector(op: Operand): Val<'v128'> {
    if (op.kind === 'mem') return this.loadLinear(this.linear(op, 16), 128);
    const [file, reg] = this.#register(op);
    if (file !== File.xmm) throw new NotInlinable('not a vector');
    return this.readSlot(File.xmm, reg) as Val<'v128'>;
  }

  writeVector(op: Operand, value: Val<'v128'>): void {
    if (op.kind === 'mem') {
      const v = this.let(value);
      this.storeLinear(this.linear(op, 16, true), 128, v);
      return;
    }
    const [file, reg] = this.#register(op);
    if (file !== File.xmm) throw new NotInlinable('not a vector');
    this.writeSlot(File.xmm, reg, value);
  }

  write(op: Operand, value: Int): void {
    if (op.kind === 'mem') {
      const v = this.let(value);
      this.storeLinear(this.linear(op, op.bits / 8, true), op.bits, v);
      return;
    }
    this.#writeRegister(op, value);
  }

  #writeRegister(op: Operand, value: Int): void {
    const [file, reg, high] = this.#register(op);
    if (file === 'mmx') this.store(STORES[width(op.bits)], 0, value as never, cellAddress('fpMant') + reg);
    else if (file === File.gpr) this.#putGpr(reg, op.bits as 8, high, value);
    else {
      const v = this.readSlot(File.xmm, reg) as Val<'v128'>;
      if (op.bits !== 64 && op.bits !== 32) throw new NotInlinable('vector as number');
      this.writeSlot(File.xmm, reg, this.replaceLane(op.bits === 64 ? 'i64x2' : 'i32x4', v, 0, value));
    }
  }

  #putGpr(reg: number, bits: 8 | 16 | 32 | 64, high: boolean, value: Int): void {
    if (bits === 64) {
      this.setGprValue(reg, value as Val<'i64'>);
      return;
    }
    const v = value as Val<'i32'>;
    if (bits === 32) {
      this.setGprValue(reg, this.extU(v));
      return;
    }
    const mask = bits === 16 ? 0xffff : high ? 0xff00 : 0xff;
    const part = high ? this.shl(this.and(v, 0xff), 8) : this.and(v, mask);
    const kept = this.and(this.gprValue(reg), this.i64(~mask));
    this.setGprValue(reg, this.or(kept, this.extU(part)));
  }

  rmw(op: Operand): ReadModifyWrite {
    if (op.kind !== 'mem') return { value: this.read(op), store: (v) => this.#writeRegister(op, v) };
    const bits = width(op.bits);
    const linear = this.linear(op, bits / 8, true);
    const host = this.local('i32');
    this.#hostOf(host, linear, bits / 8, TLB.write, regionWrite);
    const value = this.let(this.load(LOADS[bits], host) as unknown as Int);
    return { value, store: (v) => this.store(STORES[bits], host, v as never) };
  }

  regNumber(op: Operand): Val<'i32'> {
    if (op.kind === 'fixed') return this.i32(op.reg);
    if (op.kind !== 'reg') throw new NotInlinable('operand has no number');
    return this.i32(this.fieldOf(op.field));
  }

  gpr(reg: number, bits: 8 | 16 | 32 | 64): Int {
    return this.#gprPart(reg, bits, false);
  }

  setGpr(reg: number, bits: 8 | 16 | 32 | 64, value: Int): void {
    this.#putGpr(reg, bits, false, value);
  }

  // Addresses

  /** Value of a register field of an address; undefined for none. */
  #addressRegister(at: number): Val<'i64'> | undefined {
    const field = this.fieldOf(at);
    if (field === ZERO_FIELD) return undefined;
    if (field === PAGE_FIELD) return this.pageHere();
    return this.gprValue(field >> 3);
  }

  #sum(base: Val<'i64'> | undefined, index: Val<'i64'> | undefined, scale: number, disp: number): Val<'i64'> {
    let sum = base;
    if (index !== undefined) {
      const scaled = this.shl(index, scale);
      sum = sum === undefined ? scaled : this.add(sum, scaled);
    }
    if (sum === undefined) return this.i64(disp);
    return disp === 0 ? sum : this.add(sum, this.i64(disp));
  }

  #offset(op: Operand & { kind: 'mem' }): Val<'i64'> {
    if (op.form === 'moffs') return this.i64(this.view.getBigInt64(this.rec + REC.imm, true));
    const disp = this.view.getInt32(this.rec + REC.disp, true);
    const base = this.#addressRegister(REC.reg2);
    const desc = this.fieldOf(REC.scale);
    if (op.form === 'base' || op.form === 'segment') return this.#sum(base, undefined, 0, disp);
    const sum = this.#sum(base, this.#addressRegister(REC.index), desc & 3, disp);
    return op.form === 'index' ? sum : this.#cut(sum, desc);
  }

  #cut(offset: Val<'i64'>, desc: number): Val<'i64'> {
    const size = (desc >> ADDR.sizeShift) & 3;
    if (size === ADDR.size64) return offset;
    return this.and(offset, this.i64(size === ADDR.size32 ? 0xffff_ffff : 0xffff));
  }

  /** The address of an offset in a segment, checked where that is not known to be needless. */
  #inSegment(seg: number, offset: Val<'i64'>, bytes: number, write: boolean, desc: number): Val<'i64'> {
    if (this.mode.code64) {
      return this.let(BASED.has(seg) ? this.add(offset, this.cell('segEff', seg)) : offset);
    }
    // flat code is readable, never writable
    if (seg === 6 || (this.flat(seg) && !(seg === Seg.CS && write)))
      return this.let(this.and(offset, this.i64(0xffff_ffff)));
    const size = this.i32(bytes | (write ? PROBE.WRITE : 0));
    this.invoke(linearAny, this.i32((desc & ~(7 << ADDR.segShift)) | (seg << ADDR.segShift)), offset, size);
    return this.let(this.cell('temp', 7));
  }

  ea(op: Operand): Val<'i64'> {
    if (op.kind !== 'mem') throw new NotInlinable('not a memory operand');
    return this.let(this.#offset(op));
  }

  linear(op: Operand, bytes = op.bits / 8, write = false, delta?: Val<'i64'>): Val<'i64'> {
    if (op.kind !== 'mem') throw new NotInlinable('not a memory operand');
    const desc = this.fieldOf(REC.scale);
    let offset = this.#offset(op);
    const base = this.fieldOf(REC.reg2);
    this.#base = op.form !== 'moffs' && base < ZERO_FIELD ? base >> 3 : undefined;
    if (delta !== undefined) {
      offset = this.add(offset, delta);
      if (op.form === 'any' || op.form === 'moffs') offset = this.#cut(offset, desc);
    }
    return this.#inSegment(segmentOf(op.form, desc), offset, bytes, write, desc);
  }

  baseIsSp(op: Operand): Val<'i32'> {
    if (op.kind !== 'mem' || op.form === 'moffs') return this.i32(0);
    return this.i32(this.fieldOf(REC.reg2) === Reg.SP * 8 ? 1 : 0);
  }

  sourceLinear(offset: Val<'i64'>, bytes: number, write = false): Val<'i64'> {
    const desc = this.fieldOf(REC.scale);
    return this.#inSegment((desc >> ADDR.segShift) & 7, offset, bytes, write, desc);
  }

  segmentLinear(seg: number, offset: Val<'i64'>, bytes: number, write = false): Val<'i64'> {
    return this.#inSegment(seg, offset, bytes, write, seg << ADDR.segShift);
  }

  farSelector(): Val<'i32'> {
    throw new NotInlinable('far transfer');
  }
  farOffset(): Val<'i64'> {
    throw new NotInlinable('far transfer');
  }

  // Stack: as wide as the code in the modes that regions exist for

  sp(): Val<'i64'> {
    return this.#narrow(this.gprValue(Reg.SP));
  }

  #narrow(v: Val<'i64'>): Val<'i64'> {
    return this.mode.code64 ? v : this.let(this.and(v, this.i64(0xffff_ffff)));
  }

  setSp(value: Val<'i64'>): void {
    this.setGprValue(Reg.SP, this.mode.code64 ? value : this.and(value, this.i64(0xffff_ffff)));
  }

  stackTop(bytes: number): Val<'i64'> {
    return this.let(this.#narrow(this.sub(this.gprValue(Reg.SP), bytes)));
  }

  push(bits: 16 | 32 | 64, value: Int): void {
    const v = value.isSimple ? value : this.let(value);
    const top = this.stackTop(bits / 8);
    this.#base = Reg.SP;
    this.storeLinear(this.segmentLinear(Seg.SS, top, bits / 8, true), bits, v, { stack: true });
    this.setSp(top);
  }

  peek(bits: 16 | 32 | 64, offset = 0): Int {
    this.#base = Reg.SP;
    const at = this.#narrow(offset === 0 ? this.gprValue(Reg.SP) : this.let(this.add(this.gprValue(Reg.SP), offset)));
    return this.loadLinear(this.segmentLinear(Seg.SS, at, bits / 8), bits, { stack: true }) as Val<IntType>;
  }
}

/** Segment of a memory operand by its form and address descriptor; 6 for none. */
function segmentOf(form: MemForm, desc: number): number {
  if (form === 'base' || form === 'index') return 6;
  return form === 'segment' ? (desc & 0x7f) >> 3 : (desc >> ADDR.segShift) & 7;
}
