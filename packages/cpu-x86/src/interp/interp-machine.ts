import {
  type FuncRef,
  type IntType,
  type Label,
  type Local,
  type Signature,
  type TypeTable,
  Val,
  type ValType,
} from '@sterna/wasm';
import {
  type AccessOptions,
  type FlagKind,
  type Int,
  Machine,
  type ReadModifyWrite,
  type ValOfCell,
  type Variant,
} from '../semantics/machine.ts';
import type { HostFunction, Micro } from '../semantics/micro.ts';
import type { Bits, Operand } from '../semantics/operand.ts';
import { Leave, Seg, Vec } from '../semantics/vectors.ts';
import { type CellName, cellAddress, STATE } from '../state/layout.ts';
import { CPU_MAP, JUMP_CACHE, STATE_BASE, TLB } from '../state/memory-map.ts';
import { commitRmw, PROBE, probeRead, probeRmw, probeWriteRange, writeMemory } from './access.ts';
import { cutOffset, eaAny, linearAny } from './address.ts';
import { CC, evalCarry, evalCond, evalFlags, type Producer, signExtend } from './flags.ts';
import { branchSlow, find } from './lookup.ts';
import { REC } from './records.ts';

/** What the printer of the module offers to the functions in it. */
export interface Linker {
  /** The function of microcode, declared on first use. */
  micro(fn: Micro): FuncRef;
  /** An imported host function. */
  host(fn: HostFunction): FuncRef;
}

/** Where a piece of code runs: inside the dispatcher, as a handler function, or as microcode. */
export type Context = 'main' | 'handler' | 'micro';

/** Names of the dispatcher that code in it uses. */
export interface Dispatcher {
  readonly again: Label;
  readonly fault: Label;
  readonly leave: Label;
  readonly branchSlow: Label;
  readonly jumpSlow: Label;
  readonly code: Local<'i32'>;
  readonly count: Local<'i32'>;
  readonly branch: Local<'i32'>;
  readonly tlb: Local<'i32'>;
}

const LOADS = { 8: 'i32.8u', 16: 'i32.16u', 32: 'i32', 64: 'i64', 128: 'v128' } as const;
const STORES = { 8: 'i32.8', 16: 'i32.16', 32: 'i32', 64: 'i64', 128: 'v128' } as const;

/** Prints semantics as interpreter code: operands come from the record at `pc`, registers and flags from memory. */
export class InterpMachine extends Machine {
  readonly context: Context;
  /** Record of the current instruction. */
  readonly pc: Local<'i32'>;
  variant: Variant;
  /** Set while handlers of the dispatcher are written. */
  dispatcher: Dispatcher | undefined;
  /** Flags recorded by the handler being written. */
  producer: Producer | undefined;
  /** Whether the path being written has already ended the instruction. */
  readonly linker: Linker;
  readonly #faults: boolean;

  constructor(
    types: TypeTable,
    index: number,
    name: string,
    type: Signature,
    context: Context,
    linker: Linker,
    variant: Variant,
    faults = false,
  ) {
    super(types, index, name, type, context === 'main' ? 1 << 19 : 256);
    this.context = context;
    this.linker = linker;
    this.variant = variant;
    this.#faults = faults;
    this.pc = context === 'handler' ? this.param('i32', 0) : context === 'main' ? this.local('i32') : this.i32(0);
  }

  // State cells

  get<N extends CellName>(name: N, index: number | Val<'i32'> = 0): Val<ValOfCell<N>> {
    const { type, stride } = STATE[name];
    const kind =
      type === 'u8'
        ? 'i32.8u'
        : type === 'u16'
          ? 'i32.16u'
          : type === 'u64'
            ? 'i64'
            : type === 'f64'
              ? 'f64'
              : type === 'v128'
                ? 'v128'
                : 'i32';
    const v =
      typeof index === 'number'
        ? this.load(kind, 0, cellAddress(name, index))
        : this.load(kind, this.#scaled(index, stride), cellAddress(name));
    return v as unknown as Val<ValOfCell<N>>;
  }

  put<N extends CellName>(name: N, value: Val<ValOfCell<N>> | number, index: number | Val<'i32'> = 0): void {
    const { type, stride } = STATE[name];
    const kind =
      type === 'u8'
        ? 'i32.8'
        : type === 'u16'
          ? 'i32.16'
          : type === 'u64'
            ? 'i64'
            : type === 'f64'
              ? 'f64'
              : type === 'v128'
                ? 'v128'
                : 'i32';
    const v: Val =
      value instanceof Val ? value : this.literal(kind === 'i64' ? 'i64' : kind === 'f64' ? 'f64' : 'i32', value);
    if (typeof index === 'number') this.store(kind, 0, v as never, cellAddress(name, index));
    else this.store(kind, this.#scaled(index, stride), v as never, cellAddress(name));
  }

  #scaled(index: Val<'i32'>, stride: number): Val<'i32'> {
    return this.mul(index, stride);
  }

  // Operands

  #field(at: number): Val<'i32'> {
    return this.load('i32.8u', this.pc, at);
  }

