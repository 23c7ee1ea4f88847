import { CpuExit } from '@sterna/core';
import type { Val } from '@sterna/wasm';
import type { Machine } from '../semantics/machine.ts';
import { faultingMicro, type Micro, micro } from '../semantics/micro.ts';
import { Flag, PAGE_WAIT, Reg, Seg, Vec } from '../semantics/vectors.ts';
import { Desc, DR7_GD, SysType } from './bits.ts';
import {
  descHigh,
  descLimit,
  dplOf,
  fullFlags,
  isCanonical,
  isNull,
  longModeActive,
  protectedMode,
  SYSTEM,
  selectorError,
  setSegment,
  setSegmentFrom,
  setSegmentReal,
  tableAddress,
  vm86,
} from './common.ts';
import { updateMode } from './mode.ts';
import { accessed, type Fetched, fetched, markAccessed } from './segments.ts';
import {
  checkInnerStack,
  checkStackRoom,
  commitSp,
  innerStack,
  pushTo,
  roomOf,
  type StackCursor,
  tssRsp,
  tssStack,
} from './stack.ts';
import { TASK_SOURCE, taskSwitch } from './task.ts';

/** `deliverEvent`'s kind: INT n, INT3, INTO (gate DPL is checked). */
export const KIND_SOFT = 1;
/** Kind: external interrupt or NMI. */
export const KIND_EXTERNAL = 2;
/** Internal kind bit: an error code is pushed. */
const PUSH_ERROR = 4;

const bitSet = (...vectors: number[]): number => vectors.reduce((mask, v) => mask | (1 << v), 0);
/** Vectors with an error code. */
const HAS_ERROR = bitSet(Vec.DF, Vec.TS, Vec.NP, Vec.SS, Vec.GP, Vec.PF, Vec.AC);
/** Exceptions that do not put RF = 1 in the pushed flags: traps, aborts and #DB. */
const NOT_FAULT = bitSet(Vec.DB, Vec.BP, Vec.OF, Vec.DF, Vec.MC);
/** Contributory exceptions (SDM volume 3, table 6-5). */
const CONTRIBUTORY = bitSet(Vec.DE, Vec.TS, Vec.NP, Vec.SS, Vec.GP);

function inSet(m: Machine, set: number, vector: Val<'i32'>): Val<'i32'> {
  return m.and(m.shrU(m.i32(set), vector), m.ltU(vector, 32));
}

/** Flags that every delivery clears; an interrupt gate clears IF too. */
function clearFlags(m: Machine, alsoIf: Val<'i32'>): void {
  const cleared = m.or(m.i32(Flag.TF | Flag.VM | Flag.RF | Flag.NT), m.select(alsoIf, m.i32(Flag.IF), 0));
  m.put('eflags', m.and(m.get('eflags'), m.not(cleared)));
  m.put('shadow', 0);
  m.put('trapArmed', 0);
}

/** Real mode: (vector, return offset, flags). */
const deliverReal = faultingMicro('deliver_real', ['i32', 'i64', 'i32'], (m) => {
  const vector = m.param('i32', 0);
  const offset = m.let(m.shl(vector, 2));
  m.raiseIf(m.gtU(m.add(offset, 3), m.get('idtLimit')), Vec.GP, m.or(m.shl(vector, 3), 2));
  const at = m.let(m.add(m.get('idtBase'), m.extU(offset)));
  const entry = m.loadLinear(at, 32, SYSTEM);
  const sp = m.local('i64');
  m.set(sp, m.sp());
  const s: StackCursor = {
    sp,
    mask: m.let(m.get('stackMask')),
    base: m.let(m.get('segBase', Seg.SS)),
    bytes: m.i32(2),
    system: m.i32(1),
  };
  pushTo(m, s, m.extU(m.param('i32', 2)));
  pushTo(m, s, m.extU(m.get('segSel', Seg.CS)));
  pushTo(m, s, m.param('i64', 1));
  commitSp(m, s.sp, s.mask);
  setSegmentReal(m, Seg.CS, m.let(m.shrU(entry, 16)));
  m.put('rip', m.extU(m.and(entry, 0xffff)));
  m.put('eflags', m.and(m.get('eflags'), ~(Flag.IF | Flag.TF | Flag.AC | Flag.RF)));
  m.put('shadow', 0);
  m.put('trapArmed', 0);
  m.invoke(updateMode);
});

