import type { Val } from '@sterna/wasm';
import { flushPage, flushTlb } from '../interp/tlb.ts';
import type { Machine } from '../semantics/machine.ts';
import { type Micro, micro } from '../semantics/micro.ts';
import { CPU_MAP, TLB } from '../state/memory-map.ts';

/*
 * The TLB holds 4 KiB slices of large pages, and INVLPG on any address of a large page must drop all of them. Which regions
 * may have slices is remembered in a filter of 64 bits (cell largeFilter), set by the walk: 4 MiB regions hashed by their
 * number, kernel and user halves apart, so that INVLPG in a program without large pages stays cheap. Its bits are never
 * cleared but by a reset.
 */

const REGION_SHIFT = 22;

/** Bit of the filter for a linear address. */
function filterBit(m: Machine, linear: Val<'i64'>): Val<'i64'> {
  const half = m.and(m.shrU(linear, 58), 32);
  return m.shl(m.i64(1), m.or(m.and(m.shrU(linear, REGION_SHIFT), 31), half));
}

/** Notes that the TLB may get slices of a large page of 2^bits bytes. */
export function noteLargePage(m: Machine, linear: Val<'i64'>, bits: number): void {
  m.put('largeFilter', m.or(m.get('largeFilter'), filterBit(m, linear)));
  if (bits > REGION_SHIFT) m.put('hugePages', 1);
}

/** INVLPG: drops every translation that may come from the page of a linear address. */
export const invalidatePage: Micro = micro('invalidate_page', ['i64'], [], (m) => {
  const linear = m.param('i64', 0);
  m.if(m.get('hugePages'), () => {
    m.do(m.functionOf(flushTlb));
    m.return();
  });
  m.do(m.functionOf(flushPage), linear);
  m.if(m.eqz(m.and(m.get('largeFilter'), filterBit(m, linear))), () => m.return(), undefined, true);
  const region = m.let(m.shrU(linear, REGION_SHIFT));
  // 4 MiB are 1024 consecutive slots; a region's start is a multiple of that
  const first = m.let(m.and(m.shl(m.wrap(region), 15), (TLB.entries - 1) * TLB.stride));
  const at = m.local('i32');
  for (const base of [CPU_MAP.tlbKernel, CPU_MAP.tlbUser]) {
    m.set(at, m.add(first, base));
    const end = m.let(m.add(at, 1024 * TLB.stride));
    m.loop((again) => {
      for (const tag of [TLB.read, TLB.write, TLB.exec]) {
        m.if(m.eq(m.shrU(m.load('i64', at, tag), REGION_SHIFT), region), () => m.store('i64', at, m.i64(-1), tag));
      }
      m.set(at, m.add(at, TLB.stride));
      m.brIf(again, m.ltU(at, end));
    });
  }
});
