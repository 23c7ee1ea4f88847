import { ADDR, Handler, REC } from '../interp/records.ts';
import { Seg } from '../semantics/vectors.ts';
import { cellAddress } from '../state/layout.ts';
import { STATE_BASE } from '../state/memory-map.ts';
import { FieldFile, FieldSource, FORMS, type HandlerTables, Imm, type RowPlan } from './handlers.ts';
import type { OpcodeMap } from './opcode-map.ts';

const ZERO_SLOT = cellAddress('zero') - STATE_BASE;
const PAGE_SLOT = cellAddress('pcPage') - STATE_BASE;

/** What {@link Decoder.decode} found. */
export const Decoded = {
  /** A record was written; `length` bytes consumed. */
  OK: 0,
  /** As OK, and nothing follows in this run. */
  END: 1,
  /** The bytes end before the instruction does. */
  SHORT: 2,
} as const;

/** Result of an instruction that is not valid. */
const INVALID = -1;

/**
 * Decodes one instruction at a time into records. It reads plain bytes, knows nothing of pages beyond their end, and neither
 * allocates nor has side effects on the guest.
 */
export class Decoder {
  /** Length of the last decoded instruction. */
  length = 0;
  /** Condition code of the last instruction when it is a Jcc, else -1. */
  condition = -1;
  /** What bytes mean; after a change, whatever was decoded before is void. */
  map: OpcodeMap | undefined;
  readonly #defaultMap: () => OpcodeMap;
  readonly #rows: readonly RowPlan[];
  readonly #forms: Uint16Array;
  readonly #out: Uint8Array;
  readonly #view: DataView;
  // decoding state
  #bytes: Uint8Array;
  #at = 0;
  #end = 0;
  #short = false;
  #base = 0;
  #index = 0;
  #scale = 0;
  #disp = 0;
  #ripRelative = false;
  #stackBase = false;

  /** @param defaultMap gives the map to be used unless there is another one when it is first needed */
  constructor(tables: HandlerTables, defaultMap: () => OpcodeMap, memory: ArrayBufferLike) {
    this.#rows = tables.rows;
    this.#forms = tables.forms;
    this.#defaultMap = defaultMap;
    this.#out = new Uint8Array(memory);
    this.#view = new DataView(memory);
    this.#bytes = this.#out;
  }

