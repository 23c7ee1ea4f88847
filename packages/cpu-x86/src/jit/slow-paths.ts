import { MEMORY_LAYOUT, PAGE_CODE } from '@sterna/core';
import type { Val } from '@sterna/wasm';
import { crosses } from '../interp/crossing.ts';
import { REC } from '../interp/records.ts';
import { entryAddress, PROBE, tlbOf, translate } from '../interp/translate.ts';
import type { Machine } from '../semantics/machine.ts';
import { type Micro, micro } from '../semantics/micro.ts';
import { Leave } from '../semantics/vectors.ts';
import { cellAddress } from '../state/layout.ts';
import { CPU_MAP, TLB } from '../state/memory-map.ts';
import { ACCESS, walk } from '../system/walk.ts';

/** Host address meaning "a device" in `translate`'s result; 0 is a fault. */
const LAST_SPECIAL = 1;
type Two = [[Val<'i32'>, Val<'i32'>], [Val<'i32'>, Val<'i32'>]];
const HANDLER_TYPE = { params: ['i32'], results: ['i32'] } as const;

/** Host address for a load within one page that missed the TLB, 0 when it is not plain RAM. Parameters: linear, size. */
const readInPage: Micro = micro('region_read_in_page', ['i64', 'i32'], ['i32'], (m) => {
  const linear = m.param('i64', 0);
  const access = m.param('i32', 1);
  const at = m.let(entryAddress(m, tlbOf(m, access), linear));
  m.if(m.eq(m.load('i64', at, TLB.read), m.and(linear, -4096)), () =>
    m.return(m.add(m.wrap(linear), m.load('i32', at, TLB.addend))),
  );
  const host = m.let(m.invoke(translate, linear, access));
  m.return(m.select(m.leU(host, LAST_SPECIAL), m.i32(0), host));
});

/** As {@link readInPage} for a store or a read-modify-write; 0 also when code is there, so that the interpreter drops it. */
const writeInPage: Micro = micro('region_write_in_page', ['i64', 'i32'], ['i32'], (m) => {
  const linear = m.param('i64', 0);
  const size = m.param('i32', 1);
  const host = m.let(m.invoke(translate, linear, m.or(size, PROBE.WRITE)));
  m.if(m.leU(host, LAST_SPECIAL), () => m.return(m.i32(0)));
  const page = m.let(m.shrU(host, 12));
  m.if(m.and(m.load('i32.8u', page, MEMORY_LAYOUT.pageFlags), PAGE_CODE), () => {
    const lines = m.load('i64', m.shl(m.and(page, 0xffff), 3), CPU_MAP.lineMap);
    const first = m.let(m.extU(m.and(m.shrU(host, 6), 63)));
    const last = m.extU(m.and(m.shrU(m.sub(m.add(host, size), 1), 6), 63));
    const span = m.sub(m.shl(m.i64(2), m.sub(last, first)), 1);
    m.if(m.ne(m.and(m.shrU(lines, first), span), 0), () => m.return(m.i32(0)));
  });
  m.return(host);
});

/** The two parts of an access over the end of a page: host addresses and sizes. Returns 0 from the function where one is 0. */
function parts(m: Machine, linear: Val<'i64'>, size: Val<'i32'>, inPage: Micro): Two {
  const first = m.let(m.sub(m.i32(4096), m.and(m.wrap(linear), 0xfff)));
  const rest = m.let(m.sub(size, first));
  const next = m.let(m.add(m.or(linear, 0xfff), 1));
  m.if(m.eqz(m.inLongMode()), () => m.set(next, m.and(next, 0xffff_ffff)));
  const a = m.let(m.invoke(inPage, linear, first));
  m.if(m.eqz(a), () => m.return(m.i32(0)));
  const b = m.let(m.invoke(inPage, next, rest));
  m.if(m.eqz(b), () => m.return(m.i32(0)));
  return [
    [a, first],
    [b, rest],
  ];
}

/**
 * Host address for a load of a region that missed the TLB: plain RAM, or the load scratch area with what lies on both sides of
 * the end of a page. 0: the interpreter must execute the instruction (fault, device, alignment checks or breakpoints).
 * Parameters: linear, size.
 */
