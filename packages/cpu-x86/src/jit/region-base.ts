import { type FuncRef, type Local, type TypeTable, Val, type ValType } from '@sterna/wasm';
import { CellAccess } from '../interp/cell-access.ts';
import { REC } from '../interp/records.ts';
import type { Int, ValOfCell, Variant } from '../semantics/machine.ts';
import type { HostFunction, Micro } from '../semantics/micro.ts';
import { Seg } from '../semantics/vectors.ts';
import { type CellName, cellAddress, STATE } from '../state/layout.ts';
import { type Frame, InlineFrames } from './inline-frames.ts';
import { File, RegionRegisters } from './region-registers.ts';

/** Thrown while a definition is tried: it cannot be written into a region, and its interpreter function is called instead. */
export class NotInlinable extends Error {}

/** What the printer of a module of regions offers to the functions in it. */
export interface RegionLinker {
  /** The interpreter's function of microcode, imported on first use. */
  micro(fn: Micro): FuncRef;
}

/** Code size of a region: all its records have one mode key. */
export interface RegionMode {
  readonly code64: boolean;
}

const HANDLER_TYPE = { params: ['i32'], results: ['i32'] } as const;

/**
 * Cells in memory, and the place that is being translated: the ground on which regions implement the
 * semantics' machine.
 */
export abstract class RegionBase extends RegionRegisters {
  variant: Variant = { size: 32, addressSize: 0, rep: '', cc: -1, code64: undefined, name: '' };
  readonly mode: RegionMode;
  readonly linker: RegionLinker;
  /** The machine's memory, where records are. */
  readonly bytes: Uint8Array;
  readonly view: DataView;

  /** Record of the instruction being written. */
  rec = 0;
  /** Its page, counted from the page of the region's entry. */
  page = 0;
  /** Linear address of the entry's page. */
  readonly pcPage: Local<'i64'>;
  /** Instructions left, less all of the block being written. */
  readonly ic: Local<'i32'>;
  /** TLB of the current privilege. */
  readonly tlb: Local<'i32'>;

  readonly #frames = new InlineFrames();
  readonly #cells = new CellAccess(this);

  constructor(types: TypeTable, name: string, mode: RegionMode, linker: RegionLinker, memory: ArrayBufferLike) {
    super(types, -1, name, HANDLER_TYPE, 4096);
    this.mode = mode;
    this.linker = linker;
    this.bytes = new Uint8Array(memory);
    this.view = new DataView(memory);
    this.pcPage = this.ownLocal('i64');
    this.ic = this.ownLocal('i32');
    this.tlb = this.ownLocal('i32');
  }

  /** Leaves the region at the instruction being written, which the interpreter executes. */
  abstract leave(): void;

  // Cells

  get<N extends CellName>(name: N, index: number | Val<'i32'> = 0): Val<ValOfCell<N>> {
    const known = this.#known(name, index);
    return (known ?? this.#cells.get(name, index)) as Val<ValOfCell<N>>;
  }

  #known(name: CellName, index: number | Val<'i32'>): Val | undefined {
    if (name === 'regs' || name === 'xmm') {
      if (typeof index !== 'number') throw new NotInlinable(`${name} by number`);
      return this.readSlot(name === 'regs' ? File.gpr : File.xmm, index);
    }
    if (name === 'segEff' && typeof index === 'number' && (index === 6 || (index < 4 && this.flat(index))))
      return this.i64(0);
    if (name === 'stackMask' || name === 'ipMask') return this.i64(this.mode.code64 ? -1 : 0xffff_ffff);
    if (name === 'pcPage') return this.pageHere();
    if (name === 'mxcsr') return this.#mxcsrLocals.value;
    if (FORBIDDEN.has(name)) throw new NotInlinable(`reads ${name}`);
    return undefined;
  }

  put<N extends CellName>(name: N, value: Val<ValOfCell<N>> | number, index: number | Val<'i32'> = 0): void {
    if (name === 'regs' || name === 'xmm') {
      if (typeof index !== 'number') throw new NotInlinable(`${name} by number`);
      const v = value instanceof Val ? value : this.i64(value);
      this.writeSlot(name === 'regs' ? File.gpr : File.xmm, index, v);
      return;
    }
    if (FORBIDDEN.has(name)) throw new NotInlinable(`writes ${name}`);
    if (name === 'mxcsr') {
      const { value: local } = this.#mxcsrLocals;
      this.set(local, value as Val<'i32'>);
      this.#cells.put(name, local, index);
      this.#derive();
      return;
    }
    this.#cells.put(name, value, index);
  }

  /** MXCSR, and what every operation on floats asks of it. It is hardly ever written. */
  #mxcsr: { readonly value: Local<'i32'>; readonly doubt: Local<'i32'>; readonly top: Local<'i64'> } | undefined;

