import type { Val } from '@sterna/wasm';
import { enc } from '../../decode/enc.ts';
import { SysType } from '../../system/bits.ts';
import { checkHidden, requireCpl0 } from '../../system/control.ts';
import { inspectSelector, loadLdt, loadSegment, loadTask } from '../../system/segments.ts';
import { def } from '../def.ts';
import type { Int, Machine } from '../machine.ts';
import type { Operand } from '../operand.ts';
import { Flag, Seg, Shadow, Vec } from '../vectors.ts';

/** An operand's value widened or narrowed from a 32-bit one. */
function sized(m: Machine, op: Operand, value: Val<'i32'>): Int {
  return op.bits === 64 ? m.extU(value) : value;
}

/** Loads a segment register and ends the instruction as SS needs it: one instruction without interrupts. */
function load(m: Machine, seg: Val<'i32'>, selector: Val<'i32'>, commit: () => void = () => {}): void {
  m.invoke(loadSegment, seg, selector);
  commit();
  m.if(m.eq(seg, Seg.SS), () => {
    m.put('shadow', Shadow.STACK);
    m.serialize();
  });
}

def('mov_from_sreg', (m, dst, src) => m.write(dst, sized(m, dst, m.let(m.get('segSel', m.regNumber(src))))));
def('mov_to_sreg', (m, dst, src) => {
  const seg = m.let(m.regNumber(dst));
  m.raiseIf(m.eq(seg, Seg.CS), Vec.UD);
  load(m, seg, m.read(src) as Val<'i32'>);
});
enc('8c /r reg', 'mov_from_sreg', 'Ev,Sw');
enc('8c /r mem', 'mov_from_sreg', 'Mw,Sw');
enc('8e /r', 'mov_to_sreg', 'Sw,Ew');

def('push_sreg', (m, src) => {
  const bits = m.variant.size;
  const selector = m.let(m.get('segSel', m.regNumber(src)));
  m.push(bits, bits === 64 ? m.extU(selector) : selector);
});
def('pop_sreg', (m, dst) => {
  const bits = m.variant.size;
  const value = m.peek(bits);
  const selector = m.let(bits === 64 ? m.wrap(value as Val<'i64'>) : (value as Val<'i32'>));
  // the pointer is moved with the mask of the stack it was read from
  const sp = m.let(m.sp());
  const mask = m.let(m.get('stackMask'));
  load(m, m.regNumber(dst), selector, () => {
    const next = m.and(m.add(sp, bits / 8), mask);
    m.put('regs', m.or(m.and(m.get('regs', 4), m.not(mask)), next), 4);
  });
});
for (const [opcode, name] of [
  ['06', 'ES'],
  ['0e', 'CS'],
  ['16', 'SS'],
  ['1e', 'DS'],
] as const) {
  enc(opcode, 'push_sreg', name, { mode: 'no64', osz: true });
}
for (const [opcode, name] of [
  ['07', 'ES'],
  ['17', 'SS'],
  ['1f', 'DS'],
] as const) {
  enc(opcode, 'pop_sreg', name, { mode: 'no64', osz: true });
}
enc('0f a0', 'push_sreg', 'FS', { d64: true, osz: true });
enc('0f a8', 'push_sreg', 'GS', { d64: true, osz: true });
enc('0f a1', 'pop_sreg', 'FS', { d64: true, osz: true });
enc('0f a9', 'pop_sreg', 'GS', { d64: true, osz: true });

/** LES, LDS, LSS, LFS, LGS: a far pointer from memory. */
function farPointer(name: string, seg: number): void {
  def(name, (m, dst, src) => {
    const bits = m.variant.size;
    const at = m.linear(src);
    const offset = m.loadLinear(at, bits) as Int;
    const selector = m.loadLinear(m.add(at, bits / 8), 16);
    load(m, m.i32(seg), selector, () => m.write(dst, offset));
  });
}
farPointer('les', Seg.ES);
farPointer('lds', Seg.DS);
farPointer('lss', Seg.SS);
farPointer('lfs', Seg.FS);
farPointer('lgs', Seg.GS);
enc('c4 /r mem', 'les', 'Gv,Mp', { mode: 'no64' });
enc('c5 /r mem', 'lds', 'Gv,Mp', { mode: 'no64' });
enc('0f b2 /r mem', 'lss', 'Gv,Mp');
enc('0f b4 /r mem', 'lfs', 'Gv,Mp');
enc('0f b5 /r mem', 'lgs', 'Gv,Mp');

// Descriptor inspection

/** Sets ZF alone. */
function setZero(m: Machine, zero: Val<'i32'>): void {
  const others = m.let(m.and(m.arithFlags(), ~Flag.ZF));
  m.setArithFlags(m.or(others, m.shl(zero, 6)));
}

const types = (...list: number[]): number => list.reduce((mask, t) => mask | (1 << t), 0);
const TSS_AND_LDT = types(SysType.LDT, SysType.TSS, SysType.TSS_BUSY);
const LEGACY_TSS = types(SysType.TSS16, SysType.TSS16_BUSY);
const LAR_LONG = TSS_AND_LDT | types(SysType.CALL);
const LAR_LEGACY = LAR_LONG | LEGACY_TSS | types(SysType.CALL16, SysType.TASK_GATE);

