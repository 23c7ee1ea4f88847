import type { Val } from '@sterna/wasm';
import type { Machine } from '../semantics/machine.ts';
import { faultingMicro, type Micro } from '../semantics/micro.ts';
import { Flag, Reg, Seg, Vec } from '../semantics/vectors.ts';
import { Desc, EFER } from './bits.ts';
import { fullFlags, isCanonical, longModeActive, protectedMode, setSegment } from './common.ts';
import { updateMode } from './mode.ts';

const CODE = Desc.G | Desc.P | Desc.S | Desc.CODE | Desc.RW | Desc.A;
const STACK = Desc.G | Desc.B | Desc.P | Desc.S | Desc.RW | Desc.A;
const DPL3 = 3 << Desc.DPL_SHIFT;
const LIMIT = -1;
/** Flags that SYSRET restores from R11. */
const SYSRET_FLAGS =
  Flag.ARITH | Flag.TF | Flag.IF | Flag.DF | Flag.IOPL | Flag.NT | Flag.AC | Flag.ID | Flag.VIF | Flag.VIP;

/** SYSCALL and SYSRET are single-stepped by the TF they leave, not by the one they began with. */
function trapByNewFlags(m: Machine): void {
  m.put('trapArmed', m.and(m.shrU(m.get('eflags'), 8), 1));
}

/** Loads flat CS and SS at a level; `width` is Desc.L or Desc.B. */
function loadFlat(m: Machine, cs: Val<'i32'>, ss: Val<'i32'>, width: Val<'i32'>, level: 0 | 3): void {
  const dpl = level === 3 ? DPL3 : 0;
  setSegment(m, Seg.CS, m.or(m.and(cs, 0xfffc), level), 0, LIMIT, m.or(width, CODE | dpl));
  setSegment(m, Seg.SS, m.or(m.and(ss, 0xfffc), level), 0, LIMIT, STACK | dpl);
}

function requireSce(m: Machine): void {
  m.raiseIf(m.eqz(m.and(m.wrap(m.get('efer')), EFER.SCE)), Vec.UD);
}

/** SYSCALL: (next instruction). AMD APM volume 3. */
export const syscall: Micro = faultingMicro('syscall', ['i64'], (m) => {
  const next = m.param('i64', 0);
  requireSce(m);
  // Intel has it in long mode only
  m.raiseIf(m.and(m.get('intelRules'), m.eqz(longModeActive(m))), Vec.UD);
  const star = m.let(m.get('star'));
  const cs = m.let(m.and(m.wrap(m.shrU(star, 32)), 0xffff));
  m.if(
    longModeActive(m),
    () => {
      const flags = m.let(m.and(fullFlags(m), ~Flag.RF));
      const kept = m.let(m.and(flags, m.not(m.wrap(m.get('fmask')))));
      m.put('rip', m.select(m.inLongMode(), m.get('lstar'), m.get('cstar')));
      m.put('regs', next, Reg.CX);
      m.put('regs', m.extU(flags), 11);
      m.put('eflags', m.or(m.and(kept, ~(Flag.ARITH | Flag.VM)), 2));
      m.setArithFlags(m.and(kept, Flag.ARITH));
      loadFlat(m, cs, m.add(cs, 8), m.i32(Desc.L), 0);
    },
    () => {
      m.put('regs', next, Reg.CX);
      m.put('rip', m.and(star, 0xffff_ffff));
      m.put('eflags', m.and(m.get('eflags'), ~(Flag.IF | Flag.RF | Flag.VM)));
      loadFlat(m, cs, m.add(cs, 8), m.i32(Desc.B), 0);
    },
  );
  trapByNewFlags(m);
  m.invoke(updateMode);
});

