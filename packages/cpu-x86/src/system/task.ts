import type { Val } from '@sterna/wasm';
import { flushTlbNonGlobal } from '../interp/tlb.ts';
import type { Machine } from '../semantics/machine.ts';
import { faultingMicro, type Micro } from '../semantics/micro.ts';
import { Flag, Reg, Seg, Vec } from '../semantics/vectors.ts';
import { CR0, Desc, SysType } from './bits.ts';
import {
  descBase,
  descFlags,
  descLimit,
  dplOf,
  fullFlags,
  isNull,
  SYSTEM,
  selectorError,
  setSegment,
  setSegmentFrom,
  tableAddress,
} from './common.ts';
import { updateMode } from './mode.ts';
import { accessed, fetched, markAccessed } from './segments.ts';

/** What causes a task switch. */
export const TASK_SOURCE = { JMP: 0, CALL: 1, IRET: 2 } as const;

const LDT_BIT = 4;
/** CR3 in the 32-bit TSS. */
const CR3_FIELD = 0x1c;
/** T flag in the 32-bit TSS: a debug trap follows the switch. */
const TRAP_FIELD = 0x64;
const DR6_BT_SHIFT = 15;
const BUSY = 2 << Desc.TYPE_SHIFT;
/** Bits of EFLAGS that a TSS can set. */
const TASK_FLAGS =
  Flag.ARITH | Flag.TF | Flag.IF | Flag.DF | Flag.IOPL | Flag.NT | Flag.RF | Flag.VM | Flag.AC | Flag.ID;

/** Field offsets of both TSS formats (SDM volume 3, 7.2.1 and 7.6). */
interface TssFormat {
  readonly bits: 16 | 32;
  readonly minLimit: number;
  readonly ip: number;
  readonly flags: number;
  readonly regs: number;
  readonly segs: number;
  readonly segCount: number;
  readonly segStride: number;
  readonly ldt: number;
}
const TSS32: TssFormat = {
  bits: 32,
  minLimit: 103,
  ip: 0x20,
  flags: 0x24,
  regs: 0x28,
  segs: 0x48,
  segCount: 6,
  segStride: 4,
  ldt: 0x60,
};
const TSS16: TssFormat = {
  bits: 16,
  minLimit: 43,
  ip: 0x0e,
  flags: 0x10,
  regs: 0x12,
  segs: 0x22,
  segCount: 4,
  segStride: 2,
  ldt: 0x2a,
};

function field(m: Machine, base: Val<'i64'>, offset: number): Val<'i64'> {
  return tableAddress(m, m.add(base, offset));
}

/** Saves the outgoing task: (TSS base, EIP, EFLAGS). */
function saveMicro(f: TssFormat): Micro {
  return faultingMicro(`save_task${f.bits}`, ['i64', 'i64', 'i32'], (m) => {
    const base = m.param('i64', 0);
    // Probe first, so that a fault leaves the outgoing TSS as it was
    m.probeWrite(field(m, base, f.ip), f.segs + f.segCount * f.segStride - f.ip, SYSTEM);
    m.storeLinear(field(m, base, f.ip), f.bits, m.wrap(m.param('i64', 1)), SYSTEM);
    m.storeLinear(field(m, base, f.flags), f.bits, m.param('i32', 2), SYSTEM);
    const width = f.bits / 8;
    for (let r = 0; r < 8; r++) {
      m.storeLinear(field(m, base, f.regs + r * width), f.bits, m.let(m.wrap(m.get('regs', r))), SYSTEM);
    }
    for (let s = 0; s < f.segCount; s++) {
      m.storeLinear(field(m, base, f.segs + s * f.segStride), 16, m.let(m.get('segSel', s)), SYSTEM);
    }
  });
}

