import { CpuExit } from '@sterna/core';
import type { Val } from '@sterna/wasm';
import { enc } from '../../decode/enc.ts';
import { CR0, CR4 } from '../../system/bits.ts';
import { isCanonical } from '../../system/common.ts';
import { checkHidden, readCr, readDr, requireCpl0, writeCr, writeCr0, writeDr } from '../../system/control.ts';
import { cpuid } from '../../system/cpuid.ts';
import { invalidatePage } from '../../system/invlpg.ts';
import { readMsr, writeMsr } from '../../system/msr.ts';
import { def } from '../def.ts';
import type { Int, Machine } from '../machine.ts';
import { Reg, Seg, Vec } from '../vectors.ts';

const wide = (m: Machine, value: Int): Val<'i64'> =>
  value.type === 'i64' ? (value as Val<'i64'>) : m.extU(value as Val<'i32'>);

for (const [file, write, read] of [
  ['cr', writeCr, readCr],
  ['dr', writeDr, readDr],
] as const) {
  def(`mov_to_${file}`, (m, dst, src) => {
    requireCpl0(m);
    m.invoke(write, m.regNumber(dst), wide(m, m.read(src)));
    m.serialize();
  });
  def(`mov_from_${file}`, (m, dst, src) => {
    requireCpl0(m);
    m.invoke(read, m.regNumber(src));
    const value = m.let(m.get('temp', 0));
    m.write(dst, dst.bits === 64 ? value : m.wrap(value));
  });
}
enc('0f 20 /r', 'mov_from_cr', 'Ry,Cq', { f64: true });
enc('0f 22 /r', 'mov_to_cr', 'Cq,Ry', { f64: true, end: true });
enc('0f 21 /r', 'mov_from_dr', 'Ry,Dq', { f64: true });
enc('0f 23 /r', 'mov_to_dr', 'Dq,Ry', { f64: true, end: true });

def('clts', (m) => {
  requireCpl0(m);
  m.put('cr0', m.and(m.get('cr0'), ~CR0.TS));
  m.serialize();
});
def('smsw', (m, dst) => {
  checkHidden(m);
  const cr0 = m.let(m.get('cr0'));
  m.write(dst, dst.bits === 64 ? cr0 : m.wrap(cr0));
});
def('lmsw', (m, src) => {
  requireCpl0(m);
  const value = m.let(m.extU(m.and(m.read(src) as Val<'i32'>, 15)));
  // PE can be set but not cleared
  m.invoke(writeCr0, m.or(m.and(m.get('cr0'), ~14), value));
  m.serialize();
});
enc('0f 06', 'clts', '', { end: true });
enc('0f 01 /4 reg', 'smsw', 'Ev');
enc('0f 01 /4 mem', 'smsw', 'Mw');
enc('0f 01 /6', 'lmsw', 'Ew', { end: true });

def('invlpg', (m, op) => {
  requireCpl0(m);
  const ea = m.ea(op);
  const linear = m.linear(op, 1);
  m.if(isCanonical(m, linear), () => m.do(m.functionOf(invalidatePage), linear));
  m.drop(ea);
  m.serialize();
});
enc('0f 01 /7 mem', 'invlpg', 'Mx', { end: true });

def('cache_control', (m) => requireCpl0(m));
enc('0f 08', 'cache_control');
enc('0f 09', 'cache_control');

def('rdmsr', (m) => {
  requireCpl0(m);
  m.invoke(readMsr, m.wrap(m.get('regs', Reg.CX)));
  const value = m.let(m.get('temp', 0));
  m.put('regs', m.and(value, 0xffff_ffff), Reg.AX);
  m.put('regs', m.shrU(value, 32), Reg.DX);
});
def('wrmsr', (m) => {
  requireCpl0(m);
  const low = m.and(m.get('regs', Reg.AX), 0xffff_ffff);
  m.invoke(writeMsr, m.wrap(m.get('regs', Reg.CX)), m.or(low, m.shl(m.get('regs', Reg.DX), 32)));
  m.serialize();
});
enc('0f 32', 'rdmsr');
enc('0f 30', 'wrmsr', '', { end: true });

// No performance counters: with the right to read them there is nothing to read
def('rdpmc', (m) => {
  const denied = m.and(m.ne(m.cpl(), 0), m.eqz(m.and(m.wrap(m.get('cr4')), CR4.PCE)));
  m.raiseIf(denied, Vec.GP, 0);
  m.raise(Vec.UD);
});
enc('0f 33', 'rdpmc');

def('cpuid', (m) => {
  m.do(m.functionOf(cpuid));
  m.serialize();
});
enc('0f a2', 'cpuid', '', { end: true });

def('hlt', (m) => {
  requireCpl0(m);
  // a single step is a debug trap, which ends the wait at once
  m.if(m.get('trapArmed'), () => m.serialize());
  m.put('halted', 1);
  m.exit(CpuExit.HALT);
});
enc('f4', 'hlt', '', { end: true });

// A processor that spins for another one gives it the rest of its turn
def('pause', (m) => {
  const executed = m.sub(m.sub(m.get('budget'), m.get('icLeft')), m.get('icRest'));
  m.if(m.geS(executed, m.get('yieldAfter')), () => m.exit(CpuExit.REQUEST), undefined, false);
});
enc('f3 90', 'pause');

def('swapgs', (m) => {
  requireCpl0(m);
  const base = m.let(m.get('kernelGsBase'));
  m.put('kernelGsBase', m.let(m.get('segBase', Seg.GS)));
  m.put('segBase', base, Seg.GS);
  m.put('segEff', base, Seg.GS);
});
enc('0f 01 f8', 'swapgs', '', { mode: 'only64' });
