import type { Val } from '@sterna/wasm';
import { enc } from '../decode/enc.ts';
import { loadControl, loadStatus, statusWord } from '../fpu/x87-control.ts';
import { phys, updatePending } from '../fpu/x87-stack.ts';
import { def } from './def.ts';
import { checkSse, checkX87NoWait } from './fp-check.ts';
import type { Machine } from './machine.ts';
import { Vec } from './vectors.ts';

type I = Val<'i32'>;
type L = Val<'i64'>;

/** MXCSR bits that exist (MXCSR_MASK). */
export const MXCSR_MASK = 0xffff;

/** Layout of the 512-byte image (SDM volume 1, 10.5). */
const FX = {
  cw: 0,
  sw: 2,
  tags: 4,
  fop: 6,
  fip: 8,
  fdp: 16,
  mxcsr: 24,
  mask: 28,
  st: 32,
  xmm: 160,
  size: 512,
} as const;

/** Number of XMM registers in the image: none when not enabled or skipped by EFER.FFXSR at CPL 0. */
function xmmCount(m: Machine): I {
  const enabled = m.and(m.wrap(m.get('cr4')), 0x200);
  const long = m.let(m.inLongMode());
  const fast = m.and(m.and(m.eqz(m.cpl()), long), m.and(m.shrU(m.wrap(m.get('efer')), 14), 1));
  return m.select(m.and(m.ne(enabled, 0), m.eqz(fast)), m.select(long, m.i32(16), 8), 0);
}

/** Runs code for indices 0 to `count` - 1 of 16-byte slots. */
function eachSlot(m: Machine, start: L, count: I, fn: (place: L, i: I) => void): void {
  const i = m.local('i32');
  m.set(i, m.i32(0));
  m.block((done) => {
    m.loop((again) => {
      m.brIf(done, m.geU(i, count));
      fn(m.let(m.add(start, m.extU(m.shl(i, 4)))), i);
      m.set(i, m.add(i, 1));
      m.br(again);
    });
  });
}

def('fxsave', (m, dst) => {
  checkX87NoWait(m);
  const at = m.linearAligned(dst!, FX.size, true);
  m.probeWrite(at, FX.size);
  const field = (offset: number): L => m.add(at, offset);
  m.storeLinear(field(FX.cw), 16, m.get('fpuCw'));
  m.storeLinear(field(FX.sw), 16, m.let(m.invoke<'i32'>(statusWord)));
  m.storeLinear(field(FX.tags), 16, m.get('fpuTags'));
  m.storeLinear(field(FX.fop), 16, m.get('fpuFop'));
  if (m.variant.size === 64) {
    m.storeLinear(field(FX.fip), 64, m.get('fpuFip'));
    m.storeLinear(field(FX.fdp), 64, m.get('fpuFdp'));
  } else {
    const low = (v: L): L => m.and(v, 0xffff_ffffn);
    const pair = (offset: L, sel: I): L => m.or(low(offset), m.shl(m.extU(m.and(sel, 0xffff)), 32));
    m.storeLinear(field(FX.fip), 64, m.let(pair(m.get('fpuFip'), m.get('fpuFcs'))));
    m.storeLinear(field(FX.fdp), 64, m.let(pair(m.get('fpuFdp'), m.get('fpuFds'))));
  }
  m.storeLinear(field(FX.mxcsr), 32, m.get('mxcsr'));
  m.storeLinear(field(FX.mask), 32, m.i32(MXCSR_MASK));
  eachSlot(m, m.let(field(FX.st)), m.i32(8), (place, i) => {
    const p = m.let(phys(m, i));
    m.storeLinear(place, 64, m.let(m.get('fpMant', p)));
    m.storeLinear(m.add(place, 8), 64, m.let(m.extU(m.get('fpExp', p))));
  });
  eachSlot(m, m.let(field(FX.xmm)), m.let(xmmCount(m)), (place, i) => {
    m.storeLinear(place, 128, m.let(m.get('xmm', i)));
  });
});
enc('np 0f ae /0 mem', 'fxsave', 'Mx', { osz: true });

def('fxrstor', (m, src) => {
  checkX87NoWait(m);
  const at = m.linearAligned(src!, FX.size);
  const field = (offset: number): L => m.add(at, offset);
  const mxcsr = m.loadLinear(field(FX.mxcsr), 32);
  // both ends decide whether the image is there
  m.loadLinear(field(FX.size - 1), 8);
  m.raiseIf(m.and(mxcsr, ~MXCSR_MASK), Vec.GP, 0);
  const cw = m.loadLinear(field(FX.cw), 16);
  const sw = m.loadLinear(field(FX.sw), 16);
  const tags = m.loadLinear(field(FX.tags), 8);
  const fop = m.loadLinear(field(FX.fop), 16);
  const fip = m.loadLinear(field(FX.fip), 64);
  const fdp = m.loadLinear(field(FX.fdp), 64);
  loadStatus(m, sw);
  loadControl(m, cw);
  updatePending(m);
  m.put('fpuTags', tags);
  m.put('fpuFop', m.and(fop, 0x7ff));
  if (m.variant.size === 64) {
    m.put('fpuFip', fip);
    m.put('fpuFdp', fdp);
  } else {
    for (const [offset, sel, v] of [
      ['fpuFip', 'fpuFcs', fip],
      ['fpuFdp', 'fpuFds', fdp],
    ] as const) {
      m.put(offset, m.and(v, 0xffff_ffffn));
      m.put(sel, m.and(m.wrap(m.shrU(v, 32)), 0xffff));
    }
  }
  m.put('mxcsr', mxcsr);
  eachSlot(m, m.let(field(FX.st)), m.i32(8), (place, i) => {
    const p = m.let(phys(m, i));
    m.put('fpMant', m.loadLinear(place, 64), p);
    m.put('fpExp', m.loadLinear(m.add(place, 8), 16), p);
  });
  eachSlot(m, m.let(field(FX.xmm)), m.let(xmmCount(m)), (place, i) => {
    m.put('xmm', m.loadLinear(place, 128), i);
  });
});
enc('np 0f ae /1 mem', 'fxrstor', 'Mx', { osz: true });

def('ldmxcsr', (m, src) => {
  checkSse(m);
  const v = m.read(src!) as I;
  m.raiseIf(m.and(v, ~MXCSR_MASK), Vec.GP, 0);
  m.put('mxcsr', v);
});
enc('np 0f ae /2 mem', 'ldmxcsr', 'Md');
def('stmxcsr', (m, dst) => {
  checkSse(m);
  m.write(dst!, m.get('mxcsr'));
});
enc('np 0f ae /3 mem', 'stmxcsr', 'Md');