/** A gate's target code segment, checked. */
interface Target {
  readonly selector: Val<'i32'>;
  readonly d: Fetched;
  /** CPL of the handler. */
  readonly level: Val<'i32'>;
}

function gateTarget(m: Machine, selector: Val<'i32'>, long: boolean): Target {
  m.raiseIf(isNull(m, selector), Vec.GP, 0);
  const d = fetched(m, selector);
  const error = m.let(selectorError(m, selector));
  const cpl = m.let(m.cpl());
  const dpl = m.let(dplOf(m, d.high));
  const code = m.eq(m.and(d.high, Desc.S | Desc.CODE), Desc.S | Desc.CODE);
  m.raiseIf(m.or(m.eqz(code), m.gtU(dpl, cpl)), Vec.GP, error);
  m.raiseIf(m.eqz(m.and(d.high, Desc.P)), Vec.NP, error);
  if (long) m.raiseIf(m.ne(m.and(d.high, Desc.L | Desc.B), Desc.L), Vec.GP, error);
  return { selector, d, level: m.let(m.select(m.and(d.high, Desc.CE), cpl, dpl)) };
}

/** Protected mode: (vector, kind, error, return offset, flags). */
const deliverProtected = faultingMicro('deliver_protected', ['i32', 'i32', 'i32', 'i64', 'i32'], (m) => {
  const vector = m.param('i32', 0);
  const kind = m.param('i32', 1);
  const flags = m.param('i32', 4);
  const offset = m.let(m.shl(vector, 3));
  const idtError = m.let(m.or(offset, 2));
  m.raiseIf(m.gtU(m.add(offset, 7), m.get('idtLimit')), Vec.GP, idtError);
  const gate = m.loadLinear(tableAddress(m, m.add(m.get('idtBase'), m.extU(offset))), 64, SYSTEM);
  const high = m.let(descHigh(m, gate));
  const type = m.let(m.and(m.shrU(high, Desc.TYPE_SHIFT), 0x1f));
  const gates = bitSet(SysType.TASK_GATE, SysType.INT16, SysType.TRAP16, SysType.INT, SysType.TRAP);
  m.raiseIf(m.eqz(m.and(inSet(m, gates, type), 1)), Vec.GP, idtError);
  const cpl = m.let(m.cpl());
  m.raiseIf(m.and(m.and(kind, KIND_SOFT), m.ltU(dplOf(m, high), cpl)), Vec.GP, idtError);
  m.raiseIf(m.eqz(m.and(high, Desc.P)), Vec.NP, idtError);
  const selector = m.let(m.and(m.shrU(m.wrap(gate), 16), 0xffff));

  m.if(m.eq(type, SysType.TASK_GATE), () => {
    m.invoke(taskSwitch, selector, m.i32(TASK_SOURCE.CALL), m.param('i64', 3));
    m.if(m.get('lateFault'), () => {
      m.put('lateFault', 0);
      m.return(m.i32(1));
    });
    m.if(m.and(kind, PUSH_ERROR), () => {
      const bytes = m.let(m.select(m.and(m.get('trFlags'), 0x800), m.i32(4), 2));
      const sp = m.local('i64');
      m.set(sp, m.sp());
      const mask = m.let(m.get('stackMask'));
      const s = { sp, mask, base: m.let(m.get('segBase', Seg.SS)), bytes, system: m.i32(0) };
      pushTo(m, s, m.extU(m.param('i32', 2)));
      commitSp(m, s.sp, mask);
    });
    m.return(m.i32(0));
  });

  const t = gateTarget(m, selector, false);
  const bytes = m.let(m.select(m.and(type, 8), m.i32(4), 2));
  const target = m.let(m.or(m.and(m.wrap(gate), 0xffff), m.select(m.and(type, 8), m.and(high, 0xffff_0000 | 0), 0)));
  m.raiseIf(m.gtU(target, descLimit(m, t.d.desc)), Vec.GP, 0);
  const virtual = m.let(vm86(m));
  const sp = m.local('i64');
  const mask = m.local('i64');
  const base = m.local('i64');
  const system = m.local('i32');
  const stackSelector = m.local('i32');
  const stackDesc = m.local('i64');
  const error = m.let(selectorError(m, selector));
  const s: StackCursor = { sp, mask, base, bytes, system };
  const inner = m.let(m.ltU(t.level, cpl));
  m.if(
    inner,
    () => {
      m.raiseIf(m.and(m.ne(virtual, 0), m.ne(t.level, 0)), Vec.GP, error);
      m.invoke(tssStack, t.level);
      m.set(sp, m.get('temp', 0));
      m.set(stackSelector, m.wrap(m.get('temp', 1)));
      const d = checkInnerStack(m, stackSelector, t.level);
      const fresh = innerStack(m, sp, d, bytes);
      m.set(mask, fresh.mask);
      m.set(sp, fresh.sp);
      m.set(base, fresh.base);
      m.set(stackDesc, accessed(m, d.desc));
      m.set(system, 1);
      const words = m.select(virtual, m.i32(10), 6);
      checkStackRoom(m, sp, mask, d.high, roomOf(m, d), m.mul(bytes, words), selectorError(m, stackSelector));
      markAccessed(m, d);
      m.if(virtual, () => {
        for (const seg of [Seg.GS, Seg.FS, Seg.DS, Seg.ES]) pushTo(m, s, m.extU(m.get('segSel', seg)));
      });
      pushTo(m, s, m.extU(m.get('segSel', Seg.SS)));
      pushTo(m, s, m.get('regs', Reg.SP));
    },
    () => {
      m.raiseIf(virtual, Vec.GP, error);
      m.set(sp, m.sp());
      m.set(mask, m.get('stackMask'));
      m.set(base, m.get('segBase', Seg.SS));
      m.set(system, 0);
      checkStackRoom(m, sp, mask, m.get('segFlags', Seg.SS), m.get('segLimit', Seg.SS), m.shl(bytes, 2), 0);
    },
  );
  pushTo(m, s, m.extU(flags));
  pushTo(m, s, m.extU(m.get('segSel', Seg.CS)));
  pushTo(m, s, m.param('i64', 3));
  m.if(m.and(kind, PUSH_ERROR), () => pushTo(m, s, m.extU(m.param('i32', 2))));
  markAccessed(m, t.d);

  m.if(inner, () => {
    m.if(virtual, () => {
      for (const seg of [Seg.ES, Seg.DS, Seg.FS, Seg.GS]) setSegment(m, seg, 0, 0, 0, 0);
    });
    setSegmentFrom(m, Seg.SS, stackSelector, stackDesc);
  });
  commitSp(m, sp, mask);
  setSegmentFrom(m, Seg.CS, m.or(m.and(selector, 0xfffc), t.level), accessed(m, t.d.desc));
  m.put('rip', m.extU(target));
  clearFlags(m, m.eqz(m.and(type, 1)));
  m.invoke(updateMode);
});