  #u8(): number {
    if (this.#at >= this.#end) {
      this.#short = true;
      return 0;
    }
    return this.#bytes[this.#at++]!;
  }

  #s8(): number {
    return (this.#u8() << 24) >> 24;
  }

  #u16(): number {
    const lo = this.#u8();
    return lo | (this.#u8() << 8);
  }

  #i32(): number {
    const lo = this.#u16();
    return lo | (this.#u16() << 16);
  }

  /**
   * Decodes the instruction at `bytes[at]` (at most `limit` bytes are there) into the record at `rec`. `pageOffset` is its
   * place in the page; `key` the mode key.
   */
  decode(bytes: Uint8Array, at: number, limit: number, rec: number, pageOffset: number, key: number): number {
    this.#bytes = bytes;
    this.#at = at;
    this.#end = at + Math.min(limit, 15);
    this.#short = false;
    this.condition = -1;
    const handler = this.#instruction(rec, pageOffset, key);
    if (this.#short) {
      if (limit < 15) return Decoded.SHORT;
      this.length = 15;
      return this.#special(rec, pageOffset, Handler.TOO_LONG);
    }
    this.length = this.#at - at;
    if (handler === INVALID) return this.#special(rec, pageOffset, Handler.UNDEFINED);
    this.#view.setUint16(rec, handler & 0xffff, true);
    this.#view.setUint16(rec + REC.pos, pageOffset | (this.length << 12), true);
    return handler & 0x1_0000 ? Decoded.END : Decoded.OK;
  }

  #special(rec: number, pageOffset: number, handler: number): number {
    this.#view.setUint32(rec, handler, true);
    this.#view.setUint32(rec + 4, (pageOffset << 16) | (1 << 28), true);
    this.length = Math.max(this.length, 1);
    return Decoded.END;
  }

  /** Returns the handler, plus 0x10000 when the run ends, or INVALID. */
  #instruction(rec: number, pageOffset: number, key: number): number {
    const code = key & 3;
    const is64 = code === 2;
    const start = this.#at;
    let osz = false;
    let asz = false;
    let lock = false;
    let rep = 0;
    let segment = -1;
    let rex = 0;
    let op: number;
    for (;;) {
      op = this.#u8();
      if (this.#short) return INVALID;
      if (is64 && (op & 0xf0) === 0x40) {
        rex = op;
        continue;
      }
      switch (op) {
        case 0x66:
          osz = true;
          break;
        case 0x67:
          asz = true;
          break;
        case 0xf0:
          lock = true;
          break;
        case 0xf2:
          rep = 2;
          break;
        case 0xf3:
          rep = 1;
          break;
        case 0x26:
        case 0x2e:
        case 0x36:
        case 0x3e:
          if (!is64) segment = (op >> 3) & 3;
          break;
        case 0x64:
        case 0x65:
          segment = op & 7;
          break;
        default:
          op |= 0x1000;
      }
      if (op >= 0x1000) break;
      rex = 0;
    }
    op &= 0xff;
    let map = 0;
    if (op === 0x0f) {
      op = this.#u8();
      map = 1;
      if (op === 0x38 || op === 0x3a) {
        map = op === 0x38 ? 2 : 3;
        op = this.#u8();
      }
    }
    if (this.#short) return INVALID;
    // 90 is NOP; with REX.B it is the exchange that its neighbours are
    const row90 = op === 0x90 && map === 0 && (rex & 1) !== 0;
    const slot = ((is64 ? 4 : 0) + map) * 256 + (row90 ? 0x91 : op);
    this.map ??= this.#defaultMap();
    const opcodes = this.map;
    const first = opcodes.base[slot]!;
    if (first < 0) return INVALID;
    let prefix = rep === 1 ? 2 : rep === 2 ? 3 : osz ? 1 : 0;
    let entry: number;
    let modrm = 0;
    if (opcodes.modrm[slot]) {
      modrm = this.#u8();
      if (this.#short) return INVALID;
      // MOV to and from control and debug registers takes any mod for 11b (SDM volume 2, MOV)
      if (map === 1 && (op & 0xfc) === 0x20) modrm |= 0xc0;
      const sub = modrm >= 0xc0 ? 8 + (modrm & 63) : (modrm >> 3) & 7;
      entry = opcodes.entries[first + prefix * 72 + sub]!;
    } else entry = opcodes.entries[first + prefix]!;
    if (entry === 0) return INVALID;
    const plan = this.#rows[entry - 1]!;
    const { row } = plan;
    const { options } = row;
    if (options.protectedOnly && !(key & 8)) return INVALID;
    // sizes
    if (row.prefix === '66') osz = false;
    let size = 1;
    if (is64) {
      if (options.f64) size = 2;
      else if (rex & 8) size = 2;
      else if (osz) size = 0;
      else if (options.d64) size = 2;
    } else size = (code === 1) !== osz ? 1 : 0;
    const addr = is64 ? (asz ? 1 : 2) : (code === 1) !== asz ? 1 : 0;
    prefix = rep;
    const variant =
      plan.variants +
      size * plan.sizeStride +
      prefix * plan.repStride +
      addr * plan.aszStride +
      (is64 ? plan.longStride : 0);
    const isMem = row.modrm && modrm < 0xc0;
    if (lock && !(options.lock && isMem)) return INVALID;
    let form = 0;
    let desc = 0;
    const memOperand = isMem || plan.imm[0] === Imm.moffs;
    this.#base = 0;
    this.#index = 0;
    this.#disp = 0;
    this.#ripRelative = false;
    if (isMem) {
      this.#address(modrm, rex, addr, is64);
      if (this.#short) return INVALID;
      const any = FORMS - 1;
      if (!is64 || addr !== 2) form = any;
      else if (segment < 0) form = this.#index === ZERO_SLOT ? 1 : 2;
      else form = this.#index === ZERO_SLOT ? 3 : any;
      if (this.#forms[variant * FORMS + form]! === this.#forms[variant * FORMS + any]) form = any;
      const stack = this.#stackBase && segment < 0;
      const seg = segment >= 0 ? segment : is64 ? 6 : this.#stackBase ? Seg.SS : Seg.DS;
      if (form === 1) desc = 0;
      else if (form === 2) desc = this.#scale;
      else if (form === 3) desc = seg * 8;
      else desc = this.#scale | (seg << ADDR.segShift) | ((2 - addr) << ADDR.sizeShift);
      if (stack) desc |= ADDR.stack;
    } else if (memOperand || options.asz) {
      const seg = segment >= 0 ? segment : is64 ? 6 : Seg.DS;
      desc = (seg << ADDR.segShift) | ((2 - addr) << ADDR.sizeShift);
      if (options.asz && is64 && segment < 0) desc = (6 << ADDR.segShift) | ((2 - addr) << ADDR.sizeShift);
    }
    const handler = this.#forms[variant * FORMS + form]!;
    if (handler === Handler.UNDEFINED) return INVALID;
    const fields = isMem ? plan.memFields : plan.regFields;
    const out = this.#out;
    out[rec + REC.reg1] = this.#field(fields[0], modrm, op, rex);
    out[rec + REC.reg2] = isMem ? this.#base : this.#field(fields[1], modrm, op, rex);
    out[rec + REC.index] = this.#index;
    out[rec + REC.scale] = desc;
    if (
      (fields[0] >> 2 === FieldFile.sreg && out[rec + REC.reg1]! > 5) ||
      (!isMem && fields[1] >> 2 === FieldFile.sreg && out[rec + REC.reg2]! > 5)
    )
      return INVALID;
    this.#view.setInt32(rec + REC.imm, 0, true);
    this.#view.setInt32(rec + REC.disp, this.#disp, true);
    for (let n = 0; n < 2; n++) {
      const kind = plan.imm[n as 0 | 1];
      if (kind === Imm.none) break;
      this.#immediate(kind, rec, n === 0 ? 8 : 12, size, addr, start, pageOffset);
    }
    if (this.#ripRelative) this.#view.setInt32(rec + REC.disp, this.#disp + pageOffset + (this.#at - start), true);
    if (row.name === 'jcc') this.condition = op & 15;
    return handler | (options.end ? 0x1_0000 : 0);
  }

  #field(plan: number, modrm: number, op: number, rex: number): number {
    let n: number;
    switch (plan & 3) {
      case FieldSource.none:
        return 0;
      case FieldSource.reg:
        n = ((modrm >> 3) & 7) | ((rex & 4) << 1);
        break;
      case FieldSource.rm:
        n = (modrm & 7) | ((rex & 1) << 3);
        break;
      default:
        n = (op & 7) | ((rex & 1) << 3);
    }
    switch (plan >> 2) {
      case FieldFile.gpr:
        return n * 8;
      case FieldFile.byte:
        return rex === 0 && n >= 4 && n < 8 ? (n - 4) * 8 + 1 : n * 8;
      case FieldFile.xmm:
        return n * 16;
      case FieldFile.mmx:
        return (n & 7) * 8;
      case FieldFile.sreg:
        return n & 7;
      default:
        return n;
    }
  }

  #address(modrm: number, rex: number, addr: number, is64: boolean): void {
    const mod = modrm >> 6;
    let rm = modrm & 7;
    this.#scale = 0;
    this.#index = ZERO_SLOT;
    this.#stackBase = false;
    if (addr === 0) {
      this.#base = ZERO_SLOT;
      if (mod === 0 && rm === 6) {
        this.#disp = this.#u16();
        return;
      }
      const bases = [24, 24, 40, 40, 48, 56, 40, 24];
      this.#base = bases[rm]!;
      if (rm < 4) this.#index = rm & 1 ? 56 : 48;
      this.#stackBase = this.#base === 40;
      this.#disp = mod === 1 ? this.#s8() : mod === 2 ? this.#u16() : 0;
      return;
    }
    let noBase = false;
    if (rm === 4) {
      const sib = this.#u8();
      const index = ((sib >> 3) & 7) | ((rex & 2) << 2);
      if (index !== 4) {
        this.#index = index * 8;
        this.#scale = sib >> 6;
      }
      rm = sib & 7;
      noBase = rm === 5 && mod === 0;
    } else if (rm === 5 && mod === 0) {
      noBase = true;
      this.#ripRelative = is64;
    }
    if (noBase) {
      this.#base = this.#ripRelative ? PAGE_SLOT : ZERO_SLOT;
      this.#disp = this.#i32();
      return;
    }
    this.#base = (rm | ((rex & 1) << 3)) * 8;
    this.#stackBase = this.#base === 32 || this.#base === 40;
    this.#disp = mod === 1 ? this.#s8() : mod === 2 ? this.#i32() : 0;
  }

  #immediate(
    kind: number,
    rec: number,
    at: number,
    size: number,
    addr: number,
    start: number,
    pageOffset: number,
  ): void {
    let value: number;
    switch (kind) {
      case Imm.byte:
        value = this.#u8();
        break;
      case Imm.signed:
        value = this.#s8();
        if (size === 0) value &= 0xffff;
        break;
      case Imm.word:
        value = this.#u16();
        break;
      case Imm.z:
        value = size === 0 ? this.#u16() : this.#i32();
        break;
      case Imm.wide:
        value = size === 0 ? this.#u16() : this.#i32();
        if (size === 2) this.#view.setInt32(rec + 12, this.#i32(), true);
        break;
      case Imm.rel8:
        value = this.#s8();
        value += pageOffset + (this.#at - start);
        break;
      case Imm.relz:
        value = size === 0 ? (this.#u16() << 16) >> 16 : this.#i32();
        value += pageOffset + (this.#at - start);
        break;
      case Imm.moffs:
        value = addr === 0 ? this.#u16() : this.#i32();
        this.#view.setInt32(rec + 12, addr === 2 ? this.#i32() : 0, true);
        break;
      default:
        value = size === 0 ? this.#u16() : this.#i32();
        this.#view.setInt32(rec + 12, this.#u16(), true);
    }
    this.#view.setInt32(rec + at, value, true);
  }
}
