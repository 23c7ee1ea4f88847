import type { Local, Val } from '@sterna/wasm';
import type { Machine } from '../semantics/machine.ts';
import { faultingMicro, type Micro } from '../semantics/micro.ts';
import { Reg, Seg, Vec } from '../semantics/vectors.ts';
import { Desc } from './bits.ts';
import { descBase, descLimit, dplOf, isNull, SYSTEM, selectorError, stackMaskOf, tableAddress } from './common.ts';
import { type Fetched, fetched } from './segments.ts';

const STACK = { stack: true } as const;
const SYSTEM_STACK = { stack: true, system: true } as const;

/** Stores 2, 4 or 8 bytes (address, value, bytes, supervisor rights). */
export const storeSized: Micro = faultingMicro('store_sized', ['i64', 'i64', 'i32', 'i32'], (m) => {
  const at = m.param('i64', 0);
  const value = m.param('i64', 1);
  const bytes = m.param('i32', 2);
  const store = (options: typeof STACK): void => {
    m.if(
      m.eq(bytes, 8),
      () => m.storeLinear(at, 64, value, options),
      () => {
        const low = m.let(m.wrap(value));
        m.if(
          m.eq(bytes, 4),
          () => m.storeLinear(at, 32, low, options),
          () => m.storeLinear(at, 16, low, options),
        );
      },
    );
  };
  m.if(
    m.param('i32', 3),
    () => store(SYSTEM_STACK),
    () => store(STACK),
  );
});

/** Loads 2, 4 or 8 bytes (address, bytes) with the current rights into temp[0], zero-extended. */
export const loadSized: Micro = faultingMicro('load_sized', ['i64', 'i32'], (m) => {
  const at = m.param('i64', 0);
  const bytes = m.param('i32', 1);
  m.if(
    m.eq(bytes, 8),
    () => m.put('temp', m.loadLinear(at, 64, STACK), 0),
    () => {
      m.if(
        m.eq(bytes, 4),
        () => m.put('temp', m.extU(m.loadLinear(at, 32, STACK)), 0),
        () => m.put('temp', m.extU(m.loadLinear(at, 16, STACK)), 0),
      );
    },
  );
});

/** A stack that microcode pushes to or pops from before it commits to it. */
export interface StackCursor {
  readonly sp: Local<'i64'>;
  readonly mask: Val<'i64'>;
  readonly base: Val<'i64'>;
  readonly bytes: Val<'i32'>;
  /** Not 0: supervisor rights. Pushes only. */
  readonly system: Val<'i32'>;
}

/** The current stack, with elements of `bytes` bytes. */
export function currentStack(m: Machine, bytes: Val<'i32'>): StackCursor {
  const sp = m.local('i64');
  m.set(sp, m.sp());
  return { sp, mask: m.let(m.get('stackMask')), base: m.let(m.get('segEff', Seg.SS)), bytes, system: m.i32(0) };
}

/** Pushes a value; the cursor moves, the registers do not. */
export function pushTo(m: Machine, s: StackCursor, value: Val<'i64'>): void {
  m.set(s.sp, m.and(m.sub(s.sp, m.extU(s.bytes)), s.mask));
  m.invoke(storeSized, tableAddress(m, m.add(s.base, s.sp)), value, s.bytes, s.system);
}

/** Pops a value; the cursor moves, the registers do not. */
export function popFrom(m: Machine, s: StackCursor): Val<'i64'> {
  m.invoke(loadSized, tableAddress(m, m.add(s.base, s.sp)), s.bytes);
  m.set(s.sp, m.and(m.add(s.sp, m.extU(s.bytes)), s.mask));
  return m.let(m.get('temp', 0));
}

/** Commits a stack pointer: a 16-bit stack keeps the rest of the register. */
export function commitSp(m: Machine, sp: Val<'i64'>, mask: Val<'i64'>): void {
  const keep = m.select(m.eq(mask, 0xffff), m.i64(-0x1_0000), m.i64(0));
  m.put('regs', m.or(m.and(m.get('regs', Reg.SP), keep), m.and(sp, mask)), Reg.SP);
}