/** Long mode: (vector, kind, error, return offset, flags). */
const deliverLong = faultingMicro('deliver_long', ['i32', 'i32', 'i32', 'i64', 'i32'], (m) => {
  const vector = m.param('i32', 0);
  const kind = m.param('i32', 1);
  const offset = m.let(m.shl(vector, 4));
  const idtError = m.let(m.or(m.shl(vector, 3), 2));
  m.raiseIf(m.gtU(m.add(offset, 15), m.get('idtLimit')), Vec.GP, idtError);
  const at = m.let(m.add(m.get('idtBase'), m.extU(offset)));
  const gate = m.loadLinear(at, 64, SYSTEM);
  const upper = m.loadLinear(m.add(at, 8), 64, SYSTEM);
  const high = m.let(descHigh(m, gate));
  const type = m.let(m.and(m.shrU(high, Desc.TYPE_SHIFT), 0x1f));
  m.raiseIf(m.ne(m.and(type, 0x1e), SysType.INT), Vec.GP, idtError);
  const cpl = m.let(m.cpl());
  m.raiseIf(m.and(m.and(kind, KIND_SOFT), m.ltU(dplOf(m, high), cpl)), Vec.GP, idtError);
  m.raiseIf(m.eqz(m.and(high, Desc.P)), Vec.NP, idtError);
  const selector = m.let(m.and(m.shrU(m.wrap(gate), 16), 0xffff));
  const t = gateTarget(m, selector, true);
  const low = m.or(m.and(m.wrap(gate), 0xffff), m.and(high, 0xffff_0000 | 0));
  const target = m.let(m.or(m.extU(low), m.shl(upper, 32)));
  m.raiseIf(m.eqz(isCanonical(m, target)), Vec.GP, 0);

  const ist = m.let(m.and(high, 7));
  const inner = m.let(m.ltU(t.level, cpl));
  const newStack = m.let(m.or(inner, m.ne(ist, 0)));
  const sp = m.local('i64');
  m.if(
    newStack,
    () => {
      m.invoke(tssRsp, m.select(ist, m.add(ist, 3), t.level));
      m.set(sp, m.get('temp', 0));
    },
    () => m.set(sp, m.sp()),
  );
  m.set(sp, m.and(sp, -16));
  const s: StackCursor = { sp, mask: m.i64(-1), base: m.i64(0), bytes: m.i32(8), system: m.ne(t.level, 3) };
  pushTo(m, s, m.extU(m.get('segSel', Seg.SS)));
  pushTo(m, s, m.get('regs', Reg.SP));
  pushTo(m, s, m.extU(m.param('i32', 4)));
  pushTo(m, s, m.extU(m.get('segSel', Seg.CS)));
  pushTo(m, s, m.param('i64', 3));
  m.if(m.and(kind, PUSH_ERROR), () => pushTo(m, s, m.extU(m.param('i32', 2))));
  markAccessed(m, t.d);

  // A new stack has a null selector; its cached DPL carries the CPL
  m.if(newStack, () => setSegment(m, Seg.SS, t.level, 0, 0, m.shl(t.level, Desc.DPL_SHIFT)));
  m.put('regs', sp, Reg.SP);
  setSegmentFrom(m, Seg.CS, m.or(m.and(selector, 0xfffc), t.level), accessed(m, t.d.desc));
  m.put('rip', target);
  clearFlags(m, m.eqz(m.and(type, 1)));
  m.invoke(updateMode);
});

