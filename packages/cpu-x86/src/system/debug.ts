import type { Val } from '@sterna/wasm';
import type { Machine } from '../semantics/machine.ts';
import { type Micro, micro } from '../semantics/micro.ts';
import { Seg } from '../semantics/vectors.ts';

/*
 * Breakpoints of DR0-DR3 (SDM volume 3, 18.2). While any is enabled (cell debugActive) the loop executes one instruction at
 * a time and compares its address before it; while one for data is enabled (cell watching) the processor uses the TLB that
 * stays empty, so that every access comes by the slow path, which notes hits in cell watchHit. Both cells are derived from
 * DR7 by updateMode. Without breakpoints nothing of this costs anything.
 */

const BREAKPOINTS = [0, 1, 2, 3] as const;
/** DR7.RWn. */
const RW = { EXECUTE: 0, WRITE: 1, IO: 2, ACCESS: 3 } as const;
/** RW bit 0 of all four: write or access. */
const ANY_DATA = 0x1111_0000;

const enabled = (m: Machine, dr7: Val<'i32'>, n: number): Val<'i32'> => m.and(m.shrU(dr7, 2 * n), 3);
const kind = (m: Machine, dr7: Val<'i32'>, n: number): Val<'i32'> => m.and(m.shrU(dr7, 16 + 4 * n), 3);
/** Bytes covered: 1, 2, 8 or 4 for LENn 0-3. */
function length(m: Machine, dr7: Val<'i32'>, n: number): Val<'i32'> {
  const len = m.let(m.and(m.shrU(dr7, 18 + 4 * n), 3));
  return m.let(m.select(m.eq(len, 2), m.i32(8), m.add(len, 1)));
}

/** DR7's low half, in which all its bits are. */
export function dr7Of(m: Machine): Val<'i32'> {
  return m.wrap(m.get('dr', 7));
}

/** Not 0 when any breakpoint is enabled. */
export function anyBreakpoint(m: Machine, dr7: Val<'i32'>): Val<'i32'> {
  return m.ne(m.and(dr7, 0xff), 0);
}

/** Not 0 when a breakpoint for data may be enabled. */
export function anyWatchpoint(m: Machine, dr7: Val<'i32'>): Val<'i32'> {
  return m.and(anyBreakpoint(m, dr7), m.ne(m.and(dr7, ANY_DATA), 0));
}

/** Notes a data access in watchHit when it overlaps a watched range: (linear, bytes, 1 for a write). */
export const noteAccess: Micro = micro('note_access', ['i64', 'i32', 'i32'], [], (m) => {
  const linear = m.param('i64', 0);
  const end = m.let(m.add(linear, m.extU(m.param('i32', 1))));
  const dr7 = m.let(dr7Of(m));
  for (const n of BREAKPOINTS) {
    const rw = m.let(kind(m, dr7, n));
    const matches = m.or(m.eq(rw, RW.ACCESS), m.and(m.eq(rw, RW.WRITE), m.param('i32', 2)));
    m.if(m.and(m.ne(enabled(m, dr7, n), 0), matches), () => {
      const bytes = m.let(m.extU(length(m, dr7, n)));
      const start = m.let(m.and(m.get('dr', n), m.sub(m.i64(0), bytes)));
      const overlaps = m.and(m.ltU(linear, m.add(start, bytes)), m.ltU(start, end));
      m.if(overlaps, () => m.put('watchHit', m.or(m.get('watchHit'), 1 << n)));
    });
  }
});

/** Notes a port access in watchHit: (port, bytes). The caller has checked CR4.DE. */
export const notePort: Micro = micro('note_port', ['i32', 'i32'], [], (m) => {
  const port = m.param('i32', 0);
  const end = m.let(m.add(port, m.param('i32', 1)));
  const dr7 = m.let(dr7Of(m));
  for (const n of BREAKPOINTS) {
    m.if(m.and(m.ne(enabled(m, dr7, n), 0), m.eq(kind(m, dr7, n), RW.IO)), () => {
      const bytes = length(m, dr7, n);
      const start = m.let(m.and(m.wrap(m.get('dr', n)), m.sub(m.i32(0), bytes)));
      const overlaps = m.and(m.ltU(port, m.add(start, bytes)), m.ltU(start, end));
      m.if(overlaps, () => m.put('watchHit', m.or(m.get('watchHit'), 1 << n)));
    });
  }
});

/** DR6 bits of the breakpoints that match the instruction at `rip`; 0 when none does. */
export const instructionHit: Micro = micro('instruction_hit', [], ['i32'], (m) => {
  const linear = m.let(m.add(m.get('rip'), m.get('segEff', Seg.CS)));
  m.if(m.eqz(m.inLongMode()), () => m.set(linear, m.and(linear, 0xffff_ffff)));
  const dr7 = m.let(dr7Of(m));
  const hit = m.local('i32');
  m.set(hit, 0);
  for (const n of BREAKPOINTS) {
    const matches = m.and(m.ne(enabled(m, dr7, n), 0), m.eq(kind(m, dr7, n), RW.EXECUTE));
    m.if(m.and(matches, m.eq(m.get('dr', n), linear)), () => m.set(hit, m.or(hit, 1 << n)));
  }
  m.return(hit);
});