/** Reads the incoming task's fields to the state cells taskState: EIP, EFLAGS, 8 registers, 6 selectors, LDT, CR3. */
function readMicro(f: TssFormat): Micro {
  return faultingMicro(`read_task${f.bits}`, ['i64'], (m) => {
    const base = m.param('i64', 0);
    const width = f.bits / 8;
    m.put('taskState', m.loadLinear(field(m, base, f.ip), f.bits, SYSTEM), 0);
    m.put('taskState', m.loadLinear(field(m, base, f.flags), f.bits, SYSTEM), 1);
    for (let r = 0; r < 8; r++) {
      const value = m.loadLinear(field(m, base, f.regs + r * width), f.bits, SYSTEM);
      // a 16-bit task leaves the upper halves of the registers as they are, as on QEMU; the 80386 sets them
      const upper = (): Val<'i32'> =>
        m.and(m.or(m.wrap(m.get('regs', r)), m.sub(m.i32(0), m.get('i386Rules'))), 0xffff_0000 | 0);
      m.put('taskState', f.bits === 16 ? m.or(value, upper()) : value, 2 + r);
    }
    for (let s = 0; s < 6; s++) {
      const selector = s < f.segCount ? m.loadLinear(field(m, base, f.segs + s * f.segStride), 16, SYSTEM) : m.i32(0);
      m.put('taskState', selector, 10 + s);
    }
    m.put('taskState', m.loadLinear(field(m, base, f.ldt), 16, SYSTEM), 16);
    if (f.bits === 32) m.put('taskState', m.loadLinear(field(m, base, CR3_FIELD), 32, SYSTEM), 17);
  });
}

const save = { 16: saveMicro(TSS16), 32: saveMicro(TSS32) };
const read = { 16: readMicro(TSS16), 32: readMicro(TSS32) };

/** Loads one segment register of a new task. Faults are #TS (#SS, #NP when not present). */
const loadTaskSegment: Micro = faultingMicro('load_task_segment', ['i32', 'i32'], (m) => {
  const seg = m.param('i32', 0);
  const selector = m.param('i32', 1);
  const error = m.let(selectorError(m, selector));
  const cpl = m.let(m.cpl());
  m.if(isNull(m, selector), () => {
    m.raiseIf(m.or(m.eq(seg, Seg.SS), m.eq(seg, Seg.CS)), Vec.TS, error);
    m.return(m.i32(0));
  });
  const d = fetched(m, selector, Vec.TS);
  m.raiseIf(m.eqz(m.and(d.high, Desc.S)), Vec.TS, error);
  const dpl = m.let(dplOf(m, d.high));
  const rpl = m.let(m.and(selector, 3));
  const kind = m.let(m.and(d.high, Desc.CODE | Desc.CE));
  m.if(
    m.eq(seg, Seg.CS),
    () => {
      m.raiseIf(m.eqz(m.and(d.high, Desc.CODE)), Vec.TS, error);
      const bad = m.select(m.and(d.high, Desc.CE), m.gtU(dpl, rpl), m.ne(dpl, rpl));
      m.raiseIf(bad, Vec.TS, error);
    },
    () => {
      m.if(
        m.eq(seg, Seg.SS),
        () => {
          const writable = m.eq(m.and(d.high, Desc.CODE | Desc.RW), Desc.RW);
          m.raiseIf(m.or(m.eqz(writable), m.or(m.ne(dpl, cpl), m.ne(dpl, rpl))), Vec.TS, error);
        },
        () => {
          m.raiseIf(m.eq(m.and(d.high, Desc.CODE | Desc.RW), Desc.CODE), Vec.TS, error);
          const free = m.eq(kind, Desc.CODE | Desc.CE);
          m.raiseIf(m.and(m.eqz(free), m.or(m.ltU(dpl, cpl), m.ltU(dpl, rpl))), Vec.TS, error);
        },
      );
    },
  );
  m.if(m.eqz(m.and(d.high, Desc.P)), () => {
    m.if(m.eq(seg, Seg.SS), () => m.raise(Vec.SS, error));
    m.raise(Vec.NP, error);
  });
  markAccessed(m, d);
  setSegmentFrom(m, seg, selector, accessed(m, d.desc));
});

