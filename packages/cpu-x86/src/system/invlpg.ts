import type { Val } from '@sterna/wasm';
import { flushPage, flushTlb, newGeneration } from '../interp/tlb.ts';
import type { Machine } from '../semantics/machine.ts';
import { type Micro, micro } from '../semantics/micro.ts';
import { LARGE_BITS } from '../state/cells-tlb.ts';
import { TLB, TLB_PLACE } from '../state/memory-map.ts';

/*
 * The TLB holds 4 KiB slices of large pages, and INVLPG on any address of a large page must drop all of them. Which regions
 * may have slices is remembered in filters (cells largePages and hugePages), set by the walk: regions hashed by their
 * number, kernel and user halves apart, so that INVLPG of a page that was never part of a large one stays cheap. Their bits
 * are cleared by a flush of everything.
 */

const REGION_SHIFT = 22;
const HUGE_SHIFT = 30;
const HALF_WORDS = LARGE_BITS / 64;

/** Word and bit of a linear address in the filter of large pages. */
function largePlace(m: Machine, linear: Val<'i64'>): { word: Val<'i32'>; bit: Val<'i64'> } {
  const half = m.mul(m.wrap(m.shrU(linear, 63)), HALF_WORDS);
  return {
    word: m.let(m.or(m.and(m.wrap(m.shrU(linear, REGION_SHIFT + 6)), HALF_WORDS - 1), half)),
    bit: m.shl(m.i64(1), m.and(m.shrU(linear, REGION_SHIFT), 63)),
  };
}

/** Bit of a linear address in the filter of 1 GiB pages. */
function hugeBit(m: Machine, linear: Val<'i64'>): Val<'i64'> {
  const half = m.and(m.shrU(linear, 58), 32);
  return m.shl(m.i64(1), m.or(m.and(m.shrU(linear, HUGE_SHIFT), 31), half));
}

/** Notes that the TLB may get slices of a large page of 2^bits bytes. */
export function noteLargePage(m: Machine, linear: Val<'i64'>, bits: number): void {
  if (bits > REGION_SHIFT) {
    m.put('hugePages', m.or(m.get('hugePages'), hugeBit(m, linear)));
    return;
  }
  const { word, bit } = largePlace(m, linear);
  m.put('largePages', m.or(m.get('largePages', word), bit), word);
}

/** INVLPG: drops every translation that may come from the page of a linear address. */
export const invalidatePage: Micro = micro('invalidate_page', ['i64'], [], (m) => {
  const linear = m.param('i64', 0);
  m.if(
    m.ne(m.and(m.get('hugePages'), hugeBit(m, linear)), 0),
    () => {
      m.do(m.functionOf(flushTlb));
      m.return();
    },
    undefined,
    false,
  );
  const { word, bit } = largePlace(m, linear);
  m.if(
    m.eqz(m.and(m.get('largePages', word), bit)),
    () => {
      m.do(m.functionOf(flushPage), linear);
      m.return();
    },
    undefined,
    true,
  );
  m.do(m.functionOf(newGeneration));
  const region = m.let(m.shrU(linear, REGION_SHIFT));
  // 4 MiB are 1024 consecutive slots; a region's start is a multiple of that
  const first = m.let(m.and(m.shl(m.wrap(region), 15), (TLB.entries - 1) * TLB.stride));
  const at = m.local('i32');
  for (const place of Object.values(TLB_PLACE)) {
    m.set(at, m.add(m.add(first, m.get('tlbArea')), place));
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
