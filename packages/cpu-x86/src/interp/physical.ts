import { MEMORY_LAYOUT, PAGE_CLEAN_LIMIT, PAGE_CODE, PAGE_MAP_READ, PAGE_MAP_WRITE } from '@sterna/core';
import type { Val } from '@sterna/wasm';
import type { Machine } from '../semantics/machine.ts';
import { type Micro, micro } from '../semantics/micro.ts';
import { CPU_MAP } from '../state/memory-map.ts';
import { codeWritten, mmioRead, mmioWrite } from './host.ts';

/** Page map entry of a physical address below the map's span. */
export function mapEntry(m: Machine, phys: Val<'i64'>): Val<'i32'> {
  return m.load('i32', m.shl(m.wrap(m.shrU(phys, 12)), 2), MEMORY_LAYOUT.pageMap);
}

/** Host address in an entry plus the offset of `low` in the page. */
export function hostAddress(m: Machine, entry: Val<'i32'>, low: Val<'i32'>): Val<'i32'> {
  return m.or(m.and(entry, -4096), m.and(low, 0xfff));
}

/** A write to a page with these flags counts for this vCPU if it is the first since it was looked at. */
export function countDirtied(m: Machine, flags: Val<'i32'>): void {
  m.if(m.and(flags, PAGE_CLEAN_LIMIT), () => m.put('dirtied', m.add(m.get('dirtied'), 1)), undefined, false);
}

/**
 * Notes that RAM at a host address is being written outside a TLB write tag: clears the clean and untouched flags and drops
 * decoded code. Parameters: host address, bytes (within one page).
 */
export const noteWrite: Micro = micro('note_write', ['i32', 'i32'], [], (m) => {
  const host = m.param('i32', 0);
  const page = m.let(m.shrU(host, 12));
  const flags = m.let(m.load('i32.8u', page, MEMORY_LAYOUT.pageFlags));
  m.if(m.eqz(flags), () => m.return());
  countDirtied(m, flags);
  const code = m.let(m.and(flags, PAGE_CODE));
  m.store('i32.8', page, code, MEMORY_LAYOUT.pageFlags);
  m.if(m.eqz(code), () => m.return());
  const lines = m.let(m.load('i64', m.shl(m.and(page, 0xffff), 3), CPU_MAP.lineMap));
  const first = m.let(m.extU(m.and(m.shrU(host, 6), 63)));
  const last = m.extU(m.and(m.shrU(m.sub(m.add(host, m.param('i32', 1)), 1), 6), 63));
  const span = m.sub(m.shl(m.i64(2), m.sub(last, first)), 1);
  m.if(m.eqz(m.eqz(m.and(m.shrU(lines, first), span))), () => void m.hostCall(codeWritten, host, m.param('i32', 1)));
});

/** Reads four bytes of physical memory (aligned); devices are asked, unassigned memory reads as ones. */
export const physLoad32: Micro = micro('phys_load32', ['i64'], ['i32'], (m) => {
  const phys = m.param('i64', 0);
  m.if(m.ltU(phys, m.i64(MEMORY_LAYOUT.pageMapSpan)), () => {
    const entry = m.let(mapEntry(m, phys));
    m.if(
      m.and(entry, PAGE_MAP_READ),
      () => m.return(m.load('i32', hostAddress(m, entry, m.wrap(phys)))),
      undefined,
      true,
    );
  });
  m.return(m.hostCall(mmioRead, m.wrap(phys), m.wrap(m.shrU(phys, 32)), m.i32(4)));
});

/** Reads eight bytes of physical memory (aligned). */
export const physLoad64: Micro = micro('phys_load64', ['i64'], ['i64'], (m) => {
  const phys = m.param('i64', 0);
  const low = m.let(m.invoke(physLoad32, phys));
  m.return(m.or(m.extU(low), m.shl(m.extU(m.invoke(physLoad32, m.add(phys, 4))), 32)));
});

/** Writes four bytes of physical memory (aligned). */
export const physStore32: Micro = micro('phys_store32', ['i64', 'i32'], [], (m) => {
  const phys = m.param('i64', 0);
  m.if(m.ltU(phys, m.i64(MEMORY_LAYOUT.pageMapSpan)), () => {
    const entry = m.let(mapEntry(m, phys));
    m.if(m.and(entry, PAGE_MAP_WRITE), () => {
      const host = m.let(hostAddress(m, entry, m.wrap(phys)));
      m.store('i32', host, m.param('i32', 1));
      m.do(m.functionOf(noteWrite), host, m.i32(4));
      m.return();
    });
  });
  m.hostCall(mmioWrite, m.wrap(phys), m.wrap(m.shrU(phys, 32)), m.i32(4), m.param('i32', 1));
});

/** Writes eight bytes of physical memory (aligned). */
export const physStore64: Micro = micro('phys_store64', ['i64', 'i64'], [], (m) => {
  const phys = m.param('i64', 0);
  const value = m.param('i64', 1);
  m.do(m.functionOf(physStore32), phys, m.wrap(value));
  m.do(m.functionOf(physStore32), m.add(phys, 4), m.wrap(m.shrU(value, 32)));
});