  /** Address expression and static offset of a register operand. */
  #register(op: Operand): [Val<'i32'>, number] {
    if (op.kind === 'reg') return [this.#field(op.field), fileBase(op.file)];
    if (op.kind === 'fixed') return [this.i32(0), fileBase(op.file) + op.reg * (op.file === 'xmm' ? 16 : 8)];
    throw new Error(`${this.name}: not a register`);
  }

  read(op: Operand): Int {
    switch (op.kind) {
      case 'reg':
      case 'fixed': {
        const [addr, offset] = this.#register(op);
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
    const [addr, offset] = this.#register(op);
    return this.let(this.load('v128', addr, offset));
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
    const [addr, offset] = this.#register(op);
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
    const [addr, offset] = this.#register(op);
    this.store('v128', addr, value, offset);
  }

  rmw(op: Operand): ReadModifyWrite {
    if (op.kind !== 'mem') return { value: this.read(op), store: (v) => this.#writeRegister(op, v) };
    const bits = width(op.bits);
    const linear = this.linear(op, bits / 8, true);
    const host = this.local('i32');
    this.#translate(host, linear, bits / 8, TLB.write, probeRmw, 0);
    const value = this.let(this.load(LOADS[bits], host) as unknown as Int);
    return {
      value,
      store: (v) => {
        this.store(STORES[bits], host, v as never);
        this.if(
          this.eq(host, cellAddress('rmwScratch')),
          () => {
            this.#saveCount();
            this.do(this.linker.micro(commitRmw));
            this.#reloadCount();
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
    return this.let(this.#field(op.field));
  }

  ea(op: Operand): Val<'i64'> {
    if (op.kind !== 'mem') throw new Error(`${this.name}: not a memory operand`);
    if (op.form === 'moffs') return this.let(this.load('i64', this.pc, REC.imm));
    if (op.form === 'any') return this.let(this.invoke<'i64'>(eaAny, this.pc));
    return this.let(this.#flat(op.form));
  }

  #flat(form: 'base' | 'index' | 'segment'): Val<'i64'> {
    const reg = (at: number): Val<'i64'> => this.load('i64', this.#field(at), STATE_BASE);
    const base = this.add(reg(REC.reg2), this.load('i64.32s', this.pc, REC.disp));
    if (form === 'base') return base;
    if (form === 'segment') return this.add(base, this.load('i64', this.#field(REC.scale), cellAddress('segEff')));
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

  #checked(desc: Val<'i32'>, offset: Val<'i64'>, bytes: number, write: boolean): Val<'i64'> {
    this.invoke(linearAny, desc, offset, this.i32(bytes | (write ? PROBE.WRITE : 0)));
    return this.let(this.get('temp', 7));
  }

  baseIsSp(op: Operand): Val<'i32'> {
    if (op.kind !== 'mem' || op.form === 'moffs') return this.i32(0);
    return this.eq(this.#field(REC.reg2), 32);
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
    this.#writeRegister({ kind: 'fixed', file: 'gpr', bits, reg }, value);
  }

  // Linear memory

  /**
   * Sets `host` to the host address of a linear range, by the TLB where the code is hot and by the given slow path, which
   * returns 0 for a fault.
   */
  #translate(host: Local<'i32'>, linear: Val<'i64'>, bytes: number, tag: number, slow: Micro, options: number): void {
    const size = this.i32(bytes | options);
    if (this.context !== 'main') {
      this.set(host, this.call(this.linker.micro(slow), linear, size));
      this.#faultIf(this.eqz(host));
      return;
    }
    const d = this.dispatcher!;
    this.set(host, this.add(this.and(this.wrap(this.shrU(linear, 7)), (TLB.entries - 1) * TLB.stride), d.tlb));
    const last = bytes === 1 ? linear : this.add(linear, bytes - 1);
    this.if(
      this.eq(this.load('i64', host, tag), this.and(last, -4096)),
      () => this.set(host, this.add(this.wrap(linear), this.load('i32', host, TLB.addend))),
      () => {
        this.#saveCount();
        this.set(host, this.call(this.linker.micro(slow), linear, size));
        this.#reloadCount();
        this.brIf(d.fault, this.eqz(host), false);
      },
      true,
    );
  }

  #saveCount(): void {
    if (this.context === 'main') this.put('icLeft', this.dispatcher!.count);
  }

  #reloadCount(): void {
    if (this.context === 'main') this.set(this.dispatcher!.count, this.get('icLeft'));
  }

  loadLinear<B extends Bits>(
    linear: Val<'i64'>,
    bits: B,
    options: AccessOptions = {},
  ): Val<B extends 64 ? 'i64' : B extends 128 ? 'v128' : 'i32'> {
    const address = this.let(linear);
    const host = this.local('i32');
    this.#translate(host, address, width(bits) / 8, TLB.read, probeRead, accessBits(options));
    return this.let(this.load(LOADS[width(bits)], host) as Val) as never;
  }

  storeLinear(linear: Val<'i64'>, bits: Bits, value: Val, options: AccessOptions = {}): void {
    const b = width(bits);
    const address = linear.isSimple ? linear : this.let(linear);
    const v = value.isSimple ? value : this.let(value);
    const slow = (): Val<'i32'> =>
      this.call(this.linker.micro(writeMemory(v.type as 'i32')), address, v, this.i32((b / 8) | accessBits(options)));
    if (this.context !== 'main') {
      this.#faultIf(slow());
      return;
    }
    const d = this.dispatcher!;
    const host = this.local('i32');
    this.set(host, this.add(this.and(this.wrap(this.shrU(address, 7)), (TLB.entries - 1) * TLB.stride), d.tlb));
    const last = b === 8 ? address : this.add(address, b / 8 - 1);
    this.if(
      this.eq(this.load('i64', host, TLB.write), this.and(last, -4096)),
      () => this.store(STORES[b], this.add(this.wrap(address), this.load('i32', host, TLB.addend)), v as never),
      () => {
        this.#saveCount();
        this.set(host, slow());
        this.#reloadCount();
        this.brIf(d.fault, host, false);
      },
      true,
    );
  }

  probeWrite(linear: Val<'i64'>, bytes: number, options: AccessOptions = {}): void {
    this.#faultIf(
      this.call(this.linker.micro(probeWriteRange), linear, this.i32(bytes), this.i32(accessBits(options))),
    );
  }

  checkAligned(linear: Val<'i64'>): void {
    this.raiseIf(this.ne(this.and(this.wrap(linear), 15), 0), Vec.GP, 0);
  }

  // Flags

  setFlags(kind: FlagKind, bits: Bits, a: Int, b: Int, result: Int, carry?: Val<'i32'>): void {
    if (kind === 'shl' || kind === 'shr' || kind === 'sar' || kind === 'mul') {
      this.put('ccKind', { shl: CC.SHL, shr: CC.SHR, sar: CC.SAR, mul: CC.MUL }[kind]);
      this.put('ccRes', signExtend(this, result, bits));
      this.put('ccA', kind === 'shl' || kind === 'shr' ? zeroExtend(this, a) : signExtend(this, a, bits));
      this.put('ccB', kind === 'mul' ? signExtend(this, b, bits) : this.add(zeroExtend(this, b), bits << 8));
      return;
    }
    const sub = kind === 'sub' || kind === 'sbb' || kind === 'dec' || kind === 'logic';
    if (kind === 'inc' || kind === 'dec')
      this.put('ccKind', this.add(this.let(this.cf()), kind === 'inc' ? CC.INC : CC.DEC));
    else if (carry !== undefined) this.put('ccKind', this.add(carry, sub ? CC.SUB : CC.ADD));
    else this.put('ccKind', sub ? CC.SUB : CC.ADD);
    const res = this.let(signExtend(this, result, bits));
    this.put('ccRes', res);
    this.put('ccA', kind === 'logic' ? res : signExtend(this, a, bits));
    this.put('ccB', kind === 'logic' ? 0 : signExtend(this, b, bits));
    this.producer = { kind, bits, a, b, result };
  }

  setFlagsResult(size: Bits, result: Int, cfOfAf: Val<'i32'>): void {
    this.put('ccRes', signExtend(this, result, size));
    this.put('ccA', this.extU(cfOfAf));
    this.put('ccKind', CC.GIVEN);
  }

  setArithFlags(value: Val<'i32'>): void {
    this.put('ccA', this.extU(value));
    this.put('ccKind', CC.ALL);
  }

  setCarry(value: Val<'i32'>): void {
    const c = value.isSimple ? value : this.let(value);
    this.if(
      this.ltU(this.get('ccKind'), CC.ALL),
      () => {
        const keep = this.let(this.and(this.call(this.linker.micro(evalFlags)), 0x810));
        this.put('ccA', this.extU(this.or(keep, c)));
        this.put('ccKind', CC.GIVEN);
      },
      () => this.put('ccA', this.or(this.and(this.get('ccA'), -2), this.extU(c))),
    );
  }

  cf(): Val<'i32'> {
    const r = this.local('i32');
    this.if(
      this.get('ccKind'),
      () => this.set(r, this.call(this.linker.micro(evalCarry))),
      () => this.set(r, this.ltU(this.get('ccA'), this.get('ccB'))),
    );
    return r;
  }

  arithFlags(): Val<'i32'> {
    return this.let(this.call(this.linker.micro(evalFlags)));
  }

  cond(cc: number): Val<'i32'> {
    const slow = (n: number): Val<'i32'> => this.call(this.linker.micro(evalCond), this.i32(n));
    const which = cc >> 1;
    if (this.context !== 'main' || which === 0 || which === 5) return this.let(slow(cc));
    const r = this.local('i32');
    const a = (): Val<'i64'> => this.get('ccA');
    const b = (): Val<'i64'> => this.get('ccB');
    const res = (): Val<'i64'> => this.get('ccRes');
    const fast: Record<number, () => Val<'i32'>> = {
      2: () => this.ltU(a(), b()),
      3: () => this.geU(a(), b()),
      4: () => this.eqz(res()),
      5: () => this.ne(res(), 0),
      6: () => this.leU(a(), b()),
      7: () => this.gtU(a(), b()),
      8: () => this.ltS(res(), 0),
      9: () => this.geS(res(), 0),
      12: () => this.ltS(a(), b()),
      13: () => this.geS(a(), b()),
      14: () => this.leS(a(), b()),
      15: () => this.gtS(a(), b()),
    };
    const known = which === 2 || which === 4 ? this.ltU(this.get('ccKind'), CC.ALL) : this.eqz(this.get('ccKind'));
    this.if(
      known,
      () => this.set(r, fast[cc]!()),
      () => this.set(r, slow(cc)),
      true,
    );
    return r;
  }

  // Exceptions and transfers

  raise(vector: number, error: Val<'i32'> | number = 0): void {
    this.put('excVector', vector);
    this.put('excError', error);
    this.#leave(Leave.FAULT);
  }

  raiseIf(cond: Val<'i32'>, vector: number, error: Val<'i32'> | number = 0): void {
    this.if(cond, () => this.raise(vector, error), undefined, false);
  }

  #faultIf(cond: Val<'i32'>): void {
    if (this.context === 'main') this.brIf(this.dispatcher!.fault, cond, false);
    else this.if(cond, () => this.#leave(Leave.FAULT), undefined, false);
  }

  #leave(code: number): void {
    if (this.context === 'main') {
      if (code === Leave.FAULT) {
        this.br(this.dispatcher!.fault);
        return;
      }
      this.set(this.dispatcher!.code, code);
      this.br(this.dispatcher!.leave);
    } else if (this.context === 'handler') this.return(this.i32(code));
    else {
      if (!this.#faults || code !== Leave.FAULT) throw new Error(`microcode ${this.name} must not leave this way`);
      this.return(this.i32(1));
    }
  }

  #needRecord(): void {
    if (this.context === 'micro') throw new Error(`microcode ${this.name} has no instruction`);
  }

  /** Linear address of this instruction plus its length, when `next`. */
  #linearRip(next: boolean): Val<'i64'> {
    this.#needRecord();
    const pos = this.load('i64.16u', this.pc, REC.pos);
    const offset = next
      ? this.add(this.and(pos, 0xfff), this.shrU(this.load('i64.16u', this.pc, REC.pos), 12))
      : this.and(pos, 0xfff);
    return this.add(this.get('pcPage'), offset);
  }

  #ripOf(linear: Val<'i64'>): Val<'i64'> {
    if (this.variant.code64 === true) return linear;
    return this.and(this.sub(linear, this.get('segEff', Seg.CS)), this.get('ipMask'));
  }

  nextRip(): Val<'i64'> {
    return this.let(this.#ripOf(this.#linearRip(true)));
  }

  thisRip(): Val<'i64'> {
    return this.let(this.#ripOf(this.#linearRip(false)));
  }

  relativeTarget(op: Operand): Val<'i64'> {
    const target = this.#ripOf(this.add(this.get('pcPage'), this.load('i64.32s', this.pc, REC.imm)));
    return this.let(op.bits === 16 ? this.and(target, 0xffff) : target);
  }

  jumpRelative(op: Operand): void {
    this.jumpRelativeIf(op, this.i32(1));
  }

  jumpRelativeIf(op: Operand, cond: Val<'i32'>): void {
    if (this.context === 'main') {
      this.takeBranch(0, cond);
      return;
    }
    this.if(cond, () => {
      this.return(this.call(this.linker.micro(branchSlow), this.pc, this.i32(op.bits === 16 ? 1 : 0)));
    });
  }

  /**
   * In the dispatcher: goes on at the branch's target or after it. `skip` is the distance from `pc` to the branch's record
   * (16 for a fused pair).
   */
  takeBranch(skip: number, cond: Val<'i32'>): void {
    const d = this.dispatcher!;
    const c = cond.isConst ? cond : this.let(cond);
    this.set(d.branch, skip === 0 ? this.pc : this.add(this.pc, skip));
    this.set(this.pc, this.select(c, this.load('i32', this.pc, skip + REC.link), this.add(this.pc, skip + REC.size)));
    this.brIf(d.again, this.pc, true);
    this.br(d.branchSlow);
  }

  checkTarget(target: Val<'i64'>): void {
    const canonical = (): void => this.raiseIf(this.ne(this.shrS(this.shl(target, 16), 16), target), Vec.GP, 0);
    const limit = (): void => this.raiseIf(this.gtU(target, this.extU(this.get('segLimit', Seg.CS))), Vec.GP, 0);
    if (this.variant.code64 === true) canonical();
    else if (this.variant.code64 === false) limit();
    else this.if(this.inLongMode(), canonical, limit);
  }

  jump(target: Val<'i64'>): void {
    if (this.context === 'main') {
      const d = this.dispatcher!;
      const t = this.let(target);
      const slot = this.local('i32');
      this.set(slot, this.wrap(t));
      this.set(slot, this.shl(this.and(this.xor(slot, this.shrU(slot, 12)), JUMP_CACHE.entries - 1), 4));
      const hit = this.and(
        this.eq(this.load('i64', slot, CPU_MAP.jumpCache), t),
        this.eq(this.load('i32', slot, CPU_MAP.jumpCache + 8), this.get('jcKey')),
      );
      this.if(
        hit,
        () => {
          const linear =
            this.variant.code64 === true ? t : this.and(this.add(t, this.get('segEff', Seg.CS)), 0xffff_ffffn);
          this.put('pcPage', this.and(linear, -4096));
          this.set(this.pc, this.load('i32', slot, CPU_MAP.jumpCache + 12));
          this.br(d.again);
        },
        undefined,
        true,
      );
      this.put('rip', t);
      this.br(d.jumpSlow);
      return;
    }
    this.put('rip', target);
    this.return(this.call(this.linker.micro(find)));
  }

  serialize(): void {
    this.put('rip', this.nextRip());
    this.refetch();
  }

  refetch(): void {
    this.#needRecord();
    this.#leave(Leave.REFETCH);
  }

  exit(reason: number): void {
    this.put('rip', this.nextRip());
    this.put('exitReason', reason);
    this.#leave(Leave.EXIT);
  }

  done(): void {
    this.#needRecord();
    if (this.context === 'handler') {
      this.return(this.add(this.pc, REC.size));
      return;
    }
    this.set(this.pc, this.add(this.pc, REC.size));
    this.br(this.dispatcher!.again);
  }

  repeat(): void {
    this.put('rip', this.thisRip());
    this.refetch();
  }

  // Calls

  functionOf(fn: Micro): FuncRef {
    return this.linker.micro(fn);
  }

  invoke<T extends ValType = 'i32'>(fn: Micro, ...args: Val[]): Val<T> {
    const f = this.linker.micro(fn);
    if (fn.faults) {
      this.#saveCount();
      const status = this.let(this.call(f, ...args));
      this.#reloadCount();
      this.#faultIf(status);
      return status as unknown as Val<T>;
    }
    if (fn.results.length !== 1) {
      this.do(f, ...args);
      return this.i32(0) as unknown as Val<T>;
    }
    return this.call<T>(f, ...args);
  }

  hostCall(fn: HostFunction, ...args: Val<'i32'>[]): Val<'i32'> {
    const f = this.linker.host(fn);
    this.#saveCount();
    let result = this.i32(0);
    if (fn.results.length === 0) this.do(f, ...args);
    else result = this.let(this.call(f, ...args));
    this.#reloadCount();
    return result;
  }

  // Modes

  inLongMode(): Val<'i32'> {
    if (this.variant.code64 !== undefined) return this.i32(this.variant.code64 ? 1 : 0);
    return this.eq(this.and(this.get('modeKey'), 3), 2);
  }

  cpl(): Val<'i32'> {
    return this.get('cpl');
  }

  // Stack

  sp(): Val<'i64'> {
    if (this.variant.code64 === true) return this.let(this.get('regs', 4));
    return this.let(this.and(this.get('regs', 4), this.get('stackMask')));
  }

  setSp(value: Val<'i64'>): void {
    if (this.variant.code64 === true) {
      this.put('regs', value, 4);
      return;
    }
    const mask = this.let(this.get('stackMask'));
    this.put('regs', this.or(this.and(this.get('regs', 4), this.not(mask)), this.and(value, mask)), 4);
  }

  stackTop(bytes: number): Val<'i64'> {
    const sp = this.sub(this.get('regs', 4), bytes);
    return this.let(this.variant.code64 === true ? sp : this.and(sp, this.get('stackMask')));
  }

  /** Linear address of `bytes` bytes at a stack offset, with limit checks outside 64-bit mode. */
  stackLinear(offset: Val<'i64'>, bytes: number, write: boolean): Val<'i64'> {
    if (this.variant.code64 === true) return offset;
    this.invoke(
      linearAny,
      this.i32((Seg.SS << 2) | 0x80),
      offset,
      this.i32(bytes | PROBE.STACK | (write ? PROBE.WRITE : 0)),
    );
    return this.let(this.get('temp', 7));
  }

  push(bits: 16 | 32 | 64, value: Int): void {
    const v = value.isSimple ? value : this.let(value);
    const top = this.stackTop(bits / 8);
    this.storeLinear(this.stackLinear(top, bits / 8, true), bits, v, { stack: true });
    this.setSp(top);
  }

  peek(bits: 16 | 32 | 64, offset = 0): Int {
    const at =
      offset === 0
        ? this.sp()
        : this.variant.code64 === true
          ? this.let(this.add(this.get('regs', 4), offset))
          : this.let(this.and(this.add(this.get('regs', 4), offset), this.get('stackMask')));
    return this.loadLinear(this.stackLinear(at, bits / 8, false), bits, { stack: true }) as Val<IntType>;
  }
}

function zeroExtend(m: Machine, v: Int): Val<'i64'> {
  return v.type === 'i64' ? (v as Val<'i64'>) : m.extU(v as Val<'i32'>);
}

function fileBase(file: string): number {
  if (file === 'gpr') return cellAddress('regs');
  if (file === 'xmm') return cellAddress('xmm');
  if (file === 'mmx') return cellAddress('fpMant');
  throw new Error(`registers of ${file} are read by number`);
}

function width(bits: Bits): 8 | 16 | 32 | 64 | 128 {
  if (bits === 48 || bits === 80) throw new Error(`operand of ${bits} bits has no single value`);
  return bits;
}

function accessBits(options: AccessOptions): number {
  return (options.system ? PROBE.SYSTEM : 0) | (options.stack ? PROBE.STACK : 0);
}