/**
 * Delivers an event through the IDT once: (vector, kind, error code, return offset). A fault on the way is described in
 * exc* and nothing has changed, except after a task switch, when `rip` is the new task's.
 */
export const deliverEvent: Micro = faultingMicro('deliver_event', ['i32', 'i32', 'i32', 'i64'], (m) => {
  const vector = m.param('i32', 0);
  const kind = m.param('i32', 1);
  const exception = m.let(m.eqz(m.and(kind, KIND_SOFT | KIND_EXTERNAL)));
  const fault = m.and(exception, m.eqz(m.and(inSet(m, NOT_FAULT, vector), 1)));
  const flags = m.let(m.or(fullFlags(m), m.select(fault, m.i32(Flag.RF), 0)));
  m.if(m.eqz(protectedMode(m)), () => {
    m.invoke(deliverReal, vector, m.param('i64', 3), flags);
    m.return(m.i32(0));
  });
  const withError = m.and(exception, inSet(m, HAS_ERROR, vector));
  const how = m.let(m.or(kind, m.shl(m.and(withError, 1), 2)));
  m.if(
    longModeActive(m),
    () => m.invoke(deliverLong, vector, how, m.param('i32', 2), m.param('i64', 3), flags),
    () => m.invoke(deliverProtected, vector, how, m.param('i32', 2), m.param('i64', 3), flags),
  );
});

/** Sets EXT in the error code of a fault that happened while an event from outside the program was delivered. */
function markExternal(m: Machine, vector: Val<'i32'>): void {
  const selectorFault = m.and(inSet(m, bitSet(Vec.TS, Vec.NP, Vec.SS, Vec.GP), vector), 1);
  m.put('excError', m.or(m.get('excError'), selectorFault));
}

/**
 * Delivers the exception in excVector/excError at `rip`, with double and triple faults (SDM volume 3, 6.15). Returns 0 to
 * go on at `rip`, 1 to leave run() with exitReason: shut down, or wait for a page.
 */