  get #mxcsrLocals(): { readonly value: Local<'i32'>; readonly doubt: Local<'i32'>; readonly top: Local<'i64'> } {
    this.#mxcsr ??= { value: this.ownLocal('i32'), doubt: this.ownLocal('i32'), top: this.ownLocal('i64') };
    return this.#mxcsr;
  }

  #derive(): void {
    const { doubt, top } = this.#mxcsrLocals;
    this.set(doubt, super.mxcsrDoubt());
    this.set(top, this.select(doubt, this.i64(0), this.i64(1n << 62n)));
  }

  override mxcsrDoubt(): Val<'i32'> {
    return this.#mxcsrLocals.doubt;
  }

  override doubtUnlessTop(value: Int): Val<'i32'> {
    const { top } = this.#mxcsrLocals;
    if (value.type === 'i64') return this.eqz(this.and(value as Val<'i64'>, top));
    return this.eqz(this.and(value as Val<'i32'>, this.wrap(this.shrU(top, 32))));
  }

  override mxcsrChanged(): void {
    this.reloadCells(true);
  }

  /** Statement: reads cells that are kept in locals, registers apart; `always` even if nothing has asked for them yet. */
  protected reloadCells(always: boolean): void {
    if (!always && this.#mxcsr === undefined) return;
    this.set(this.#mxcsrLocals.value, this.cell('mxcsr'));
    this.#derive();
  }

  /** Reads a cell in memory whatever it is. */
  cell<N extends CellName>(name: N, index = 0): Val<ValOfCell<N>> {
    return this.#cells.get(name, index) as Val<ValOfCell<N>>;
  }

  /** Writes a cell in memory whatever it is. */
  putCell<N extends CellName>(name: N, value: Val<ValOfCell<N>> | number, index = 0): void {
    this.#cells.put(name, value, index);
  }

  /** Whether a segment (ES CS SS DS) has base 0 and no limit, which the region's entry checks outside 64-bit mode. */
  protected flat(seg: number): boolean {
    return seg < 4;
  }

  /** Linear address of the page of the instruction being written. */
  protected pageHere(): Val<'i64'> {
    return this.linearOf(0, this.page);
  }

  /** Linear address at an offset from the start of a page, counted from the entry's. */
  linearOf(offset: number, page: number): Val<'i64'> {
    const delta = page * 4096 + offset;
    if (delta === 0) return this.pcPage;
    const sum = this.add(this.pcPage, this.i64(delta));
    return this.mode.code64 ? sum : this.and(sum, this.i64(0xffff_ffff));
  }

  /** Offset of the instruction in its page and its length. */
  protected position(): [number, number] {
    const pos = this.view.getUint16(this.rec + REC.pos, true);
    return [pos & 0xfff, pos >>> 12];
  }

  nextRip(): Val<'i64'> {
    const [offset, length] = this.position();
    return this.let(this.linearOf(offset + length, this.page));
  }

  thisRip(): Val<'i64'> {
    return this.let(this.linearOf(this.position()[0], this.page));
  }

  // Ways out: nothing raises inside a region

  raise(): void {
    this.leave();
  }

  raiseIf(cond: Val<'i32'>): void {
    this.if(cond, () => this.leave(), undefined, false);
  }

  refetch(): void {
    throw new NotInlinable('transfers');
  }
  serialize(): void {
    throw new NotInlinable('serializes');
  }
  exit(): void {
    throw new NotInlinable('exits');
  }
  repeat(): void {
    throw new NotInlinable('repeats');
  }
  done(): void {
    throw new NotInlinable('ends early');
  }
  hostCall(_fn: HostFunction): Val<'i32'> {
    throw new NotInlinable('calls the host');
  }

  checkTarget(target: Val<'i64'>): void {
    if (this.mode.code64) this.raiseIf(this.ne(this.shrS(this.shl(target, 16), 16), target));
  }

  inLongMode(): Val<'i32'> {
    return this.i32(this.mode.code64 ? 1 : 0);
  }

  cpl(): Val<'i32'> {
    return this.cell('cpl');
  }

  // Calls

  functionOf(fn: Micro): FuncRef {
    return this.linker.micro(fn);
  }

  invoke<T extends ValType = 'i32'>(fn: Micro, ...args: Val[]): Val<T> {
    if (fn.inline === true) {
      const result = this.#frames.expand(this, fn, args);
      if (fn.faults) this.raiseIf(result as Val<'i32'>);
      return result as Val<T>;
    }
    const f = this.linker.micro(fn);
    if (fn.faults) {
      const status = this.let(this.call(f, ...args));
      this.raiseIf(status);
      return status as unknown as Val<T>;
    }
    if (fn.results.length !== 1) {
      this.do(f, ...args);
      return this.i32(0) as unknown as Val<T>;
    }
    return this.call<T>(f, ...args);
  }

  override param<T extends ValType>(type: T, index: number): Local<T> {
    const frame = this.#frames.top;
    return frame === undefined ? super.param(type, index) : (frame.params[index] as Local<T>);
  }

  override return(...values: Val[]): void {
    const frame: Frame | undefined = this.#frames.top;
    if (frame === undefined) {
      super.return(...values);
      return;
    }
    if (frame.result !== undefined && values[0] !== undefined) this.set(frame.result, values[0] as never);
    this.br(frame.end);
  }
}

/** Cells that regions keep elsewhere, or that describe the instruction being executed. */
const FORBIDDEN: ReadonlySet<CellName> = new Set<CellName>([
  'ccA',
  'ccB',
  'ccRes',
  'ccKind',
  'icLeft',
  'icRest',
  'rip',
  'excVector',
  'excError',
  'excAddr',
  'exitReason',
  'halted',
  'shadow',
  'modeKey',
  'flatSegments',
  'tlbBase',
  'tlbData',
  'tlbArea',
  'jcKey',
]);

/** Whether a wasm address belongs to a cell of general or vector registers or of the lazy flags. */
export function isCachedAddress(address: number): boolean {
  return CACHED.some(([from, to]) => address >= from && address < to);
}
const CACHED = (['regs', 'xmm', 'ccA', 'ccB', 'ccRes', 'ccKind'] as const).map((name) => {
  const { stride, count } = STATE[name];
  return [cellAddress(name), cellAddress(name) + stride * count] as const;
});

/** Segment registers whose bases are never assumed to be 0. */
export const BASED: ReadonlySet<number> = new Set([Seg.FS, Seg.GS]);