/** Second half of a task switch, in the context of the new task: LDT and segments from taskState. */
const enterTask: Micro = faultingMicro('enter_task', [], (m) => {
  const selector = (i: number): Val<'i32'> => m.let(m.get('taskState', 10 + i));
  const ldt = m.let(m.get('taskState', 16));
  m.put('ldtSel', ldt);
  m.put('ldtBase', 0);
  m.put('ldtLimit', 0);
  m.put('ldtFlags', 0);
  const ldtError = m.let(selectorError(m, ldt));
  m.raiseIf(m.and(ldt, LDT_BIT), Vec.TS, ldtError);
  m.if(m.eqz(isNull(m, ldt)), () => {
    const d = fetched(m, ldt, Vec.TS);
    m.raiseIf(m.ne(m.and(d.high, Desc.S | Desc.TYPE), SysType.LDT << Desc.TYPE_SHIFT), Vec.TS, ldtError);
    m.raiseIf(m.eqz(m.and(d.high, Desc.P)), Vec.TS, ldtError);
    m.put('ldtBase', descBase(m, d.desc));
    m.put('ldtLimit', descLimit(m, d.desc));
    m.put('ldtFlags', descFlags(m, d.desc));
  });
  m.if(m.eqz(m.and(m.get('eflags'), Flag.VM)), () => {
    for (const seg of [Seg.CS, Seg.SS, Seg.ES, Seg.DS, Seg.FS, Seg.GS]) {
      m.invoke(loadTaskSegment, m.i32(seg), selector(seg));
    }
  });
  m.raiseIf(m.gtU(m.wrap(m.get('rip')), m.get('segLimit', Seg.CS)), Vec.GP, 0);
});

/**
 * Switches tasks (SDM volume 3, 7.3): (TSS selector, source, return EIP). Checks that fail before the new task's state is
 * in place raise in the old task; later ones are left in exc* with lateFault = 1 and `rip` in the new task, to be
 * delivered by the caller. The caller has checked the gate's or the TSS descriptor's privilege.
 */
