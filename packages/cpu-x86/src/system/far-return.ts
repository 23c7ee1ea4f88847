import type { Val } from '@sterna/wasm';
import type { Machine } from '../semantics/machine.ts';
import { faultingMicro, type Micro } from '../semantics/micro.ts';
import { Flag, Reg, Seg, Vec } from '../semantics/vectors.ts';
import { Desc } from './bits.ts';
import {
  dplOf,
  fullFlags,
  iopl,
  isNull,
  longModeActive,
  realStyle,
  SYSTEM,
  selectorError,
  setFlagsMasked,
  setSegment,
  setSegmentFrom,
  setSegmentReal,
  stackMaskOf,
  tableAddress,
  vm86,
} from './common.ts';
import { checkCodeWidth, checkOffset } from './far.ts';
import { updateMode } from './mode.ts';
import { accessed, dropInnerSegments, fetched, markAccessed } from './segments.ts';
import { commitSp, currentStack, popFrom } from './stack.ts';
import { setVm86Segment, TASK_SOURCE, taskSwitch } from './task.ts';

/** EFLAGS bits that IRET and POPF may change at any level. */
const USER_FLAGS = Flag.ARITH | Flag.TF | Flag.DF | Flag.NT | Flag.AC | Flag.ID;

/** RF matters only to breakpoints: without any it is never set, so that it need not be cleared after each instruction. */
function resumeFlag(m: Machine): Val<'i32'> {
  return m.select(m.get('debugActive'), m.i32(Flag.RF), 0);
}

/** Mask of the flags that IRET changes at a CPL and operand size (RF: see below). */
function iretMask(m: Machine, cpl: Val<'i32'>, bytes: Val<'i32'>): Val<'i32'> {
  const mask = m.local('i32');
  m.set(mask, m.or(m.i32(USER_FLAGS), resumeFlag(m)));
  m.if(m.leU(cpl, iopl(m)), () => m.set(mask, m.or(mask, Flag.IF)));
  m.if(m.eqz(cpl), () => m.set(mask, m.or(mask, Flag.IOPL | Flag.VIF | Flag.VIP)));
  m.if(m.eq(bytes, 2), () => m.set(mask, m.and(mask, 0xffff)));
  return mask;
}

/**
 * Far return: (element size in bytes, 1 for IRET, bytes of parameters to drop). Does everything RETF and IRET have in
 * common in protected and long mode.
 */
