import type { Val } from '@sterna/wasm';
import type { Machine } from '../semantics/machine.ts';
import { faultingMicro, type Micro } from '../semantics/micro.ts';
import { Reg, Seg, Vec } from '../semantics/vectors.ts';
import { Desc, SysType } from './bits.ts';
import {
  descHigh,
  descLimit,
  dplOf,
  isCanonical,
  isNull,
  longModeActive,
  realStyle,
  SYSTEM,
  selectorError,
  setSegment,
  setSegmentFrom,
  setSegmentReal,
} from './common.ts';
import { updateMode } from './mode.ts';
import { accessed, type Fetched, fetched, markAccessed } from './segments.ts';
import {
  checkInnerStack,
  checkStackRoom,
  commitSp,
  currentStack,
  innerStack,
  loadSized,
  pushTo,
  roomOf,
  type StackCursor,
  tssRsp,
  tssStack,
} from './stack.ts';
import { TASK_SOURCE, taskSwitch } from './task.ts';

/** Raises #GP(0) unless an offset lies in a code segment: its limit, or the canonical form in a 64-bit one. */
export function checkOffset(m: Machine, offset: Val<'i64'>, d: Fetched): void {
  m.if(
    m.and(m.ne(longModeActive(m), 0), m.ne(m.and(d.high, Desc.L), 0)),
    () => m.raiseIf(m.eqz(isCanonical(m, offset)), Vec.GP, 0),
    () => m.raiseIf(m.gtU(offset, m.extU(descLimit(m, d.desc))), Vec.GP, 0),
  );
}

/** Raises #GP(selector) for a code descriptor that is both 64-bit and 32-bit in long mode. */
export function checkCodeWidth(m: Machine, d: Fetched, error: Val<'i32'>): void {
  const both = m.eq(m.and(d.high, Desc.L | Desc.B), Desc.L | Desc.B);
  m.raiseIf(m.and(both, m.ne(longModeActive(m), 0)), Vec.GP, error);
}

/** Checks a code segment that JMP or CALL names directly: privilege must be the current one. */
function checkDirect(m: Machine, selector: Val<'i32'>, d: Fetched): void {
  const error = m.let(selectorError(m, selector));
  const cpl = m.let(m.cpl());
  const dpl = m.let(dplOf(m, d.high));
  m.raiseIf(m.eqz(m.and(d.high, Desc.CODE)), Vec.GP, error);
  const denied = m.select(
    m.and(d.high, Desc.CE),
    m.gtU(dpl, cpl),
    m.or(m.gtU(m.and(selector, 3), cpl), m.ne(dpl, cpl)),
  );
  m.raiseIf(denied, Vec.GP, error);
  checkCodeWidth(m, d, error);
  m.raiseIf(m.eqz(m.and(d.high, Desc.P)), Vec.NP, error);
}

/** Commits CS:IP; CS gets the given level as RPL. */
function commitCode(m: Machine, selector: Val<'i32'>, d: Fetched, level: Val<'i32'>, offset: Val<'i64'>): void {
  setSegmentFrom(m, Seg.CS, m.or(m.and(selector, 0xfffc), level), accessed(m, d.desc));
  m.put('rip', offset);
  m.invoke(updateMode);
}

/** Raises #SS(0) unless `bytes` bytes fit the current stack outside 64-bit mode. */
function checkCurrentRoom(m: Machine, s: StackCursor, bytes: Val<'i32'>): void {
  m.if(m.eqz(m.inLongMode()), () =>
    checkStackRoom(m, s.sp, s.mask, m.get('segFlags', Seg.SS), m.get('segLimit', Seg.SS), bytes, 0),
  );
}

/** Far JMP: (selector, offset, next instruction). A task switch may leave lateFault set. */
export const farJump: Micro = faultingMicro('far_jump', ['i32', 'i64', 'i64'], (m) => {
  const selector = m.param('i32', 0);
  const offset = m.param('i64', 1);
  m.if(realStyle(m), () => {
    m.raiseIf(m.gtU(offset, m.extU(m.get('segLimit', Seg.CS))), Vec.GP, 0);
    setSegmentReal(m, Seg.CS, selector);
    m.put('rip', offset);
    m.invoke(updateMode);
    m.return(m.i32(0));
  });
  m.raiseIf(isNull(m, selector), Vec.GP, 0);
  const d = fetched(m, selector);
  m.if(
    m.and(d.high, Desc.S),
    () => {
      checkDirect(m, selector, d);
      checkOffset(m, offset, d);
      markAccessed(m, d);
      commitCode(m, selector, d, m.let(m.cpl()), offset);
    },
    () => m.invoke(throughSystem, selector, m.param('i64', 2), m.i32(0)),
  );
});

