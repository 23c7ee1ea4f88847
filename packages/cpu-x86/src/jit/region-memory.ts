import type { Local, Val } from '@sterna/wasm';
import { linearAny } from '../interp/address.ts';
import { ADDR, REC } from '../interp/records.ts';
import { PROBE } from '../interp/translate.ts';
import { LOADS, STORES, type ValueBits, width } from '../interp/widths.ts';
import type { AccessOptions } from '../semantics/machine.ts';
import type { Micro } from '../semantics/micro.ts';
import type { Bits, MemForm, Operand } from '../semantics/operand.ts';
import { Reg, Seg } from '../semantics/vectors.ts';
import { cellAddress } from '../state/layout.ts';
import { TLB } from '../state/memory-map.ts';
import { type GroupMember, Neighbours, type Place } from './neighbours.ts';
import { LOWEST_HOST, type RecentPage, RecentPages } from './recent-pages.ts';
import { BASED, NotInlinable, RegionBase } from './region-base.ts';
import { File } from './region-registers.ts';
import { regionRead, regionStore, regionWrite } from './slow-paths.ts';

/** Byte offset of the cell that stands for "no register" in addresses, and of pcPage, from the start of the state. */
const ZERO_FIELD = 128;
const PAGE_FIELD = 136;

/** What is done with the memory: which tag of the TLB allows it, and what is asked where that is not there. */
interface Access {
  readonly tag: number;
  readonly slow: Micro;
  /** Statement before that is asked. */
  readonly before?: () => void;
}
const READ: Access = { tag: TLB.read, slow: regionRead };
const WRITE: Access = { tag: TLB.write, slow: regionWrite };

/** Type of what is accessed: an integer or vector by its width, or a number. */
type Content = ValueBits | 'f32' | 'f64';
const BYTES: Readonly<Record<Content, number>> = { 8: 1, 16: 2, 32: 4, 64: 8, 128: 16, f32: 4, f64: 8 };
const LOAD = { ...LOADS, f32: 'f32', f64: 'f64' } as const;
const STORE = { ...STORES, f32: 'f32', f64: 'f64' } as const;

/** Where an access goes in the host: a local and a constant. */
interface Spot {
  readonly host: Local<'i32'>;
  readonly offset: number;
}

/** Addresses with everything of the record known, and guest memory through the TLB. */
export abstract class RegionMemory extends RegionBase {
  /** Whether accesses remember the page last met through their base register: worth it where they are repeated. */
  recentPages = false;
  readonly #recent = new RecentPages(this, this.ic);
  readonly #neighbours = new Neighbours(this);
  /** The address last formed for a semantics that does its accesses itself. */
  #formed: { readonly linear: Val<'i64'>; readonly place: Place | undefined } | undefined;

  /** The instructions of the block from the one being written on, to see which accesses are close to each other. */
  set ahead(members: readonly GroupMember[]) {
    this.#neighbours.ahead = members;
  }

  /** Forgets what was found out about addresses: at the start of a block, and after what may change translations. */
  protected forgetAddresses(): void {
    this.#neighbours.forget();
  }

  protected override writeSlot(file: File, reg: number, value: Val): void {
    if (file === File.gpr) this.#neighbours.changed(reg);
    super.writeSlot(file, reg, value);
  }

  /** Statement at the region's entry: no page is remembered. */
  forgetPages(): void {
    this.#recent.forget();
  }

  // Guest memory