const returnProtected: Micro = faultingMicro('return_protected', ['i32', 'i32', 'i32'], (m) => {
  const bytes = m.param('i32', 0);
  const isIret = m.param('i32', 1);
  const drop = m.let(m.extU(m.param('i32', 2)));
  const cpl = m.let(m.cpl());
  const wide = m.let(m.inLongMode());
  const s = currentStack(m, bytes);
  const offset = popFrom(m, s);
  const selector = m.let(m.and(m.wrap(popFrom(m, s)), 0xffff));
  const flags = m.local('i32');
  m.if(isIret, () => {
    m.set(flags, m.wrap(popFrom(m, s)));
    const toVm86 = m.and(m.eq(bytes, 4), m.and(m.eqz(cpl), m.eqz(longModeActive(m))));
    m.if(m.and(toVm86, m.ne(m.and(flags, Flag.VM), 0)), () => {
      m.invoke(returnToVm86, offset, selector, flags);
      m.return(m.i32(0));
    });
  });
  m.raiseIf(isNull(m, selector), Vec.GP, 0);
  const d = fetched(m, selector);
  const error = m.let(selectorError(m, selector));
  const rpl = m.let(m.and(selector, 3));
  const dpl = m.let(dplOf(m, d.high));
  const isCode = m.eq(m.and(d.high, Desc.S | Desc.CODE), Desc.S | Desc.CODE);
  m.raiseIf(m.or(m.eqz(isCode), m.ltU(rpl, cpl)), Vec.GP, error);
  m.raiseIf(m.select(m.and(d.high, Desc.CE), m.gtU(dpl, rpl), m.ne(dpl, rpl)), Vec.GP, error);
  checkCodeWidth(m, d, error);
  m.raiseIf(m.eqz(m.and(d.high, Desc.P)), Vec.NP, error);
  m.set(s.sp, m.and(m.add(s.sp, drop), s.mask));

  const outer = m.let(m.or(m.ne(rpl, cpl), m.and(wide, isIret)));
  const newSp = m.local('i64');
  const stackSelector = m.local('i32');
  const stackDesc = m.local('i64');
  const stackMask = m.local('i64');
  m.if(
    outer,
    () => {
      m.set(newSp, popFrom(m, s));
      m.set(stackSelector, m.and(m.wrap(popFrom(m, s)), 0xffff));
      const stackError = m.let(selectorError(m, stackSelector));
      m.if(
        isNull(m, stackSelector),
        () => {
          const to64 = m.and(m.ne(longModeActive(m), 0), m.ne(m.and(d.high, Desc.L), 0));
          m.raiseIf(m.or(m.eqz(to64), m.eq(rpl, 3)), Vec.GP, 0);
          m.set(stackDesc, 0);
          m.set(stackMask, -1);
        },
        () => {
          m.raiseIf(m.ne(m.and(stackSelector, 3), rpl), Vec.GP, stackError);
          const sd = fetched(m, stackSelector);
          const writable = m.eq(m.and(sd.high, Desc.S | Desc.CODE | Desc.RW), Desc.S | Desc.RW);
          m.raiseIf(m.or(m.eqz(writable), m.ne(dplOf(m, sd.high), rpl)), Vec.GP, stackError);
          m.raiseIf(m.eqz(m.and(sd.high, Desc.P)), Vec.SS, stackError);
          checkOffset(m, offset, d);
          markAccessed(m, sd);
          m.set(stackDesc, accessed(m, sd.desc));
          const to64 = m.and(m.ne(longModeActive(m), 0), m.ne(m.and(d.high, Desc.L), 0));
          m.set(stackMask, m.select(to64, m.i64(-1), stackMaskOf(m, sd.high)));
        },
      );
    },
    () => {
      m.set(newSp, s.sp);
      m.set(stackMask, s.mask);
    },
  );
  checkOffset(m, offset, d);
  markAccessed(m, d);

  // Nothing faults from here on
  const mask = m.let(iretMask(m, cpl, bytes));
  m.if(outer, () => {
    m.if(
      m.eqz(stackDesc),
      () => {
        const attributes = Desc.G | Desc.B | Desc.P | Desc.S | Desc.RW | Desc.A;
        setSegment(m, Seg.SS, stackSelector, 0, -1, m.or(m.shl(rpl, Desc.DPL_SHIFT), attributes));
      },
      () => setSegmentFrom(m, Seg.SS, stackSelector, stackDesc),
    );
    // parameters are dropped from the outer stack too
    m.set(newSp, m.add(newSp, drop));
    m.do(m.functionOf(dropInnerSegments), rpl);
  });
  commitSp(m, newSp, stackMask);
  setSegmentFrom(m, Seg.CS, selector, accessed(m, d.desc));
  m.put('rip', offset);
  m.if(isIret, () => {
    setFlagsMasked(m, flags, mask);
    m.put('nmiBlocked', 0);
  });
  m.invoke(updateMode);
});

/** IRETD at CPL 0 with VM set in the image: (EIP, CS, EFLAGS); reads the rest of the frame. */
const returnToVm86: Micro = faultingMicro('return_vm86', ['i64', 'i32', 'i32'], (m) => {
  const s = currentStack(m, m.i32(4));
  m.set(s.sp, m.and(m.add(s.sp, 12), s.mask));
  const sp = popFrom(m, s);
  const selectors = [Seg.SS, Seg.ES, Seg.DS, Seg.FS, Seg.GS].map((seg) => ({
    seg,
    value: m.let(m.and(m.wrap(popFrom(m, s)), 0xffff)),
  }));
  m.put('eflags', m.or(m.and(m.get('eflags'), ~Flag.RF), Flag.VM));
  const mask = USER_FLAGS | Flag.IF | Flag.IOPL | Flag.VM | Flag.VIF | Flag.VIP;
  setFlagsMasked(m, m.param('i32', 2), m.or(m.i32(mask), resumeFlag(m)));
  setVm86Segment(m, Seg.CS, m.param('i32', 1));
  for (const { seg, value } of selectors) setVm86Segment(m, seg, value);
  m.put('rip', m.and(m.param('i64', 0), 0xffff));
  m.put('regs', sp, Reg.SP);
  m.put('nmiBlocked', 0);
  m.invoke(updateMode);
});