export const taskSwitch: Micro = faultingMicro('task_switch', ['i32', 'i32', 'i64'], (m) => {
  const selector = m.param('i32', 0);
  const source = m.param('i32', 1);
  const error = m.let(selectorError(m, selector));
  const returning = m.let(m.eq(source, TASK_SOURCE.IRET));
  const badSelector = m.or(m.and(m.shrU(selector, 2), 1), isNull(m, selector));
  m.raiseIf(m.and(badSelector, returning), Vec.TS, error);
  m.raiseIf(badSelector, Vec.GP, error);
  const d = fetched(m, selector);
  const type = m.let(m.and(m.shrU(d.high, Desc.TYPE_SHIFT), 0x1f));
  const expected = m.select(returning, m.i32(SysType.TSS16_BUSY), SysType.TSS16);
  const wrong = m.let(m.ne(m.and(type, 0x17), expected));
  m.raiseIf(m.and(wrong, returning), Vec.TS, error);
  m.raiseIf(wrong, Vec.GP, error);
  m.raiseIf(m.eqz(m.and(d.high, Desc.P)), Vec.NP, error);
  const is32 = m.let(m.and(type, 8));
  const limit = m.let(descLimit(m, d.desc));
  m.raiseIf(m.ltU(limit, m.select(is32, m.i32(TSS32.minLimit), TSS16.minLimit)), Vec.TS, error);
  const base = m.let(descBase(m, d.desc));
  const trap = m.local('i32');
  m.set(trap, 0);
  m.if(
    is32,
    () => {
      m.invoke(read[32], base);
      m.set(trap, m.and(m.loadLinear(field(m, base, TRAP_FIELD), 16, SYSTEM), 1));
    },
    () => m.invoke(read[16], base),
  );
  // what is written beside the outgoing TSS must be writable before that is
  m.if(m.eq(source, TASK_SOURCE.CALL), () => m.probeWrite(tableAddress(m, base), 2, SYSTEM));
  m.if(m.eqz(returning), () => m.probeWrite(m.add(d.at, 4), 4, SYSTEM));

  const flags = m.local('i32');
  m.set(flags, fullFlags(m));
  m.if(returning, () => m.set(flags, m.and(flags, ~Flag.NT)));
  const oldBase = m.let(m.get('trBase'));
  m.if(
    m.and(m.get('trFlags'), 0x800),
    () => m.invoke(save[32], oldBase, m.param('i64', 2), flags),
    () => m.invoke(save[16], oldBase, m.param('i64', 2), flags),
  );
  m.if(m.ne(source, TASK_SOURCE.CALL), () => {
    const old = tableAddress(m, m.add(m.get('gdtBase'), m.add(m.extU(m.and(m.get('trSel'), 0xfff8)), 4)));
    const high = m.loadLinear(old, 32, SYSTEM);
    m.storeLinear(old, 32, m.and(high, ~BUSY), SYSTEM);
  });
  const newFlags = m.local('i32');
  m.set(newFlags, m.get('taskState', 1));
  m.if(m.eqz(is32), () => m.set(newFlags, m.and(newFlags, 0xffff)));
  m.if(m.eq(source, TASK_SOURCE.CALL), () => {
    m.storeLinear(tableAddress(m, base), 16, m.let(m.get('trSel')), SYSTEM);
    m.set(newFlags, m.or(newFlags, Flag.NT));
  });
  m.if(m.eqz(returning), () => m.storeLinear(m.add(d.at, 4), 32, m.or(d.high, BUSY), SYSTEM));

  // From here on the new task runs
  m.if(m.and(m.ne(is32, 0), m.ne(m.and(m.wrap(m.get('cr0')), CR0.PG), 0)), () => {
    m.put('cr3', m.extU(m.get('taskState', 17)));
    m.invoke(flushTlbNonGlobal);
  });
  m.put('trSel', selector);
  m.put('trBase', base);
  m.put('trLimit', limit);
  m.put('trFlags', m.and(descFlags(m, d.desc), ~BUSY));
  m.put('cr0', m.or(m.get('cr0'), CR0.TS));
  // local breakpoints end with the task
  m.put('dr', m.and(m.get('dr', 7), m.i64(~0x155)), 7);
  m.put('eflags', m.or(m.and(newFlags, TASK_FLAGS & ~Flag.ARITH), 2));
  m.setArithFlags(m.and(newFlags, Flag.ARITH));
  m.put('rip', m.extU(m.get('taskState', 0)));
  for (let r = Reg.AX; r <= Reg.DI; r++) m.put('regs', m.extU(m.get('taskState', 2 + r)), r);
  m.if(
    m.and(newFlags, Flag.VM),
    () => {
      for (let s = 0; s < 6; s++) setVm86Segment(m, s, m.let(m.get('taskState', 10 + s)));
    },
    () => {
      // Selectors are in place and unusable until they are loaded; CPL comes from the new CS
      const level = m.let(m.shl(m.and(m.get('taskState', 10 + Seg.CS), 3), Desc.DPL_SHIFT));
      for (let s = 0; s < 6; s++) {
        const attributes = s === Seg.SS ? level : m.i32(0);
        setSegment(m, s, m.let(m.get('taskState', 10 + s)), 0, 0, attributes);
      }
    },
  );
  m.put('shadow', 0);
  m.put('watchHit', m.shl(trap, DR6_BT_SHIFT));
  m.invoke(updateMode);
  m.put('lateFault', m.call(m.functionOf(enterTask)));
  m.invoke(updateMode);
});

/** Loads a segment register with the fixed shape of VM86. `updateMode` must follow. */
export function setVm86Segment(m: Machine, seg: number, selector: Val<'i32'>): void {
  const flags = Desc.P | Desc.S | Desc.RW | Desc.A | (3 << Desc.DPL_SHIFT);
  setSegment(m, seg, selector, m.shl(m.extU(selector), 4), 0xffff, flags);
}