/** Reads SS:ESP of an inner level from the 16- or 32-bit TSS: temp[0] = ESP, temp[1] = SS. */
export const tssStack: Micro = faultingMicro('tss_stack', ['i32'], (m) => {
  const level = m.param('i32', 0);
  const is32 = m.let(m.and(m.shrU(m.get('trFlags'), 11), 1));
  const offset = m.let(m.shl(m.add(m.shl(level, 2), 2), is32));
  const last = m.add(offset, m.sub(m.shl(m.i32(4), is32), 1));
  m.raiseIf(m.gtU(last, m.get('trLimit')), Vec.TS, selectorError(m, m.get('trSel')));
  const at = m.let(m.add(m.get('trBase'), m.extU(offset)));
  m.if(
    is32,
    () => {
      const esp = m.loadLinear(tableAddress(m, at), 32, SYSTEM);
      m.put('temp', m.extU(m.loadLinear(tableAddress(m, m.add(at, 4)), 16, SYSTEM)), 1);
      m.put('temp', m.extU(esp), 0);
    },
    () => {
      const sp = m.loadLinear(tableAddress(m, at), 16, SYSTEM);
      m.put('temp', m.extU(m.loadLinear(tableAddress(m, m.add(at, 2)), 16, SYSTEM)), 1);
      m.put('temp', m.extU(sp), 0);
    },
  );
});

/** Reads a stack pointer from the 64-bit TSS into temp[0]: 0-2 RSP of a level, 4-10 IST 1-7. */
export const tssRsp: Micro = faultingMicro('tss_rsp', ['i32'], (m) => {
  const offset = m.let(m.add(m.shl(m.param('i32', 0), 3), 4));
  m.raiseIf(m.gtU(m.add(offset, 7), m.get('trLimit')), Vec.TS, selectorError(m, m.get('trSel')));
  m.put('temp', m.loadLinear(m.add(m.get('trBase'), m.extU(offset)), 64, SYSTEM), 0);
});

/**
 * Checks a stack selector that comes from a TSS for the inner level it is for. Faults are #TS, or #SS when it is only not
 * present.
 */
export function checkInnerStack(m: Machine, selector: Val<'i32'>, level: Val<'i32'>): Fetched {
  const error = m.let(selectorError(m, selector));
  m.raiseIf(m.or(isNull(m, selector), m.ne(m.and(selector, 3), level)), Vec.TS, error);
  const d = fetched(m, selector, Vec.TS);
  const writable = m.eq(m.and(d.high, Desc.S | Desc.CODE | Desc.RW), Desc.S | Desc.RW);
  m.raiseIf(m.or(m.eqz(writable), m.ne(dplOf(m, d.high), level)), Vec.TS, error);
  m.raiseIf(m.eqz(m.and(d.high, Desc.P)), Vec.SS, error);
  return d;
}

/** Cursor of a new stack described by a checked descriptor. */
export function innerStack(m: Machine, sp: Val<'i64'>, d: Fetched, bytes: Val<'i32'>): StackCursor {
  const mask = m.let(stackMaskOf(m, d.high));
  const cursor = m.local('i64');
  m.set(cursor, m.and(sp, mask));
  return { sp: cursor, mask, base: m.let(descBase(m, d.desc)), bytes, system: m.i32(1) };
}

/**
 * Raises #SS unless `bytes` bytes can be pushed from `sp` within a stack segment (16- and 32-bit modes).
 */
export function checkStackRoom(
  m: Machine,
  sp: Val<'i64'>,
  mask: Val<'i64'>,
  flags: Val<'i32'>,
  limit: Val<'i32'>,
  bytes: Val<'i32'> | number,
  error: Val<'i32'> | number,
): void {
  const first = m.let(m.and(m.sub(sp, m.extU(m.arg('i32', bytes))), mask));
  const last = m.let(m.and(m.sub(sp, 1), mask));
  const bound = m.let(m.extU(limit));
  const outside = m.select(
    m.and(flags, Desc.CE),
    m.or(m.leU(first, bound), m.gtU(last, mask)),
    m.or(m.gtU(last, bound), m.gtU(first, last)),
  );
  m.raiseIf(outside, Vec.SS, error);
}

/** Limit of a descriptor; re-exported shape for {@link checkStackRoom}. */
export function roomOf(m: Machine, d: Fetched): Val<'i32'> {
  return m.let(descLimit(m, d.desc));
}
