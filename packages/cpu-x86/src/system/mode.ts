import type { Val } from '@sterna/wasm';
import { ModeKey } from '../interp/records.ts';
import { newGeneration } from '../interp/tlb.ts';
import type { Machine } from '../semantics/machine.ts';
import { type Micro, micro } from '../semantics/micro.ts';
import { Flag, Seg } from '../semantics/vectors.ts';
import { CPU_MAP, TLB_PLACE } from '../state/memory-map.ts';
import { CR4, Desc } from './bits.ts';
import { anyBreakpoint, anyWatchpoint, dr7Of } from './debug.ts';

/** Cell flatSegments outside 64-bit mode: base 0, limit 4 GiB, present, and data writable upwards or code readable. */
function flatSegments(m: Machine): Val<'i32'> {
  const flat = m.local('i32');
  m.set(flat, 0);
  for (let s = 0; s < 6; s++) {
    const open = m.eqz(m.or(m.get('segBase', s), m.extU(m.xor(m.get('segLimit', s), -1))));
    const isCode = s === Seg.CS;
    const checked = Desc.P | Desc.S | Desc.CODE | Desc.RW | (isCode ? 0 : Desc.CE);
    const usable = m.eq(m.and(m.get('segFlags', s), checked), Desc.P | Desc.S | Desc.RW | (isCode ? Desc.CODE : 0));
    m.set(flat, m.or(flat, m.shl(m.and(open, usable), s)));
  }
  return flat;
}

/** modeKey of 64-bit mode. */
const KEY_64 = 2 | ModeKey.protected;

/** Everything that depends on the code and stack segment, outside 64-bit mode also on the others. Returns the mode key. */
const updateSegments: Micro = micro('update_segments', ['i32', 'i32'], ['i32'], (m) => {
  const long = m.param('i32', 0);
  const isProtected = m.param('i32', 1);
  const code = m.let(m.select(long, m.i32(2), m.and(m.shrU(m.get('segFlags', Seg.CS), 22), 1)));
  const stack32 = m.let(m.and(m.and(m.eqz(long), m.shrU(m.get('segFlags', Seg.SS), 22)), 1));
  const key = m.let(m.or(m.or(code, m.shl(stack32, 2)), m.shl(isProtected, 3)));
  m.put('modeKey', key);
  m.put('stackMask', m.select(long, m.i64(-1), m.select(stack32, m.i64(0xffff_ffff), 0xffff)));
  m.put('ipMask', m.select(long, m.i64(-1), m.select(code, m.i64(0xffff_ffff), 0xffff)));
  // the jump cache is searched by offset, so it is void when offsets mean other linear addresses
  const codeBase = m.let(m.select(long, m.i64(0), m.get('segBase', Seg.CS)));
  m.if(m.ne(codeBase, m.get('segEff', Seg.CS)), () => m.do(m.functionOf(newGeneration)), undefined, false);
  for (let s = 0; s < 6; s++) {
    const base = m.get('segBase', s);
    m.put('segEff', s < 4 ? m.select(long, m.i64(0), base) : base, s);
  }
  m.if(
    long,
    () => m.put('flatSegments', 0x3f),
    () => m.put('flatSegments', flatSegments(m)),
  );
  m.return(key);
});

/** Bit of debugActive: the code segment ends inside a page, so the limit is checked for each instruction. */
export const CODE_LIMITED = 2;

/** Cells debugActive and watching. */
const updateDebug: Micro = micro('update_debug', ['i32'], [], (m) => {
  const dr7 = m.let(dr7Of(m));
  m.put('debugActive', m.or(anyBreakpoint(m, dr7), m.param('i32', 0)));
  m.put('watching', anyWatchpoint(m, dr7));
});

/**
 * Derives everything that depends on the mode from segments, CR0, CR4, EFER, EFLAGS and DR7: cpl, modeKey, effective bases,
 * masks, the TLB in use and the jump cache's key. Call it after any change of those.
 */
export const updateMode: Micro = micro('update_mode', [], [], (m) => {
  const flags = m.let(m.get('eflags'));
  const vm = m.let(m.ne(m.and(flags, Flag.VM), 0));
  const cr0 = m.let(m.wrap(m.get('cr0')));
  const ss = m.let(m.get('segFlags', Seg.SS));
  const isProtected = m.let(m.and(m.and(cr0, 1), m.eqz(vm)));
  const cpl = m.let(m.select(vm, m.i32(3), m.select(isProtected, m.and(m.shrU(ss, 13), 3), 0)));
  m.put('cpl', cpl);
  const wide = m.and(m.shrU(m.get('segFlags', Seg.CS), 21), 1);
  const long = m.let(m.and(m.shrU(m.wrap(m.get('efer')), 10), wide));
  const key = m.local('i32');
  m.set(key, KEY_64);
  const limited = m.local('i32');
  m.set(limited, 0);
  m.if(
    m.and(m.and(long, isProtected), m.eq(m.get('modeKey'), KEY_64)),
    () => {
      // between levels of 64-bit mode nothing but FS and GS can differ
      for (const s of [Seg.FS, Seg.GS]) m.put('segEff', m.get('segBase', s), s);
    },
    () => {
      m.set(key, m.invoke(updateSegments, long, isProtected));
      const end = m.add(m.add(m.wrap(m.get('segBase', Seg.CS)), m.get('segLimit', Seg.CS)), 1);
      const inside = m.ne(m.and(end, 0xfff), 0);
      m.set(limited, m.shl(m.and(m.and(isProtected, m.eqz(long)), inside), 1));
    },
    true,
  );
  const dr7 = m.and(dr7Of(m), 0xff);
  m.if(
    m.or(m.or(dr7, limited), m.get('debugActive')),
    () => m.do(m.functionOf(updateDebug), limited),
    undefined,
    false,
  );
  const user = m.let(m.eq(cpl, 3));
  const place = m.local('i32');
  m.set(place, m.select(user, m.i32(TLB_PLACE.user), TLB_PLACE.kernel));
  // the TLB that stays empty brings every access to the slow path
  const slow = m.local('i32');
  m.set(slow, m.or(m.get('watching'), m.get('hostWatches')));
  m.if(
    m.and(flags, Flag.AC),
    () => {
      m.set(slow, m.or(slow, m.and(user, m.and(m.shrU(cr0, 18), 1))));
      m.if(m.and(m.eqz(user), m.ne(m.and(m.wrap(m.get('cr4')), CR4.SMAP), 0)), () => {
        m.put('tlbAccessUsed', 1);
        m.set(place, TLB_PLACE.access);
      });
    },
    undefined,
    false,
  );
  const fast = m.let(m.add(m.get('tlbArea'), place));
  m.put('tlbData', fast);
  m.put('tlbBase', m.select(slow, m.i32(CPU_MAP.tlbAligned), fast));
  const generation = m.select(user, m.get('jcUserGeneration'), m.get('jcGeneration'));
  m.put('jcKey', m.or(m.or(key, m.shl(user, 4)), m.shl(generation, 5)));
});
