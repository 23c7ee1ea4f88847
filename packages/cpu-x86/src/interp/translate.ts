import { MEMORY_LAYOUT, PAGE_CODE, PAGE_MAP_READ, PAGE_MAP_WRITE, PAGE_MISSING, PAGE_PROTECTED } from '@sterna/core';
import type { Val } from '@sterna/wasm';
import type { Machine } from '../semantics/machine.ts';
import { type Micro, micro } from '../semantics/micro.ts';
import { PAGE_WAIT, Vec } from '../semantics/vectors.ts';
import { TLB, TLB_PLACE } from '../state/memory-map.ts';
import { ACCESS, WALK, walk } from '../system/walk.ts';
import { countDirtied, mapEntry } from './physical.ts';
import { listEntry, TLB_GLOBAL, TLB_UNLISTED } from './tlb.ts';

/** Bits beside the size (low half) in the last parameter of the access functions. */
export const PROBE = {
  WRITE: 0x1_0000,
  SYSTEM: 0x2_0000,
  STACK: 0x4_0000,
  EXEC: 0x8_0000,
  ALIGNED: 0x10_0000,
} as const;

/** From CR4.SMAP to ACCESS.SMAP. */
const SMAP_SHIFT = 17;

/** Host address meaning "a device": never a real one. walkPhys holds the physical page. */
export const DEVICE = 1;

/** TLB that holds the translation of an access, by its rights. */
export function tlbOf(m: Machine, options: Val<'i32'>): Val<'i32'> {
  return m.select(m.and(options, PROBE.SYSTEM), m.get('tlbArea'), m.get('tlbData'));
}

/** ACCESS.SMAP when user pages are closed to accesses that go by a TLB. */
function smapOf(m: Machine, tlb: Val<'i32'>): Val<'i32'> {
  const closed = m.eq(tlb, m.get('tlbArea'));
  return m.and(m.shrU(m.wrap(m.get('cr4')), SMAP_SHIFT), m.shl(closed, 4));
}

/** TLB entry of a linear address. */
export function entryAddress(m: Machine, base: Val<'i32'>, linear: Val<'i64'>): Val<'i32'> {
  return m.add(base, m.and(m.wrap(m.shrU(linear, 7)), (TLB.entries - 1) * TLB.stride));
}

/**
 * Translates one linear address by walking the page tables and fills the TLB. Parameters: linear, options (PROBE bits).
 * Returns the host address, 1 for a device, or 0 with the exception described.
 */
export const translate: Micro = micro('translate', ['i64', 'i32'], ['i32'], (m) => {
  const linear = m.param('i64', 0);
  const options = m.param('i32', 1);
  const isWrite = m.let(m.ne(m.and(options, PROBE.WRITE), 0));
  const isExec = m.let(m.ne(m.and(options, PROBE.EXEC), 0));
  m.if(
    m.ne(m.shrS(m.shl(linear, 16), 16), linear),
    () => {
      m.put('excVector', m.select(m.and(options, PROBE.STACK), m.i32(Vec.SS), m.i32(Vec.GP)));
      // told from other #GP so that the fault path can turn it into #SS for operands based on RSP or RBP
      m.put('excError', 0);
      m.put('excAddr', -1);
      m.return(m.i32(0));
    },
    undefined,
    false,
  );
  const tlb = m.let(tlbOf(m, options));
  const user = m.let(m.eq(tlb, m.add(m.get('tlbArea'), TLB_PLACE.user)));
  const access = m.or(
    m.or(m.select(isWrite, m.i32(ACCESS.WRITE), 0), m.select(isExec, m.i32(ACCESS.EXEC), 0)),
    m.select(user, m.i32(ACCESS.USER), smapOf(m, tlb)),
  );
  m.if(m.invoke(walk, linear, access), () => m.return(m.i32(0)), undefined, false);
  const phys = m.let(m.get('walkPhys'));
  m.if(m.geU(phys, m.i64(MEMORY_LAYOUT.pageMapSpan)), () => m.return(m.i32(DEVICE)), undefined, false);
  const map = m.let(mapEntry(m, phys));
  m.if(m.eqz(m.and(map, m.select(isWrite, m.i32(PAGE_MAP_WRITE), PAGE_MAP_READ))), () => m.return(m.i32(DEVICE)));
  const host = m.let(m.and(map, -4096));
  const page = m.let(m.shrU(host, 12));
  const flags = m.let(m.load('i32.8u', page, MEMORY_LAYOUT.pageFlags));
  m.if(
    m.and(flags, m.select(isWrite, m.i32(PAGE_MISSING | PAGE_PROTECTED), PAGE_MISSING)),
    () => {
      m.put('excVector', PAGE_WAIT);
      m.put('excError', host);
      m.return(m.i32(0));
    },
    undefined,
    false,
  );
  m.if(isWrite, () => {
    countDirtied(m, flags);
    m.set(flags, m.and(flags, PAGE_CODE));
    m.store('i32.8', page, flags, MEMORY_LAYOUT.pageFlags);
  });
  const tag = m.let(m.and(linear, -4096));
  const at = m.let(entryAddress(m, tlb, linear));
  const allowed = m.let(m.get('walkFlags'));
  const readable = m.and(m.ne(m.and(allowed, WALK.READ), 0), m.ne(m.and(map, PAGE_MAP_READ), 0));
  m.store('i64', at, m.select(readable, tag, -1), TLB.read);
  const writable = m.and(m.and(m.ne(m.and(allowed, WALK.WRITE), 0), m.eqz(flags)), m.ne(m.and(map, PAGE_MAP_WRITE), 0));
  m.store('i64', at, m.select(writable, tag, -1), TLB.write);
  m.store(
    'i64',
    at,
    m.select(m.and(m.ne(m.and(allowed, WALK.EXEC), 0), m.ne(m.and(map, PAGE_MAP_READ), 0)), tag, -1),
    TLB.exec,
  );
  m.store('i32', at, m.sub(host, m.wrap(tag)), TLB.addend);
  const listed = m.let(m.eqz(m.and(m.load('i32', at, TLB.flags), TLB_UNLISTED)));
  m.if(
    m.and(allowed, WALK.GLOBAL),
    () => m.store('i32', at, m.select(listed, m.i32(TLB_GLOBAL), TLB_GLOBAL | TLB_UNLISTED), TLB.flags),
    () => {
      m.store('i32', at, m.i32(0), TLB.flags);
      m.if(m.eqz(listed), () => listEntry(m, at, user));
    },
  );
  m.return(m.or(host, m.and(m.wrap(linear), 0xfff)));
});
