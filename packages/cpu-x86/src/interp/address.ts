import type { Val } from '@sterna/wasm';
import type { Machine } from '../semantics/machine.ts';
import { faultingMicro, type Micro, micro } from '../semantics/micro.ts';
import { Seg, Vec } from '../semantics/vectors.ts';
import { STATE_BASE } from '../state/memory-map.ts';
import { PROBE } from './access.ts';
import { ADDR, REC } from './records.ts';

/** Offset of a memory operand from its record: base + index * scale + displacement, cut to the address size. */
export const eaAny: Micro = micro('ea_any', ['i32'], ['i64'], (m) => {
  const rec = m.param('i32', 0);
  const desc = m.let(m.load('i32.8u', rec, REC.scale));
  const reg = (at: number): Val<'i64'> => m.load('i64', m.load('i32.8u', rec, at), STATE_BASE);
  const scaled = m.shl(reg(REC.index), m.extU(m.and(desc, 3)));
  const sum = m.let(m.add(m.add(reg(REC.reg2), scaled), m.load('i64.32s', rec, REC.disp)));
  const size = m.and(m.shrU(desc, ADDR.sizeShift), 3);
  m.if(m.eqz(size), () => m.return(sum));
  m.return(m.and(sum, m.select(m.eq(size, ADDR.size32), m.i64(0xffff_ffff), m.i64(0xffff))));
});

/** An offset cut to the address size of a descriptor (byte 5 of a record). */
export const cutOffset: Micro = micro('cut_offset', ['i32', 'i64'], ['i64'], (m) => {
  const size = m.and(m.shrU(m.param('i32', 0), ADDR.sizeShift), 3);
  const offset = m.param('i64', 1);
  m.if(m.eqz(size), () => m.return(offset));
  m.return(m.and(offset, m.select(m.eq(size, ADDR.size32), m.i64(0xffff_ffff), m.i64(0xffff))));
});

/**
 * Linear address of a segment offset with the checks of the mode; result in temp[7]. Parameters: address descriptor (byte 5
 * of a record), offset, size in bytes with PROBE.WRITE and PROBE.ALIGNED.
 */
export const linearAny: Micro = faultingMicro('linear_any', ['i32', 'i64', 'i32'], (m) => {
  const desc = m.param('i32', 0);
  const offset = m.param('i64', 1);
  const access = m.param('i32', 2);
  const seg = m.let(m.and(m.shrU(desc, ADDR.segShift), 7));
  const linear = m.let(m.add(offset, m.get('segEff', seg)));
  m.if(m.inLongMode(), () => {
    m.put('temp', linear, 7);
    m.return(m.i32(0));
  });
  m.if(m.ltU(seg, 6), () => checkSegment(m, seg, offset, access));
  m.put('temp', m.and(linear, 0xffff_ffff), 7);
});

function checkSegment(m: Machine, seg: Val<'i32'>, offset: Val<'i64'>, access: Val<'i32'>): void {
  const flags = m.let(m.get('segFlags', seg));
  const bad = m.local('i32');
  const last = m.let(m.sub(m.add(offset, m.extU(m.and(access, 0xffff))), 1));
  const limit = m.let(m.extU(m.get('segLimit', seg)));
  const isProtected = m.and(m.get('modeKey'), 8);
  m.if(isProtected, () => {
    const isCode = m.ne(m.and(flags, 0x800), 0);
    const rw = m.ne(m.and(flags, 0x200), 0);
    m.set(bad, m.eqz(m.and(flags, 0x8000)));
    // data: writes need W; code: never written, read only with R
    m.if(
      m.and(access, PROBE.WRITE),
      () => m.set(bad, m.or(bad, m.or(isCode, m.eqz(rw)))),
      () => m.set(bad, m.or(bad, m.and(isCode, m.eqz(rw)))),
    );
  });
  const expandDown = m.and(m.ne(isProtected, 0), m.eq(m.and(flags, 0xc00), 0x400));
  m.if(
    expandDown,
    () => {
      const top = m.select(m.and(flags, 0x40_0000), m.i64(0xffff_ffff), m.i64(0xffff));
      m.set(bad, m.or(bad, m.or(m.leU(offset, limit), m.gtU(last, top))));
    },
    () => m.set(bad, m.or(bad, m.gtU(last, limit))),
  );
  m.if(bad, () => {
    // an operand that is misaligned too raises #GP first
    const odd = m.ne(m.and(m.add(m.wrap(offset), m.wrap(m.get('segEff', seg))), 15), 0);
    const misaligned = m.and(m.ne(m.and(access, PROBE.ALIGNED), 0), odd);
    m.put('excVector', m.select(m.and(m.eq(seg, Seg.SS), m.eqz(misaligned)), m.i32(Vec.SS), m.i32(Vec.GP)));
    m.put('excError', 0);
    m.return(m.i32(1));
  });
}
