import type { Val } from '@sterna/wasm';
import type { Int, ReadModifyWrite } from '../semantics/machine.ts';
import type { Operand } from '../semantics/operand.ts';
import { Seg } from '../semantics/vectors.ts';
import { cellAddress } from '../state/layout.ts';
import { STATE_BASE, TLB } from '../state/memory-map.ts';
import { commitRmw, PROBE, probeRmw } from './access.ts';
import { cutOffset, eaAny, linearAny } from './address.ts';
import { InterpMemory } from './interp-memory.ts';
import { ADDR, REC } from './records.ts';
import { LOADS, STORES, width } from './widths.ts';

/** Operands by the fields of the record at `pc`. */
export abstract class InterpOperands extends InterpMemory {
  /** Address expression and static offset of a register operand. */
  protected register(op: Operand): [Val<'i32'>, number] {
    if (op.kind === 'reg') return [this.fieldOf(op.field), fileBase(op.file)];
    if (op.kind === 'fixed') return [this.i32(0), fileBase(op.file) + op.reg * (op.file === 'xmm' ? 16 : 8)];
    throw new Error(`${this.name}: not a register`);
  }

  read(op: Operand): Int {
    switch (op.kind) {
      case 'reg':
      case 'fixed': {
        const [addr, offset] = this.register(op);
        return this.let(this.load(LOADS[width(op.bits)], addr, offset) as unknown as Int);
      }
      case 'mem':
        return this.loadLinear(this.linear(op), width(op.bits)) as unknown as Int;
      case 'imm':
        if (op.bits !== 64) return this.let(this.load('i32', this.pc, op.at));
        return this.let(op.wide ? this.load('i64', this.pc, op.at) : this.load('i64.32s', this.pc, op.at));
      case 'const':
        return op.bits === 64 ? this.i64(op.value) : this.i32(op.value);
      default:
        throw new Error(`${this.name}: operand ${op.kind} has no value`);
    }
  }

  readVector(op: Operand): Val<'v128'> {
    if (op.kind === 'mem') return this.loadLinear(this.linear(op, 16), 128);
    const [addr, offset] = this.register(op);
    return this.let(this.load('v128', addr, offset));
  }

  write(op: Operand, value: Int): void {
    if (op.kind === 'mem') {
      const v = this.let(value);
      this.storeLinear(this.linear(op, op.bits / 8, true), op.bits, v);
      return;
    }
    this.writeRegister(op, value);
  }

  override readFloat(op: Operand): Val<'f32' | 'f64'> {
    if (op.kind === 'mem') return super.readFloat(op);
    const [addr, offset] = this.register(op);
    return this.let(this.load(op.bits === 32 ? 'f32' : 'f64', addr, offset));
  }

  override writeFloat(op: Operand, value: Val<'f32' | 'f64'>): void {
    if (op.kind === 'mem') super.writeFloat(op, value);
    else {
      const [addr, offset] = this.register(op);
      this.store(op.bits === 32 ? 'f32' : 'f64', addr, value as never, offset);
    }
  }

  protected writeRegister(op: Operand, value: Int): void {
    const [addr, offset] = this.register(op);
    if (op.bits === 32 && (op.kind === 'reg' || op.kind === 'fixed') && op.file === 'gpr') {
      this.store('i64', addr, this.extU(value as Val<'i32'>), offset);
    } else this.store(STORES[width(op.bits)], addr, value as never, offset);
  }

  writeVector(op: Operand, value: Val<'v128'>): void {
    if (op.kind === 'mem') {
      const v = this.let(value);
      this.storeLinear(this.linear(op, 16, true), 128, v);
      return;
    }
    const [addr, offset] = this.register(op);
    this.store('v128', addr, value, offset);
  }

  rmw(op: Operand): ReadModifyWrite {
    if (op.kind !== 'mem') return { value: this.read(op), store: (v) => this.writeRegister(op, v) };
    const bits = width(op.bits);
    const linear = this.linear(op, bits / 8, true);
    const host = this.local('i32');
    this.hostOf(host, linear, bits / 8, TLB.write, probeRmw, 0);
    const value = this.let(this.load(LOADS[bits], host) as unknown as Int);
    return {
      value,
      store: (v) => {
        this.store(STORES[bits], host, v as never);
        this.if(
          this.eq(host, cellAddress('rmwScratch')),
          () => {
            this.saveCount();
            this.do(this.linker.micro(commitRmw));
            this.reloadCount();
          },
          undefined,
          false,
        );
      },
    };
  }

  regNumber(op: Operand): Val<'i32'> {
    if (op.kind === 'fixed') return this.i32(op.reg);
    if (op.kind !== 'reg') throw new Error(`${this.name}: operand has no number`);
    return this.let(this.fieldOf(op.field));
  }