  /** Finds out where an access goes; what is not plain RAM in one page leaves the region. `linear` is its address. */
  #open(linear: () => Val<'i64'>, place: Place | undefined, bytes: number, access: Access): Spot {
    const host = this.local('i32');
    const group = place === undefined || !this.certain ? undefined : this.#neighbours.of(place, bytes, access.tag);
    if (group === undefined) {
      this.#alone(host, linear(), place, bytes, access);
      return { host, offset: 0 };
    }
    if (group.isNew) this.#openGroup(group.host, place!, group.from, group.to - group.from, access);
    const offset = place!.disp - group.from;
    this.if(
      this.geU(group.host, LOWEST_HOST),
      () => this.set(host, group.host),
      () => {
        this.#probe(host, this.#named(linear()), bytes, access, undefined);
        if (offset !== 0) this.set(host, this.sub(host, offset));
      },
      true,
    );
    return { host, offset };
  }

  #named(v: Val<'i64'>): Val<'i64'> {
    return v.isSimple ? v : this.let(v);
  }

  /** Leaves the host address of `span` bytes from a displacement on in `host`, or less than LOWEST_HOST. */
  #openGroup(host: Local<'i32'>, place: Place, from: number, span: number, access: Access): void {
    this.scope(() => {
      const linear = this.#named(place.at(from));
      const probe = (recent: RecentPage | undefined): void => {
        const page = this.let(this.and(linear, -4096));
        this.set(host, this.#entryOf(linear));
        const inPage = this.leU(this.and(this.wrap(linear), 0xfff), 4096 - span);
        this.if(
          this.and(this.eq(this.load('i64', host, access.tag), page), inPage),
          () => {
            const addend = this.load('i32', host, TLB.addend);
            if (recent !== undefined) this.#recent.rememberGroup(recent, page, addend);
            this.set(host, this.add(this.wrap(linear), addend));
          },
          () => this.set(host, 0),
          true,
        );
      };
      const recent = this.#recentOf(place, from, access);
      if (recent === undefined) probe(undefined);
      else
        this.if(
          // where no page is remembered this is true of addresses only whose host address is too low
          this.leU(this.sub(linear, recent.page), this.i64(4096 - span)),
          () => this.set(host, this.add(this.wrap(linear), recent.addend)),
          () => probe(recent),
          true,
        );
    });
  }

  /** Where the page of an access is remembered: by base register, and apart where displacements are far from each other. */
  #recentOf({ base }: Place, disp: number, access: Access): RecentPage | undefined {
    if (!this.recentPages || base >= ZERO_FIELD) return undefined;
    return this.#recent.of(`${base} ${(disp + 0x800) >> 12} ${access.tag}`);
  }

  /** Leaves a host address in `host` for an access with no others near it. */
  #alone(host: Local<'i32'>, address: Val<'i64'>, place: Place | undefined, bytes: number, access: Access): void {
    const linear = this.#named(address);
    const recent =
      place === undefined || (bytes & (bytes - 1)) !== 0 ? undefined : this.#recentOf(place, place.disp, access);
    if (recent === undefined) {
      this.#probe(host, linear, bytes, access, undefined);
      return;
    }
    // one comparison for the page and for an aligned address, which cannot cross into the next
    const aligned = this.and(linear, this.i64(-4096 | (bytes - 1)));
    this.if(
      this.eq(aligned, recent.page),
      () => this.set(host, this.add(this.wrap(linear), recent.addend)),
      () => this.#probe(host, linear, bytes, access, recent),
    );
  }

  #entryOf(linear: Val<'i64'>): Val<'i32'> {
    return this.add(this.and(this.wrap(this.shrU(linear, 7)), (TLB.entries - 1) * TLB.stride), this.tlb);
  }

  /** Looks a page up in the TLB; remembers it in `recent`. */
  #probe(
    host: Local<'i32'>,
    linear: Val<'i64'>,
    bytes: number,
    { tag, slow, before }: Access,
    recent: RecentPage | undefined,
  ): void {
    const last = bytes === 1 ? linear : this.add(linear, bytes - 1);
    let page = this.and(last, -4096);
    if (recent !== undefined) page = this.let(page);
    this.set(host, this.#entryOf(linear));
    this.if(
      this.eq(this.load('i64', host, tag), page),
      () => {
        if (recent !== undefined) this.#recent.remember(recent, page, this.load('i32', host, TLB.addend));
        this.set(host, this.add(this.wrap(linear), this.load('i32', host, TLB.addend)));
      },
      () => {
        before?.();
        this.set(host, this.call(this.linker.micro(slow), linear, this.i32(bytes)));
        this.if(this.eqz(host), () => this.leave(), undefined, false);
      },
      true,
    );
  }

  #loadFrom({ host, offset }: Spot, content: Content): Val {
    return this.let(this.load(LOAD[content], host, offset) as Val);
  }

  #storeTo({ host, offset }: Spot, content: Content, value: Val): void {
    this.store(STORE[content], host, value as never, offset);
  }

  /** Vectors are copied to wherever they happen to lie: those over the end of a page are not worth leaving for. */
  #storing(value: Val): Access {
    if (value.type !== 'v128') return WRITE;
    const before = (): void => this.store('v128', 0, value as Val<'v128'>, cellAddress('loadScratch'));
    return { tag: TLB.write, slow: regionStore, before };
  }

  loadLinear<B extends Bits>(
    linear: Val<'i64'>,
    bits: B,
    options: AccessOptions = {},
  ): Val<B extends 64 ? 'i64' : B extends 128 ? 'v128' : 'i32'> {
    if (options.system) throw new NotInlinable('system access');
    const spot = this.#open(() => linear, this.#placeOf(linear), width(bits) / 8, READ);
    return this.#loadFrom(spot, width(bits)) as never;
  }

  storeLinear(linear: Val<'i64'>, bits: Bits, value: Val, options: AccessOptions = {}): void {
    if (options.system) throw new NotInlinable('system access');
    const v = value.isSimple ? value : this.let(value);
    const spot = this.#open(() => linear, this.#placeOf(linear), width(bits) / 8, this.#storing(v));
    this.#storeTo(spot, width(bits), v);
  }

  /** After this no store in the range leaves the region: neither for a fault nor because code is there. */
  probeWrite(linear: Val<'i64'>, bytes: number): void {
    this.#open(() => linear, this.#placeOf(linear), bytes, WRITE);
  }

  checkAligned(linear: Val<'i64'>): void {
    this.raiseIf(this.ne(this.and(this.wrap(linear), 15), 0));
  }

  // Memory operands

  #openOperand(op: Operand, content: Content, access: Access, aligned: boolean): Spot {
    const place = this.#place(op, access.tag === TLB.write);
    const bytes = BYTES[content];
    if (place === undefined) {
      const linear = aligned
        ? super.linearAligned(op, bytes, access.tag === TLB.write)
        : this.linear(op, bytes, access.tag === TLB.write);
      return this.#open(() => linear, undefined, bytes, access);
    }
    if (aligned) this.#alignPlace(place);
    return this.#open(() => place.at(place.disp), place, bytes, access);
  }

  #alignPlace(place: Place): void {
    if (this.#neighbours.isAligned(place)) return;
    this.checkAligned(place.at(place.disp));
    if (this.certain) this.#neighbours.align(place);
  }

  /** Reads a memory operand; `aligned`: it must lie on a multiple of 16. */
  protected loadOperand(op: Operand, content: Content, aligned = false): Val {
    return this.#loadFrom(this.#openOperand(op, content, READ, aligned), content);
  }

  /** Writes a memory operand. */
  protected storeOperand(op: Operand, content: Content, value: Val, aligned = false): void {
    const v = value.isSimple ? value : this.let(value);
    this.#storeTo(this.#openOperand(op, content, aligned ? WRITE : this.#storing(v), aligned), content, v);
  }

  /** Opens a memory operand for reading and writing. */
  protected modifyOperand(op: Operand, content: Content): { readonly value: Val; store(v: Val): void } {
    const spot = this.#openOperand(op, content, WRITE, false);
    return { value: this.#loadFrom(spot, content), store: (v) => this.#storeTo(spot, content, v) };
  }

  // Addresses

  /** A byte of the record. */
  protected fieldOf(at: number): number {
    return this.bytes[this.rec + at]!;
  }

  /** Value of a register field of an address; undefined for none. */
  #addressRegister(field: number): Val<'i64'> | undefined {
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

  #offset(op: Operand & { kind: 'mem' }, disp = this.view.getInt32(this.rec + REC.disp, true)): Val<'i64'> {
    if (op.form === 'moffs') return this.i64(this.view.getBigInt64(this.rec + REC.imm, true));
    const base = this.#addressRegister(this.fieldOf(REC.reg2));
    const desc = this.fieldOf(REC.scale);
    if (op.form === 'base' || op.form === 'segment') return this.#sum(base, undefined, 0, disp);
    const sum = this.#sum(base, this.#addressRegister(this.fieldOf(REC.index)), desc & 3, disp);
    return op.form === 'index' ? sum : this.#cut(sum, desc);
  }

  #cut(offset: Val<'i64'>, desc: number): Val<'i64'> {
    const size = (desc >> ADDR.sizeShift) & 3;
    if (size === ADDR.size64) return offset;
    return this.and(offset, this.i64(size === ADDR.size32 ? 0xffff_ffff : 0xffff));
  }

  /** The place of a memory operand, unless its address has more to it than registers and a displacement. */
  #place(op: Operand, write: boolean): Place | undefined {
    if (op.kind !== 'mem' || op.form === 'moffs') return undefined;
    const desc = this.fieldOf(REC.scale);
    const seg = segmentOf(op.form, desc);
    const { code64 } = this.mode;
    if (code64 ? BASED.has(seg) : !(seg === 6 || (this.flat(seg) && !(seg === Seg.CS && write)))) return undefined;
    const size = op.form === 'any' ? (desc >> ADDR.sizeShift) & 3 : ADDR.size64;
    if (code64 ? size !== ADDR.size64 : size === ADDR.size16) return undefined;
    const base = this.fieldOf(REC.reg2);
    const hasIndex = op.form === 'index' || op.form === 'any';
    const index = hasIndex ? this.fieldOf(REC.index) : ZERO_FIELD;
    return {
      rec: this.rec,
      base,
      index,
      scale: hasIndex ? desc & 3 : 0,
      page: base === PAGE_FIELD ? this.page : 0,
      disp: this.view.getInt32(this.rec + REC.disp, true),
      at: (disp) => {
        const sum = this.#offset(op, disp);
        return code64 ? sum : this.and(sum, this.i64(0xffff_ffff));
      },
    };
  }

  #placeOf(linear: Val<'i64'>): Place | undefined {
    const place = this.#formed?.linear === linear ? this.#formed.place : undefined;
    this.#formed = undefined;
    return place;
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
    if (delta !== undefined) {
      offset = this.add(offset, delta);
      if (op.form === 'any' || op.form === 'moffs') offset = this.#cut(offset, desc);
    }
    const linear = this.#inSegment(segmentOf(op.form, desc), offset, bytes, write, desc);
    if (delta === undefined && !linear.isConst) this.#formed = { linear, place: this.#place(op, write) };
    return linear;
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

  /** As {@link segmentLinear} for the stack at an offset that was formed from rSP. */
  protected stackLinear(offset: Val<'i64'>, bytes: number, write: boolean): Val<'i64'> {
    const linear = this.segmentLinear(Seg.SS, offset, bytes, write);
    const place: Place = { rec: 0, base: Reg.SP * 8, index: ZERO_FIELD, scale: 0, page: 0, disp: 0, at: () => linear };
    if (!linear.isConst) this.#formed = { linear, place };
    return linear;
  }
}

/** Segment of a memory operand by its form and address descriptor; 6 for none. */
function segmentOf(form: MemForm, desc: number): number {
  if (form === 'base' || form === 'index') return 6;
  return form === 'segment' ? (desc & 0x7f) >> 3 : (desc >> ADDR.segShift) & 7;
}