export const deliverFault: Micro = micro('deliver_fault', [], ['i32'], (m) => {
  const vector = m.local('i32');
  const error = m.local('i32');
  const next = m.local('i32');
  m.set(vector, m.get('excVector'));
  m.set(error, m.get('excError'));
  m.loop((again) => {
    m.if(m.eq(vector, Vec.PF), () => m.put('cr2', m.get('excAddr')));
    const status = m.call(m.functionOf(deliverEvent), vector, m.i32(0), error, m.get('rip'));
    m.if(m.eqz(status), () => m.return(m.i32(0)));
    m.set(next, m.get('excVector'));
    m.if(m.eq(next, PAGE_WAIT), () => leave(m, CpuExit.PAGE_WAIT));
    m.if(m.eq(vector, Vec.DF), () => leave(m, CpuExit.SHUTDOWN));
    markExternal(m, next);
    m.set(error, m.get('excError'));
    const second = m.let(m.and(inSet(m, CONTRIBUTORY, next), 1));
    const afterContributory = m.and(m.and(inSet(m, CONTRIBUTORY, vector), 1), second);
    const afterPageFault = m.and(m.eq(vector, Vec.PF), m.or(second, m.eq(next, Vec.PF)));
    m.if(m.or(afterContributory, afterPageFault), () => {
      m.if(m.eq(next, Vec.PF), () => m.put('cr2', m.get('excAddr')));
      m.set(next, Vec.DF);
      m.set(error, 0);
    });
    m.set(vector, next);
    m.br(again);
  });
  m.return(m.i32(0));
});

/** Leaves run(): sets the reason and returns 1. */
function leave(m: Machine, reason: number): void {
  m.put('exitReason', reason);
  m.return(m.i32(1));
}

/**
 * Delivers an external interrupt (vector, kind 0) or NMI (2, kind 1) at `rip`. Result as of {@link deliverFault}. When the
 * delivery has to wait for a page the event, which its controller considers taken, is kept in heldEvent.
 */
export const deliverInterrupt: Micro = micro('deliver_interrupt', ['i32', 'i32'], ['i32'], (m) => {
  const vector = m.param('i32', 0);
  const isNmi = m.param('i32', 1);
  m.put('heldEvent', 0);
  m.if(isNmi, () => m.put('nmiBlocked', 1));
  const status = m.call(m.functionOf(deliverEvent), vector, m.i32(KIND_EXTERNAL), m.i32(0), m.get('rip'));
  m.if(m.eqz(status), () => m.return(m.i32(0)));
  const hold = (): void => m.put('heldEvent', m.or(m.or(vector, 0x100), m.shl(isNmi, 9)));
  m.if(m.eq(m.get('excVector'), PAGE_WAIT), () => {
    hold();
    leave(m, CpuExit.PAGE_WAIT);
  });
  markExternal(m, m.get('excVector'));
  const fault = m.let(m.call(m.functionOf(deliverFault)));
  m.if(m.and(fault, m.eq(m.get('exitReason'), CpuExit.PAGE_WAIT)), hold);
  m.return(fault);
});

/** Delivers the event in heldEvent. Result as of {@link deliverFault}. */
export const deliverHeld: Micro = micro('deliver_held', [], ['i32'], (m) => {
  const held = m.let(m.get('heldEvent'));
  m.return(m.call(m.functionOf(deliverInterrupt), m.and(held, 0xff), m.and(m.shrU(held, 9), 1)));
});

/** Bits of DR6 that say which breakpoints were met. */
const DR6_BREAKPOINTS = 15;

/**
 * Delivers #DB at `rip` with the given bits of DR6: BS for a single step, BT for a task switch, 0-3 for breakpoints. Result as of
 * {@link deliverFault}. Breakpoints for instructions are found again when the delivery has to wait for a page.
 */
export const takeDebugTrap: Micro = micro('debug_trap', ['i32'], ['i32'], (m) => {
  const bits = m.param('i32', 0);
  // the processor clears none of DR6 but the breakpoints' bits, and those only to say which were met
  const stale = m.select(m.and(bits, DR6_BREAKPOINTS), m.i64(DR6_BREAKPOINTS), m.i64(0));
  m.put('dr', m.or(m.and(m.get('dr', 6), m.not(stale)), m.extU(bits)), 6);
  m.put('dr', m.and(m.get('dr', 7), ~DR7_GD), 7);
  m.put('excVector', Vec.DB);
  m.put('excError', 0);
  const status = m.let(m.call(m.functionOf(deliverFault)));
  m.if(m.and(status, m.eq(m.get('exitReason'), CpuExit.PAGE_WAIT)), () => {
    m.put('trapArmed', m.and(m.shrU(bits, 14), 1));
    m.put('watchHit', m.and(bits, 0x800f));
  });
  m.return(status);
});