/** Far CALL: (selector, offset, next instruction, operand size in bytes). */
export const farCall: Micro = faultingMicro('far_call', ['i32', 'i64', 'i64', 'i32'], (m) => {
  const selector = m.param('i32', 0);
  const offset = m.param('i64', 1);
  const next = m.param('i64', 2);
  const bytes = m.param('i32', 3);
  const s = currentStack(m, bytes);
  const pushReturn = (): void => {
    checkCurrentRoom(m, s, m.shl(bytes, 1));
    pushTo(m, s, m.extU(m.get('segSel', Seg.CS)));
    pushTo(m, s, next);
  };
  m.if(realStyle(m), () => {
    m.raiseIf(m.gtU(offset, m.extU(m.get('segLimit', Seg.CS))), Vec.GP, 0);
    pushReturn();
    commitSp(m, s.sp, s.mask);
    setSegmentReal(m, Seg.CS, selector);
    m.put('rip', offset);
    m.invoke(updateMode);
    m.return(m.i32(0));
  });
  m.raiseIf(isNull(m, selector), Vec.GP, 0);
  const d = fetched(m, selector);
  m.if(
    m.and(d.high, Desc.S),
    () => {
      checkDirect(m, selector, d);
      checkOffset(m, offset, d);
      pushReturn();
      markAccessed(m, d);
      commitSp(m, s.sp, s.mask);
      commitCode(m, selector, d, m.let(m.cpl()), offset);
    },
    () => m.invoke(throughSystem, selector, next, m.i32(1)),
  );
});