/** Second dword of a visible descriptor, or 0. */
function inspect(m: Machine, src: Operand, legacy: number, long: number): Val<'i32'> {
  const lma = m.and(m.wrap(m.get('efer')), 0x400);
  const selector = m.read(src);
  const mask = legacy === long ? m.i32(legacy) : m.let(m.select(lma, m.i32(long), legacy));
  m.invoke(inspectSelector, selector as Val<'i32'>, mask);
  return m.let(m.wrap(m.get('temp', 0)));
}

def('lar', (m, dst, src) => {
  const high = inspect(m, src, LAR_LEGACY, LAR_LONG);
  m.if(high, () => m.write(dst, sized(m, dst, m.and(high, 0x00f0_ff00))));
  setZero(m, m.ne(high, 0));
});
def('lsl', (m, dst, src) => {
  const high = inspect(m, src, TSS_AND_LDT | LEGACY_TSS, TSS_AND_LDT);
  m.if(high, () => m.write(dst, sized(m, dst, m.wrap(m.get('temp', 2)))));
  setZero(m, m.ne(high, 0));
});
enc('0f 02 /r', 'lar', 'Gv,Ew', { protectedOnly: true });
enc('0f 03 /r', 'lsl', 'Gv,Ew', { protectedOnly: true });

def('verr', (m, src) => {
  const high = inspect(m, src, 0, 0);
  // data is always readable, code when its R bit is set
  setZero(m, m.and(m.ne(high, 0), m.ne(m.and(high, 0xa00), 0x800)));
});
def('verw', (m, src) => {
  const high = inspect(m, src, 0, 0);
  setZero(m, m.and(m.ne(high, 0), m.eq(m.and(high, 0xa00), 0x200)));
});
enc('0f 00 /4', 'verr', 'Ew', { protectedOnly: true });
enc('0f 00 /5', 'verw', 'Ew', { protectedOnly: true });

def('arpl', (m, dst, src) => {
  const old = m.read(dst) as Val<'i32'>;
  const rpl = m.let(m.and(m.read(src) as Val<'i32'>, 3));
  const lower = m.let(m.ltU(m.and(old, 3), rpl));
  // memory is written, and must be writable, only when the level changes
  m.if(lower, () => m.write(dst, m.or(m.and(old, 0xfffc), rpl)));
  setZero(m, lower);
});
enc('63 /r', 'arpl', 'Ew,Gw', { mode: 'no64', protectedOnly: true });

// Descriptor tables

for (const [name, cell] of [
  ['sldt', 'ldtSel'],
  ['str', 'trSel'],
] as const) {
  def(name, (m, dst) => {
    checkHidden(m);
    m.write(dst, sized(m, dst, m.let(m.get(cell))));
  });
}
def('lldt', (m, src) => {
  requireCpl0(m);
  m.invoke(loadLdt, m.read(src) as Val<'i32'>);
});
def('ltr', (m, src) => {
  requireCpl0(m);
  m.invoke(loadTask, m.read(src) as Val<'i32'>);
});
for (const [group, name] of [
  ['/0', 'sldt'],
  ['/1', 'str'],
] as const) {
  enc(`0f 00 ${group} reg`, name, 'Ev', { protectedOnly: true });
  enc(`0f 00 ${group} mem`, name, 'Mw', { protectedOnly: true });
}
enc('0f 00 /2', 'lldt', 'Ew', { protectedOnly: true });
enc('0f 00 /3', 'ltr', 'Ew', { protectedOnly: true });

for (const [store, load_, limit, base] of [
  ['sgdt', 'lgdt', 'gdtLimit', 'gdtBase'],
  ['sidt', 'lidt', 'idtLimit', 'idtBase'],
] as const) {
  def(store, (m, dst) => {
    checkHidden(m);
    const wide = dst.bits === 80;
    const at = m.linear(dst, wide ? 10 : 6, true);
    m.probeWrite(at, wide ? 10 : 6);
    m.storeLinear(at, 16, m.let(m.get(limit)));
    const b = m.let(m.get(base));
    if (wide) m.storeLinear(m.add(at, 2), 64, b);
    else m.storeLinear(m.add(at, 2), 32, m.wrap(b));
  });
  def(load_, (m, src) => {
    requireCpl0(m);
    const wide = src.bits === 80;
    const at = m.linear(src, wide ? 10 : 6);
    const l = m.loadLinear(at, 16);
    const b = wide ? m.loadLinear(m.add(at, 2), 64) : m.extU(m.loadLinear(m.add(at, 2), 32));
    if (wide) m.raiseIf(m.ne(m.shrS(m.shl(b, 16), 16), b), Vec.GP, 0);
    m.put(limit, l);
    m.put(base, !wide && m.variant.size === 16 ? m.and(b, 0xff_ffff) : b);
  });
}
enc('0f 01 /0 mem', 'sgdt', 'Ms', { by64: true });
enc('0f 01 /1 mem', 'sidt', 'Ms', { by64: true });
enc('0f 01 /2 mem', 'lgdt', 'Ms', { by64: true });
enc('0f 01 /3 mem', 'lidt', 'Ms', { by64: true });
