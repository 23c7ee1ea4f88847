import type { Val } from '@sterna/wasm';
import type { Machine } from '../semantics/machine.ts';
import { type Micro, micro } from '../semantics/micro.ts';
import { Seg } from '../semantics/vectors.ts';
import { HOST_DEBUG, HOST_STOP } from '../state/cells-debug.ts';

/*
 * Breakpoints, watched ranges and steps of a debugger outside the guest. As for the guest's own breakpoints, the loop looks
 * at single instructions, but only in pages with a breakpoint: such pages are never in the jump cache, so every way into
 * one passes `lookup`, which sends the loop back to look. Watched ranges make accesses take the slow path, which notes what
 * it meets. All of it stands in cells that no guest instruction reads.
 */

/** What {@link hostBefore} answers. */
export const Before = { GO: 0, STOP: 1, SINGLE: 2 } as const;

/** Kinds of accesses for {@link noteHostAccess}: bits of cell hostWatchKind. */
export const HostAccess = { WRITE: 1, READ: 2 } as const;

/** Linear address of the instruction at `rip`. */
function codeAddress(m: Machine): Val<'i64'> {
  const linear = m.let(m.add(m.get('rip'), m.get('segEff', Seg.CS)));
  m.if(m.eqz(m.inLongMode()), () => m.set(linear, m.and(linear, 0xffff_ffff)));
  return linear;
}

/** 2 for a breakpoint at a linear address, 1 for one in its page, else 0. */
export const breakpointNear: Micro = micro('breakpoint_near', ['i64'], ['i32'], (m) => {
  const linear = m.param('i64', 0);
  const n = m.let(m.get('hostBreaks'));
  const near = m.local('i32');
  m.set(near, 0);
  m.block((done) => {
    m.loop((again) => {
      m.brIf(done, m.eqz(n));
      m.set(n, m.sub(n, 1));
      const differs = m.let(m.xor(m.get('hostBreak', n), linear));
      m.if(m.eqz(differs), () => m.return(m.i32(2)));
      m.if(m.eqz(m.shrU(differs, 12)), () => m.set(near, 1));
      m.br(again);
    });
  });
  m.return(near);
});

/** Before an instruction, while hostDebug is not 0: a {@link Before} value; sets hostNear, and hostStop for STOP. */
export const hostBefore: Micro = micro('host_before', [], ['i32'], (m) => {
  const near = m.let(m.invoke(breakpointNear, codeAddress(m)));
  m.if(m.eq(near, 2), () => {
    m.put('hostStop', HOST_STOP.BREAK);
    m.return(m.i32(Before.STOP));
  });
  m.put('hostNear', near);
  m.if(m.and(m.get('hostDebug'), HOST_DEBUG.STEP), () => {
    m.put('hostStepped', 1);
    m.return(m.i32(Before.SINGLE));
  });
  m.return(m.select(near, m.i32(Before.SINGLE), Before.GO));
});

/** After an instruction, while hostDebug is not 0: 1 when run() shall end, with hostStop set. */
export const hostAfter: Micro = micro('host_after', [], ['i32'], (m) => {
  const hit = m.let(m.get('hostWatchHit'));
  m.if(hit, () => {
    m.put('hostStop', m.or(m.i32(HOST_STOP.WATCH), m.shl(m.sub(hit, 1), 8)));
    m.put('hostWatchHit', 0);
    m.put('hostStepped', 0);
    m.return(m.i32(1));
  });
  const stepped = m.let(m.get('hostStepped'));
  m.if(stepped, () => {
    m.put('hostStop', HOST_STOP.STEP);
    m.put('hostStepped', 0);
  });
  m.return(stepped);
});

/** Statement: the running instruction will not complete; it is begun anew or an exception takes its place. */
export function forgetHostHits(m: Machine): void {
  m.put('hostWatchHit', 0);
}

/** Notes an access that overlaps a watched range: (linear, bytes, HostAccess bits). */
export const noteHostAccess: Micro = micro('note_host_access', ['i64', 'i32', 'i32'], [], (m) => {
  const linear = m.param('i64', 0);
  const last = m.let(m.sub(m.add(linear, m.extU(m.param('i32', 1))), 1));
  const n = m.let(m.get('hostWatches'));
  m.block((done) => {
    m.loop((again) => {
      m.brIf(done, m.eqz(n));
      m.set(n, m.sub(n, 1));
      const overlaps = m.and(m.leU(linear, m.get('hostWatchLast', n)), m.leU(m.get('hostWatchFirst', n), last));
      m.if(m.and(overlaps, m.ne(m.and(m.get('hostWatchKind', n), m.param('i32', 2)), 0)), () => {
        m.put('hostWatchHit', m.add(n, 1));
        // the loop looks after this instruction
        m.put('icRest', m.add(m.get('icRest'), m.get('icLeft')));
        m.put('icLeft', 0);
      });
      m.br(again);
    });
  });
});