/** JMP and CALL to a call gate, task gate or TSS: (selector, next instruction, 1 for CALL). */
const throughSystem: Micro = faultingMicro('far_system', ['i32', 'i64', 'i32'], (m) => {
  const selector = m.param('i32', 0);
  const next = m.param('i64', 1);
  const isCall = m.param('i32', 2);
  const g = fetched(m, selector);
  const error = m.let(selectorError(m, selector));
  const cpl = m.let(m.cpl());
  const type = m.let(m.and(m.shrU(g.high, Desc.TYPE_SHIFT), 15));
  const long = m.let(m.ne(longModeActive(m), 0));
  const dpl = m.let(dplOf(m, g.high));
  const is = (t: number): Val<'i32'> => m.eq(type, t);
  const isGate = m.let(m.or(is(SysType.CALL), m.and(is(SysType.CALL16), m.eqz(long))));
  const isTask = m.or(m.or(is(SysType.TASK_GATE), is(SysType.TSS)), is(SysType.TSS16));
  m.raiseIf(m.eqz(m.or(isGate, m.and(isTask, m.eqz(long)))), Vec.GP, error);
  m.raiseIf(m.or(m.ltU(dpl, cpl), m.ltU(dpl, m.and(selector, 3))), Vec.GP, error);
  m.raiseIf(m.eqz(m.and(g.high, Desc.P)), Vec.NP, error);
  const target = m.let(m.and(m.shrU(m.wrap(g.desc), 16), 0xffff));
  m.if(m.eqz(isGate), () => {
    const tss = m.select(is(SysType.TASK_GATE), target, selector);
    m.invoke(taskSwitch, tss, m.select(isCall, m.i32(TASK_SOURCE.CALL), TASK_SOURCE.JMP), next);
    m.return(m.i32(0));
  });

  const offset = m.local('i64');
  m.set(offset, m.extU(m.and(m.wrap(g.desc), 0xffff)));
  m.if(is(SysType.CALL), () => m.set(offset, m.or(offset, m.extU(m.and(descHigh(m, g.desc), 0xffff_0000 | 0)))));
  m.if(long, () => {
    const last = m.add(m.and(selector, 0xfff8), 15);
    m.raiseIf(m.gtU(last, m.select(m.and(selector, 4), m.get('ldtLimit'), m.get('gdtLimit'))), Vec.GP, error);
    const upper = m.loadLinear(m.add(g.at, 8), 64, SYSTEM);
    m.raiseIf(m.ne(m.and(m.wrap(m.shrU(upper, 40)), 0x1f), 0), Vec.GP, error);
    m.set(offset, m.or(offset, m.shl(upper, 32)));
  });
  m.raiseIf(isNull(m, target), Vec.GP, 0);
  const d = fetched(m, target);
  const codeError = m.let(selectorError(m, target));
  const codeDpl = m.let(dplOf(m, d.high));
  const isCode = m.eq(m.and(d.high, Desc.S | Desc.CODE), Desc.S | Desc.CODE);
  m.raiseIf(m.or(m.eqz(isCode), m.gtU(codeDpl, cpl)), Vec.GP, codeError);
  const conforming = m.let(m.ne(m.and(d.high, Desc.CE), 0));
  const jumpInward = m.and(m.and(m.eqz(isCall), m.eqz(conforming)), m.ne(codeDpl, cpl));
  m.raiseIf(jumpInward, Vec.GP, codeError);
  m.raiseIf(m.and(long, m.ne(m.and(d.high, Desc.L | Desc.B), Desc.L)), Vec.GP, codeError);
  m.raiseIf(m.eqz(m.and(d.high, Desc.P)), Vec.NP, codeError);
  checkOffset(m, offset, d);
  m.if(m.eqz(isCall), () => {
    markAccessed(m, d);
    commitCode(m, target, d, cpl, offset);
    m.return(m.i32(0));
  });

  const bytes = m.let(m.select(long, m.i32(8), m.select(is(SysType.CALL), m.i32(4), 2)));
  const inner = m.let(m.and(m.eqz(conforming), m.ltU(codeDpl, cpl)));
  const sp = m.local('i64');
  const mask = m.local('i64');
  const base = m.local('i64');
  const stackSelector = m.local('i32');
  const stackDesc = m.local('i64');
  const s: StackCursor = { sp, mask, base, bytes, system: inner };
  m.if(
    inner,
    () => {
      m.if(
        long,
        () => {
          m.invoke(tssRsp, codeDpl);
          m.set(sp, m.get('temp', 0));
          m.set(mask, -1);
          m.set(base, 0);
          m.set(stackSelector, codeDpl);
        },
        () => {
          m.invoke(tssStack, codeDpl);
          m.set(sp, m.get('temp', 0));
          m.set(stackSelector, m.wrap(m.get('temp', 1)));
          const sd = checkInnerStack(m, stackSelector, codeDpl);
          const fresh = innerStack(m, sp, sd, bytes);
          m.set(mask, fresh.mask);
          m.set(sp, fresh.sp);
          m.set(base, fresh.base);
          m.set(stackDesc, accessed(m, sd.desc));
          const words = m.add(m.and(g.high, 31), 4);
          checkStackRoom(m, sp, mask, sd.high, roomOf(m, sd), m.mul(words, bytes), selectorError(m, stackSelector));
          markAccessed(m, sd);
        },
      );
      const old = currentStack(m, bytes);
      pushTo(m, s, m.extU(m.get('segSel', Seg.SS)));
      pushTo(m, s, m.get('regs', Reg.SP));
      const left = m.local('i32');
      m.set(left, m.select(long, m.i32(0), m.and(g.high, 31)));
      m.block((done) => {
        m.loop((again) => {
          m.brIf(done, m.eqz(left));
          m.set(left, m.sub(left, 1));
          const at = m.and(m.add(old.sp, m.extU(m.mul(left, bytes))), old.mask);
          m.invoke(loadSized, m.and(m.add(old.base, at), 0xffff_ffff), bytes);
          pushTo(m, s, m.let(m.get('temp', 0)));
          m.br(again);
        });
      });
    },
    () => {
      const current = currentStack(m, bytes);
      m.set(sp, current.sp);
      m.set(mask, current.mask);
      m.set(base, current.base);
      checkCurrentRoom(m, s, m.shl(bytes, 1));
    },
  );
  pushTo(m, s, m.extU(m.get('segSel', Seg.CS)));
  pushTo(m, s, next);
  markAccessed(m, d);
  m.if(inner, () => {
    m.if(
      long,
      () => setSegment(m, Seg.SS, stackSelector, 0, 0, m.shl(codeDpl, Desc.DPL_SHIFT)),
      () => setSegmentFrom(m, Seg.SS, stackSelector, stackDesc),
    );
  });
  commitSp(m, sp, mask);
  commitCode(m, target, d, m.select(inner, codeDpl, cpl), offset);
});
