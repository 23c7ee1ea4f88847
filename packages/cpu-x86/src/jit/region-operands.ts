import { type IntType, type Val, v128pair } from '@sterna/wasm';
import { LOADS, STORES, width } from '../interp/widths.ts';
import type { Int, ReadModifyWrite } from '../semantics/machine.ts';
import type { Operand } from '../semantics/operand.ts';
import { Reg } from '../semantics/vectors.ts';
import { cellAddress } from '../state/layout.ts';
import { NotInlinable } from './region-base.ts';
import { RegionMemory } from './region-memory.ts';
import { File } from './region-registers.ts';

/** Operands with everything of the record known. */
export abstract class RegionOperands extends RegionMemory {
  // Operands

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
        return this.loadOperand(op, width(op.bits)) as unknown as Int;
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
    const type = op.bits === 64 ? 'f64' : 'f32';
    if (op.kind === 'mem') return this.loadOperand(op, type) as Val<'f32' | 'f64'>;
    const [file, reg] = this.#register(op);
    return file === File.xmm ? this.readLane(reg, type) : super.readFloat(op);
  }

  override writeFloat(op: Operand, value: Val<'f32' | 'f64'>): void {
    if (op.kind === 'mem') {
      this.storeOperand(op, value.type, value);
      return;
    }
    const [file, reg] = this.#register(op);
    if (file === File.xmm) this.writeLane(reg, value.type, value);
    else super.writeFloat(op, value);
  }

  override writeFloatAlone(op: Operand, value: Val<'f32' | 'f64'>): void {
    const [, reg] = this.#register(op);
    this.writeSlot(File.xmm, reg, v128pair(0n, 0n));
    this.writeLane(reg, value.type, value);
  }

  readVector(op: Operand): Val<'v128'> {
    if (op.kind === 'mem') return this.loadOperand(op, 128) as Val<'v128'>;
    const [file, reg] = this.#register(op);
    if (file !== File.xmm) throw new NotInlinable('not a vector');
    return this.readSlot(File.xmm, reg) as Val<'v128'>;
  }

  writeVector(op: Operand, value: Val<'v128'>): void {
    if (op.kind === 'mem') {
      this.storeOperand(op, 128, this.let(value));
      return;
    }
    const [file, reg] = this.#register(op);
    if (file !== File.xmm) throw new NotInlinable('not a vector');
    this.writeSlot(File.xmm, reg, value);
  }

  override readAligned(op: Operand): Val<'v128'> {
    return op.kind === 'mem' ? (this.loadOperand(op, 128, true) as Val<'v128'>) : this.readVector(op);
  }

  override writeAligned(op: Operand, value: Val<'v128'>): void {
    if (op.kind === 'mem') this.storeOperand(op, 128, value, true);
    else this.writeVector(op, value);
  }

  write(op: Operand, value: Int): void {
    if (op.kind === 'mem') {
      this.storeOperand(op, width(op.bits), this.let(value));
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
    return this.modifyOperand(op, width(op.bits)) as ReadModifyWrite;
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
    this.storeLinear(this.stackLinear(top, bits / 8, true), bits, v, { stack: true });
    this.setSp(top);
  }

  peek(bits: 16 | 32 | 64, offset = 0): Int {
    const at = this.#narrow(offset === 0 ? this.gprValue(Reg.SP) : this.let(this.add(this.gprValue(Reg.SP), offset)));
    return this.loadLinear(this.stackLinear(at, bits / 8, false), bits, { stack: true }) as Val<IntType>;
  }
}
