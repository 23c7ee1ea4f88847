import type { Val } from '@sterna/wasm';
import { loadControl, loadStatus, statusWord } from '../fpu/x87-control.ts';
import { phys, updatePending } from '../fpu/x87-stack.ts';
import type { Machine } from './machine.ts';
import { Vec } from './vectors.ts';

type I = Val<'i32'>;
type L = Val<'i64'>;

/** MXCSR bits that exist (MXCSR_MASK). */
export const MXCSR_MASK = 0xffff;

/** Layout of the 512-byte image of FXSAVE, with which that of XSAVE begins (SDM volume 1, 10.5 and 13.4). */
export const FX = {
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

const field = (m: Machine, at: L, offset: number): L => m.add(at, offset);

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

/** Statement: stores the x87 state into an image that is known to be writable. */
export function saveX87(m: Machine, at: L): void {
  m.storeLinear(field(m, at, FX.cw), 16, m.get('fpuCw'));
  m.storeLinear(field(m, at, FX.sw), 16, m.let(m.invoke<'i32'>(statusWord)));
  m.storeLinear(field(m, at, FX.tags), 16, m.get('fpuTags'));
  m.storeLinear(field(m, at, FX.fop), 16, m.get('fpuFop'));
  if (m.variant.size === 64) {
    m.storeLinear(field(m, at, FX.fip), 64, m.get('fpuFip'));
    m.storeLinear(field(m, at, FX.fdp), 64, m.get('fpuFdp'));
  } else {
    const low = (v: L): L => m.and(v, 0xffff_ffffn);
    const pair = (offset: L, sel: I): L => m.or(low(offset), m.shl(m.extU(m.and(sel, 0xffff)), 32));
    m.storeLinear(field(m, at, FX.fip), 64, m.let(pair(m.get('fpuFip'), m.get('fpuFcs'))));
    m.storeLinear(field(m, at, FX.fdp), 64, m.let(pair(m.get('fpuFdp'), m.get('fpuFds'))));
  }
  eachSlot(m, m.let(field(m, at, FX.st)), m.i32(8), (place, i) => {
    const p = m.let(phys(m, i));
    m.storeLinear(place, 64, m.let(m.get('fpMant', p)));
    m.storeLinear(m.add(place, 8), 64, m.let(m.extU(m.get('fpExp', p))));
  });
}

/** Statement: stores MXCSR and its mask. */
export function saveMxcsr(m: Machine, at: L): void {
  m.storeLinear(field(m, at, FX.mxcsr), 32, m.get('mxcsr'));
  m.storeLinear(field(m, at, FX.mask), 32, m.i32(MXCSR_MASK));
}

/** Statement: stores the first `count` XMM registers. */
export function saveXmm(m: Machine, at: L, count: I): void {
  eachSlot(m, m.let(field(m, at, FX.xmm)), m.let(count), (place, i) => {
    m.storeLinear(place, 128, m.let(m.get('xmm', i)));
  });
}

/** MXCSR of an image; #GP for bits that do not exist. */
export function readMxcsr(m: Machine, at: L): I {
  const mxcsr = m.loadLinear(field(m, at, FX.mxcsr), 32);
  m.raiseIf(m.and(mxcsr, ~MXCSR_MASK), Vec.GP, 0);
  return mxcsr;
}

/** Statement: loads the x87 state from an image that is known to be readable. */
export function restoreX87(m: Machine, at: L): void {
  const cw = m.loadLinear(field(m, at, FX.cw), 16);
  const sw = m.loadLinear(field(m, at, FX.sw), 16);
  const tags = m.loadLinear(field(m, at, FX.tags), 8);
  const fop = m.loadLinear(field(m, at, FX.fop), 16);
  const fip = m.loadLinear(field(m, at, FX.fip), 64);
  const fdp = m.loadLinear(field(m, at, FX.fdp), 64);
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
  eachSlot(m, m.let(field(m, at, FX.st)), m.i32(8), (place, i) => {
    const p = m.let(phys(m, i));
    m.put('fpMant', m.loadLinear(place, 64), p);
    m.put('fpExp', m.loadLinear(m.add(place, 8), 16), p);
  });
}

/** Statement: loads the first `count` XMM registers. */
export function restoreXmm(m: Machine, at: L, count: I): void {
  eachSlot(m, m.let(field(m, at, FX.xmm)), m.let(count), (place, i) => {
    m.put('xmm', m.loadLinear(place, 128), i);
  });
}