/** Real mode and VM86: pops IP and CS, for IRET also the flags: (element size, 1 for IRET, bytes to drop). */
const returnReal: Micro = faultingMicro('return_real', ['i32', 'i32', 'i32'], (m) => {
  const bytes = m.param('i32', 0);
  const isIret = m.param('i32', 1);
  const s = currentStack(m, bytes);
  const offset = popFrom(m, s);
  const selector = m.let(m.and(m.wrap(popFrom(m, s)), 0xffff));
  const flags = m.local('i32');
  m.if(isIret, () => m.set(flags, m.wrap(popFrom(m, s))));
  m.raiseIf(m.gtU(offset, m.extU(m.get('segLimit', Seg.CS))), Vec.GP, 0);
  commitSp(m, m.add(s.sp, m.extU(m.param('i32', 2))), s.mask);
  setSegmentReal(m, Seg.CS, selector);
  m.put('rip', offset);
  m.if(isIret, () => {
    const mask = m.local('i32');
    m.set(mask, m.select(vm86(m), m.i32(USER_FLAGS | Flag.IF), USER_FLAGS | Flag.IF | Flag.IOPL));
    m.set(mask, m.or(mask, resumeFlag(m)));
    m.if(m.eq(bytes, 2), () => m.set(mask, m.and(mask, 0xffff)));
    setFlagsMasked(m, flags, mask);
    m.put('nmiBlocked', 0);
  });
  m.invoke(updateMode);
});

/** RETF: (element size in bytes, bytes to drop). */
export const farReturn: Micro = faultingMicro('far_return', ['i32', 'i32'], (m) => {
  m.if(
    realStyle(m),
    () => m.invoke(returnReal, m.param('i32', 0), m.i32(0), m.param('i32', 1)),
    () => m.invoke(returnProtected, m.param('i32', 0), m.i32(0), m.param('i32', 1)),
  );
});

/** IRET, IRETD, IRETQ: (element size in bytes, next instruction). A task return may leave lateFault set. */
export const interruptReturn: Micro = faultingMicro('iret', ['i32', 'i64'], (m) => {
  const bytes = m.param('i32', 0);
  m.if(realStyle(m), () => {
    m.raiseIf(m.and(m.ne(vm86(m), 0), m.ne(iopl(m), 3)), Vec.GP, 0);
    m.invoke(returnReal, bytes, m.i32(1), m.i32(0));
    m.return(m.i32(0));
  });
  m.if(m.and(m.get('eflags'), Flag.NT), () => {
    m.raiseIf(longModeActive(m), Vec.GP, 0);
    const link = m.loadLinear(tableAddress(m, m.get('trBase')), 16, SYSTEM);
    m.invoke(taskSwitch, link, m.i32(TASK_SOURCE.IRET), m.param('i64', 1));
    m.return(m.i32(0));
  });
  m.invoke(returnProtected, bytes, m.i32(1), m.i32(0));
});

/**
 * EFLAGS as PUSHF shows them: VM and RF read as 0. In VM86 with IOPL below 3 the caller raises #GP.
 */
export function pushfImage(m: Machine): Val<'i32'> {
  return m.and(fullFlags(m), ~(Flag.VM | Flag.RF));
}

/** POPF: (new value, operand size in bits); checks were made by the caller. */
export const popFlags: Micro = {
  name: 'pop_flags',
  params: ['i32', 'i32'],
  results: [],
  faults: false,
  body: (m) => {
    const cpl = m.let(m.cpl());
    const mask = m.local('i32');
    m.set(mask, USER_FLAGS);
    m.if(m.leU(cpl, iopl(m)), () => m.set(mask, m.or(mask, Flag.IF)));
    m.if(m.eqz(cpl), () => m.set(mask, m.or(mask, Flag.IOPL)));
    m.if(m.eq(m.param('i32', 1), 16), () => m.set(mask, m.and(mask, 0xffff)));
    const old = m.let(m.get('eflags'));
    setFlagsMasked(m, m.param('i32', 0), mask);
    const next = m.let(m.and(m.get('eflags'), ~Flag.RF));
    m.put('eflags', next);
    // AC decides which TLB is used
    m.if(m.and(m.xor(old, next), Flag.AC), () => m.do(m.functionOf(updateMode)));
  },
};