/** SYSRET: (1 with a 64-bit operand size). */
export const sysret: Micro = faultingMicro('sysret', ['i32'], (m) => {
  const wide = m.param('i32', 0);
  requireSce(m);
  m.raiseIf(m.or(m.eqz(protectedMode(m)), m.ne(m.cpl(), 0)), Vec.GP, 0);
  const cs = m.let(m.and(m.wrap(m.shrU(m.get('star'), 48)), 0xffff));
  const ss = m.let(m.add(cs, 8));
  m.if(
    longModeActive(m),
    () => {
      const flags = m.let(m.wrap(m.get('regs', 11)));
      m.put('eflags', m.or(m.and(flags, SYSRET_FLAGS & ~Flag.ARITH), 2));
      m.setArithFlags(m.and(flags, Flag.ARITH));
      m.if(
        wide,
        () => {
          m.put('rip', m.get('regs', Reg.CX));
          loadFlat(m, m.add(cs, 16), ss, m.i32(Desc.L), 3);
        },
        () => {
          m.put('rip', m.and(m.get('regs', Reg.CX), 0xffff_ffff));
          loadFlat(m, cs, ss, m.i32(Desc.B), 3);
        },
      );
    },
    () => {
      m.put('eflags', m.or(m.get('eflags'), Flag.IF));
      m.put('rip', m.and(m.get('regs', Reg.CX), 0xffff_ffff));
      loadFlat(m, cs, ss, m.i32(Desc.B), 3);
    },
  );
  trapByNewFlags(m);
  m.invoke(updateMode);
});

/** Not 0 in long mode on an AMD model, where SYSENTER and SYSEXIT do not exist. */
function noSysenter(m: Machine): Val<'i32'> {
  return m.and(m.ne(longModeActive(m), 0), m.eqz(m.get('intelRules')));
}

/** SYSENTER. */
export const sysenter: Micro = faultingMicro('sysenter', [], (m) => {
  m.raiseIf(noSysenter(m), Vec.UD);
  const long = m.let(m.ne(longModeActive(m), 0));
  const mask = m.let(m.select(long, m.i64(-1), 0xffff_ffff));
  const cs = m.let(m.and(m.get('sysenterCs'), 0xffff));
  m.raiseIf(m.or(m.eqz(protectedMode(m)), m.eqz(m.and(cs, 0xfffc))), Vec.GP, 0);
  m.put('eflags', m.and(m.get('eflags'), ~(Flag.VM | Flag.IF | Flag.RF)));
  loadFlat(m, cs, m.add(m.and(cs, 0xfffc), 8), m.select(long, m.i32(Desc.L), Desc.B), 0);
  m.put('regs', m.and(m.get('sysenterEsp'), mask), Reg.SP);
  m.put('rip', m.and(m.get('sysenterEip'), mask));
  m.invoke(updateMode);
});

/** SYSEXIT: (1 with a 64-bit operand size). */
export const sysexit: Micro = faultingMicro('sysexit', ['i32'], (m) => {
  const wide = m.param('i32', 0);
  m.raiseIf(noSysenter(m), Vec.UD);
  const cs = m.let(m.and(m.get('sysenterCs'), 0xfffc));
  m.raiseIf(m.or(m.or(m.eqz(protectedMode(m)), m.eqz(cs)), m.ne(m.cpl(), 0)), Vec.GP, 0);
  const target = m.let(m.get('regs', Reg.DX));
  const sp = m.let(m.get('regs', Reg.CX));
  const canonical = m.and(isCanonical(m, target), isCanonical(m, sp));
  m.raiseIf(m.and(wide, m.eqz(canonical)), Vec.GP, 0);
  const mask = m.let(m.select(wide, m.i64(-1), 0xffff_ffff));
  const base = m.let(m.add(cs, m.select(wide, m.i32(32), 16)));
  loadFlat(m, base, m.add(base, 8), m.select(wide, m.i32(Desc.L), Desc.B), 3);
  m.put('regs', m.and(sp, mask), Reg.SP);
  m.put('rip', m.and(target, mask));
  m.invoke(updateMode);
});