export const regionRead: Micro = micro('region_read', ['i64', 'i32'], ['i32'], (m) => {
  const linear = m.param('i64', 0);
  const size = m.param('i32', 1);
  m.if(m.eq(m.get('tlbBase'), CPU_MAP.tlbAligned), () => m.return(m.i32(0)));
  m.if(m.eqz(crosses(m, linear, size)), () => m.return(m.invoke(readInPage, linear, size)));
  const scratch = m.i32(cellAddress('loadScratch'));
  const [[a, first], [b, rest]] = parts(m, linear, size, readInPage);
  m.memoryCopy(scratch, a, first);
  m.memoryCopy(m.add(scratch, first), b, rest);
  m.return(scratch);
});

/** As {@link regionRead} for a store or a read-modify-write; never over the end of a page. */
export const regionWrite: Micro = micro('region_write', ['i64', 'i32'], ['i32'], (m) => {
  const linear = m.param('i64', 0);
  const size = m.param('i32', 1);
  const slow = m.or(m.eq(m.get('tlbBase'), CPU_MAP.tlbAligned), crosses(m, linear, size));
  m.if(slow, () => m.return(m.i32(0)));
  m.return(m.invoke(writeInPage, linear, size));
});

/**
 * As {@link regionWrite} for a store whose value is in the load scratch area: one over the end of a page is done here, and the
 * address returned is one where it may be done again.
 */
export const regionStore: Micro = micro('region_store', ['i64', 'i32'], ['i32'], (m) => {
  const linear = m.param('i64', 0);
  const size = m.param('i32', 1);
  m.if(m.eq(m.get('tlbBase'), CPU_MAP.tlbAligned), () => m.return(m.i32(0)));
  m.if(m.eqz(crosses(m, linear, size)), () => m.return(m.invoke(writeInPage, linear, size)));
  const scratch = m.i32(cellAddress('loadScratch'));
  const [[a, first], [b, rest]] = parts(m, linear, size, writeInPage);
  m.memoryCopy(a, scratch, first);
  m.memoryCopy(b, m.add(scratch, first), rest);
  m.return(m.i32(cellAddress('rmwScratch')));
});

/**
 * Executes one instruction of a region by its interpreter function, with all state in memory. Parameters: record, table slot
 * of its function, instructions left after it. Returns 0 to go on after it, else what the region returns.
 */
export const regionCall: Micro = micro('region_call', ['i32', 'i32', 'i32'], ['i32'], (m) => {
  const rec = m.param('i32', 0);
  const left = m.param('i32', 2);
  m.put('icLeft', left);
  const epoch = m.let(m.get('codeEpoch'));
  const next = m.let(m.callIndirect(HANDLER_TYPE, m.param('i32', 1), [rec]));
  const quiet = m.and(m.eq(m.get('icLeft'), left), m.eq(m.get('codeEpoch'), epoch));
  m.if(m.and(m.eq(next, m.add(rec, REC.size)), quiet), () => m.return(m.i32(0)), undefined, true);
  // not 0, and not of this record: nobody may execute it again, as it may have read a device
  m.if(m.eq(next, Leave.FAULT), () => {
    m.put('faultRecord', rec);
    m.return(m.i32(Leave.FAULT_AT));
  });
  m.return(next);
});

/**
 * Whether a linear page can be executed and is the given host page, when its execute tag does not say so. What the interpreter
 * would change by going there (A bits, a fault) is left to it. Parameters: linear, host page.
 */
export const regionPage: Micro = micro('region_page', ['i64', 'i32'], ['i32'], (m) => {
  const linear = m.param('i64', 0);
  const user = m.select(m.eq(m.get('cpl'), 3), m.i32(ACCESS.USER), 0);
  m.if(m.invoke(walk, linear, m.or(user, ACCESS.EXEC | ACCESS.PROBE | ACCESS.SETTLED)), () => m.return(m.i32(0)));
  m.return(m.eq(m.invoke(translate, linear, m.i32(PROBE.EXEC)), m.param('i32', 1)));
});
