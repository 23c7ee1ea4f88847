import type { Val } from '@sterna/wasm';
import { loadControl, loadStatus, statusWord } from '../fpu/x87-control.ts';
import { phys, updatePending } from '../fpu/x87-stack.ts';
import { LOADS, STORES, width } from '../interp/widths.ts';
import { cellAddress } from '../state/layout.ts';
import type { Machine } from './machine.ts';
import { type Micro, micro } from './micro.ts';
import type { Bits } from './operand.ts';
import { directHost } from './string-run.ts';
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

/** An image in memory: by linear address, and by host address where the page holds all of it and needs no care. */
export interface Image {
  readonly at: L;
  readonly host?: I;
}

/**
 * Host address of a range within one page that can be accessed directly, else 0. Parameters: linear, bytes, 1 for writing.
 */
const directRange: Micro = micro('direct_range', ['i64', 'i32', 'i32'], ['i32'], (m) => {
  const linear = m.param('i64', 0);
  const end = m.add(m.and(m.wrap(linear), 0xfff), m.param('i32', 1));
  m.if(m.gtU(end, 4096), () => m.return(m.i32(0)));
  m.return(m.invoke(directHost, linear, m.param('i32', 2)));
});

/** Runs code for an image of `bytes` bytes, written twice: for direct access and for access with all checks. */
export function withImage(m: Machine, at: L, bytes: number, write: boolean, body: (image: Image) => void): void {
  const host = m.let(m.invoke(directRange, at, m.i32(bytes), m.i32(write ? 1 : 0)));
  m.if(
    host,
    () => body({ at, host }),
    () => body({ at }),
    true,
  );
}

type Loaded<B extends Bits> = Val<B extends 64 ? 'i64' : B extends 128 ? 'v128' : 'i32'>;

/** Loads from an image, at a constant offset and the offset of a slot. */
export function loadImage<B extends Bits>(m: Machine, image: Image, offset: number, bits: B, slot?: I): Loaded<B> {
  const { at, host } = image;
  if (host === undefined) {
    const place = m.add(at, offset);
    return m.loadLinear(slot === undefined ? place : m.let(m.add(place, m.extU(slot))), bits);
  }
  return m.let(m.load(LOADS[width(bits)], slot === undefined ? host : m.add(host, slot), offset) as Val) as never;
}

/** Stores to an image that is known to be writable. */
export function storeImage(m: Machine, image: Image, offset: number, bits: Bits, value: Val, slot?: I): void {
  const { at, host } = image;
  if (host === undefined) {
    const place = m.add(at, offset);
    m.storeLinear(slot === undefined ? place : m.let(m.add(place, m.extU(slot))), bits, value);
  } else m.store(STORES[width(bits)], slot === undefined ? host : m.add(host, slot), value as never, offset);
}

/** Runs code for indices 0 to `count` - 1 of 16-byte slots, with the slot's offset. */
function eachSlot(m: Machine, count: I, fn: (slot: I, i: I) => void): void {
  const i = m.local('i32');
  m.set(i, m.i32(0));
  m.block((done) => {
    m.loop((again) => {
      m.brIf(done, m.geU(i, count));
      fn(m.let(m.shl(i, 4)), i);
      m.set(i, m.add(i, 1));
      m.br(again);
    });
  });
}

/** Statement: stores the x87 state into an image that is known to be writable. */
export function saveX87(m: Machine, image: Image): void {
  storeImage(m, image, FX.cw, 16, m.get('fpuCw'));
  storeImage(m, image, FX.sw, 16, m.let(m.invoke<'i32'>(statusWord)));
  storeImage(m, image, FX.tags, 16, m.get('fpuTags'));
  storeImage(m, image, FX.fop, 16, m.get('fpuFop'));
  if (m.variant.size === 64) {
    storeImage(m, image, FX.fip, 64, m.get('fpuFip'));
    storeImage(m, image, FX.fdp, 64, m.get('fpuFdp'));
  } else {
    const low = (v: L): L => m.and(v, 0xffff_ffffn);
    const pair = (offset: L, sel: I): L => m.or(low(offset), m.shl(m.extU(m.and(sel, 0xffff)), 32));
    storeImage(m, image, FX.fip, 64, m.let(pair(m.get('fpuFip'), m.get('fpuFcs'))));
    storeImage(m, image, FX.fdp, 64, m.let(pair(m.get('fpuFdp'), m.get('fpuFds'))));
  }
  eachSlot(m, m.i32(8), (slot, i) => {
    const p = m.let(phys(m, i));
    storeImage(m, image, FX.st, 64, m.let(m.get('fpMant', p)), slot);
    storeImage(m, image, FX.st + 8, 64, m.let(m.extU(m.get('fpExp', p))), slot);
  });
}

/** Statement: stores MXCSR and its mask. */
export function saveMxcsr(m: Machine, image: Image): void {
  storeImage(m, image, FX.mxcsr, 32, m.get('mxcsr'));
  storeImage(m, image, FX.mask, 32, m.i32(MXCSR_MASK));
}

/** Statement: stores the first `count` XMM registers. */
export function saveXmm(m: Machine, image: Image, count: I): void {
  if (image.host !== undefined) {
    m.memoryCopy(m.add(image.host, FX.xmm), m.i32(cellAddress('xmm')), m.shl(count, 4));
    return;
  }
  eachSlot(m, m.let(count), (slot, i) => storeImage(m, image, FX.xmm, 128, m.let(m.get('xmm', i)), slot));
}

/** MXCSR of an image; #GP for bits that do not exist. */
export function readMxcsr(m: Machine, image: Image): I {
  const mxcsr = loadImage(m, image, FX.mxcsr, 32);
  m.raiseIf(m.and(mxcsr, ~MXCSR_MASK), Vec.GP, 0);
  return mxcsr;
}

/** Statement: loads the x87 state from an image that is known to be readable. */
export function restoreX87(m: Machine, image: Image): void {
  const cw = loadImage(m, image, FX.cw, 16);
  const sw = loadImage(m, image, FX.sw, 16);
  const tags = loadImage(m, image, FX.tags, 8);
  const fop = loadImage(m, image, FX.fop, 16);
  const fip = loadImage(m, image, FX.fip, 64);
  const fdp = loadImage(m, image, FX.fdp, 64);
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
  eachSlot(m, m.i32(8), (slot, i) => {
    const p = m.let(phys(m, i));
    m.put('fpMant', loadImage(m, image, FX.st, 64, slot), p);
    m.put('fpExp', loadImage(m, image, FX.st + 8, 16, slot), p);
  });
}

/** Statement: loads the first `count` XMM registers. */
export function restoreXmm(m: Machine, image: Image, count: I): void {
  if (image.host !== undefined) {
    m.memoryCopy(m.i32(cellAddress('xmm')), m.add(image.host, FX.xmm), m.shl(count, 4));
    return;
  }
  eachSlot(m, m.let(count), (slot, i) => m.put('xmm', loadImage(m, image, FX.xmm, 128, slot), i));
}