  ea(op: Operand): Val<'i64'> {
    if (op.kind !== 'mem') throw new Error(`${this.name}: not a memory operand`);
    if (op.form === 'moffs') return this.let(this.load('i64', this.pc, REC.imm));
    if (op.form === 'any') return this.let(this.invoke<'i64'>(eaAny, this.pc));
    return this.let(this.#flat(op.form));
  }

  #flat(form: 'base' | 'index' | 'segment'): Val<'i64'> {
    const reg = (at: number): Val<'i64'> => this.load('i64', this.fieldOf(at), STATE_BASE);
    const base = this.add(reg(REC.reg2), this.load('i64.32s', this.pc, REC.disp));
    if (form === 'base') return base;
    if (form === 'segment') return this.add(base, this.load('i64', this.fieldOf(REC.scale), cellAddress('segEff')));
    return this.add(base, this.shl(reg(REC.index), this.load('i64.8u', this.pc, REC.scale)));
  }

  linear(op: Operand, bytes = op.bits / 8, write = false, delta?: Val<'i64'>): Val<'i64'> {
    if (op.kind !== 'mem') throw new Error(`${this.name}: not a memory operand`);
    if (op.form !== 'any' && op.form !== 'moffs') {
      const flat = this.#flat(op.form);
      return this.let(delta === undefined ? flat : this.add(flat, delta));
    }
    const desc = (): Val<'i32'> => this.load('i32.8u', this.pc, REC.scale);
    let offset = op.form === 'moffs' ? this.load('i64', this.pc, REC.imm) : this.invoke<'i64'>(eaAny, this.pc);
    if (delta !== undefined) offset = this.invoke<'i64'>(cutOffset, desc(), this.add(offset, delta));
    return this.#checked(desc(), offset, bytes, write);
  }

  override linearAligned(op: Operand, bytes: number, write = false): Val<'i64'> {
    if (op.kind !== 'mem' || op.form !== 'any') return super.linearAligned(op, bytes, write);
    const offset = this.invoke<'i64'>(eaAny, this.pc);
    const at = this.#checked(this.load('i32.8u', this.pc, REC.scale), offset, bytes | PROBE.ALIGNED, write);
    this.checkAligned(at);
    return at;
  }

  #checked(desc: Val<'i32'>, offset: Val<'i64'>, bytes: number, write: boolean): Val<'i64'> {
    // 64-bit addresses are of 64-bit mode, where segments have bases only
    if (this.variant.addressSize === 64) {
      const seg = this.and(this.shrU(desc, ADDR.segShift), 7);
      return this.let(this.add(offset, this.get('segEff', seg.isConst ? seg.lo : seg)));
    }
    const check = (): void => this.#checkSegment(desc, offset, bytes, write);
    if (this.variant.addressSize !== 32 || (write && !desc.isConst)) {
      check();
      return this.let(this.get('temp', 7));
    }
    // flat data segments: FS and GS never are, as in 64-bit mode they have bases
    const linear = this.let(offset);
    const flat = this.and(
      this.and(this.get('flatSegments'), 0xf & ~(write ? 1 << Seg.CS : 0)),
      this.shl(this.i32(1), this.and(this.shrU(desc, ADDR.segShift), 7)),
    );
    this.if(
      this.eqz(flat),
      () => {
        check();
        this.set(linear, this.get('temp', 7));
      },
      undefined,
      false,
    );
    return linear;
  }

  #checkSegment(desc: Val<'i32'>, offset: Val<'i64'>, bytes: number, write: boolean): void {
    this.invoke(linearAny, desc, offset, this.i32(bytes | (write ? PROBE.WRITE : 0)));
  }

  baseIsSp(op: Operand): Val<'i32'> {
    if (op.kind !== 'mem' || op.form === 'moffs') return this.i32(0);
    return this.eq(this.fieldOf(REC.reg2), 32);
  }

  sourceLinear(offset: Val<'i64'>, bytes: number, write = false): Val<'i64'> {
    return this.#checked(this.load('i32.8u', this.pc, REC.scale), offset, bytes, write);
  }

  segmentLinear(seg: number, offset: Val<'i64'>, bytes: number, write = false): Val<'i64'> {
    return this.#checked(this.i32(seg << 2), offset, bytes, write);
  }

  farSelector(op: Operand): Val<'i32'> {
    if (op.kind !== 'far') throw new Error(`${this.name}: not a far pointer`);
    return this.let(this.load('i32', this.pc, REC.disp));
  }

  farOffset(op: Operand): Val<'i64'> {
    if (op.kind !== 'far') throw new Error(`${this.name}: not a far pointer`);
    return this.let(this.load('i64.32u', this.pc, REC.imm));
  }

  gpr(reg: number, bits: 8 | 16 | 32 | 64): Int {
    return this.let(this.load(LOADS[bits], 0, cellAddress('regs', reg)) as unknown as Int);
  }

  setGpr(reg: number, bits: 8 | 16 | 32 | 64, value: Int): void {
    this.writeRegister({ kind: 'fixed', file: 'gpr', bits, reg }, value);
  }
}

function fileBase(file: string): number {
  if (file === 'gpr') return cellAddress('regs');
  if (file === 'xmm') return cellAddress('xmm');
  if (file === 'mmx') return cellAddress('fpMant');
  throw new Error(`registers of ${file} are read by number`);
}
