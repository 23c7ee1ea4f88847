import { CpuExit } from '@sterna/core';
import type { Val } from '@sterna/wasm';
import { enc } from '../../decode/enc.ts';
import { flushTlb, flushTlbNonGlobal } from '../../interp/tlb.ts';
import { CR4 } from '../../system/bits.ts';
import { isCanonical } from '../../system/common.ts';
import { requireCpl0 } from '../../system/control.ts';
import { invalidatePage } from '../../system/invlpg.ts';
import { updateMode } from '../../system/mode.ts';
import { def } from '../def.ts';
import type { Int, Machine } from '../machine.ts';
import { Flag, Reg, Seg, Vec } from '../vectors.ts';

/** Not 0 when a bit of CR4 is set. */
const cr4 = (m: Machine, bit: number): Val<'i32'> => m.and(m.wrap(m.get('cr4')), bit);

/** Splits a 64-bit value into EDX:EAX, clearing the upper halves. */
function putPair(m: Machine, value: Val<'i64'>): void {
  m.put('regs', m.and(value, 0xffff_ffff), Reg.AX);
  m.put('regs', m.shrU(value, 32), Reg.DX);
}

// Bases of FS and GS (64-bit mode only, so the effective base is the base)

for (const [name, seg, read, write] of [
  ['fsbase', Seg.FS, 0, 2],
  ['gsbase', Seg.GS, 1, 3],
] as const) {
  const available = (m: Machine): void => m.raiseIf(m.eqz(cr4(m, CR4.FSGSBASE)), Vec.UD);
  def(`rd${name}`, (m, dst) => {
    available(m);
    const base = m.let(m.get('segBase', seg));
    m.write(dst, dst.bits === 64 ? base : m.wrap(base));
  });
  def(`wr${name}`, (m, src) => {
    available(m);
    const value = m.read(src) as Int;
    const base = m.let(src.bits === 64 ? (value as Val<'i64'>) : m.extU(value as Val<'i32'>));
    if (src.bits === 64) m.raiseIf(m.eqz(isCanonical(m, base)), Vec.GP, 0);
    m.put('segBase', base, seg);
    m.put('segEff', base, seg);
  });
  enc(`f3 0f ae /${read} reg`, `rd${name}`, 'Ry', { mode: 'only64', feature: 'fsgsbase' });
  enc(`f3 0f ae /${write} reg`, `wr${name}`, 'Ry', { mode: 'only64', feature: 'fsgsbase' });
}

// Translations by context

/** INVPCID types (SDM volume 2). */
const INVPCID = { ADDRESS: 0, CONTEXT: 1, ALL: 2, ALL_BUT_GLOBAL: 3 } as const;

def('invpcid', (m, type, descriptor) => {
  requireCpl0(m);
  const kind = m.let(type.bits === 64 ? (m.read(type) as Val<'i64'>) : m.extU(m.read(type) as Val<'i32'>));
  const at = m.linear(descriptor, 16);
  const pcid = m.loadLinear(at, 64);
  const address = m.loadLinear(m.add(at, 8), 64);
  m.raiseIf(m.or(m.gtU(kind, m.i64(INVPCID.ALL_BUT_GLOBAL)), m.gtU(pcid, m.i64(0xfff))), Vec.GP, 0);
  // without CR4.PCIDE there is one context, number 0
  const specific = m.leU(kind, m.i64(INVPCID.CONTEXT));
  const other = m.and(m.eqz(cr4(m, CR4.PCIDE)), m.ne(pcid, 0));
  m.raiseIf(m.and(specific, other), Vec.GP, 0);
  m.if(
    m.eqz(kind),
    () => {
      m.raiseIf(m.eqz(isCanonical(m, address)), Vec.GP, 0);
      m.do(m.functionOf(invalidatePage), address);
    },
    () => {
      m.if(
        m.eq(kind, INVPCID.ALL),
        () => m.do(m.functionOf(flushTlb)),
        () => m.do(m.functionOf(flushTlbNonGlobal)),
      );
    },
  );
  m.serialize();
});
enc('66 0f 38 82 /r mem', 'invpcid', 'Gy,Mdq', { f64: true, end: true, protectedOnly: true, feature: 'invpcid' });

// SMAP

for (const [name, change] of [
  ['clac', (m: Machine) => m.and(m.get('eflags'), ~Flag.AC)],
  ['stac', (m: Machine) => m.or(m.get('eflags'), Flag.AC)],
] as const) {
  def(name, (m) => {
    m.raiseIf(m.ne(m.cpl(), 0), Vec.UD);
    m.put('eflags', change(m));
    m.do(m.functionOf(updateMode));
    m.serialize();
  });
}
enc('np 0f 01 ca', 'clac', '', { end: true, feature: 'smap' });
enc('np 0f 01 cb', 'stac', '', { end: true, feature: 'smap' });

// Protection keys

/** #UD without CR4.PKE, #GP(0) unless ECX is 0. */
function checkKeys(m: Machine): void {
  m.raiseIf(m.eqz(cr4(m, CR4.PKE)), Vec.UD);
  m.raiseIf(m.ne(m.wrap(m.get('regs', Reg.CX)), 0), Vec.GP, 0);
}

def('rdpkru', (m) => {
  checkKeys(m);
  putPair(m, m.let(m.extU(m.get('pkru'))));
});
def('wrpkru', (m) => {
  checkKeys(m);
  m.raiseIf(m.ne(m.wrap(m.get('regs', Reg.DX)), 0), Vec.GP, 0);
  m.put('pkru', m.wrap(m.get('regs', Reg.AX)));
  m.do(m.functionOf(flushTlb));
  m.serialize();
});
enc('np 0f 01 ee', 'rdpkru', '', { feature: 'pku' });
enc('np 0f 01 ef', 'wrpkru', '', { end: true, feature: 'pku' });

// MONITOR and MWAIT: a wait ends at any event. With several vCPUs another one may do the awaited store, so it is a pause.

/** #UD above CPL 0; #GP(0) for hints in ECX, of which there are none. */
function checkMonitor(m: Machine): void {
  m.raiseIf(m.ne(m.cpl(), 0), Vec.UD);
  m.raiseIf(m.ne(m.wrap(m.get('regs', Reg.CX)), 0), Vec.GP, 0);
}

def('monitor', (m) => {
  checkMonitor(m);
  m.loadLinear(m.sourceLinear(m.let(monitored(m)), 1), 8);
});
def('mwait', (m) => {
  checkMonitor(m);
  m.if(m.gtU(m.get('vcpus'), 1), () => m.exit(CpuExit.REQUEST));
  m.put('halted', 1);
  m.exit(CpuExit.HALT);
});
enc('np 0f 01 c8', 'monitor', '', { asz: true, feature: 'monitor' });
enc('np 0f 01 c9', 'mwait', '', { end: true, feature: 'monitor' });

/** rAX at the address size. */
function monitored(m: Machine): Val<'i64'> {
  const value = m.get('regs', Reg.AX);
  const size = m.variant.addressSize;
  return size === 64 ? value : m.and(value, size === 32 ? 0xffff_ffff : 0xffff);
}
