import type { Val } from '@sterna/wasm';
import type { Machine } from '../semantics/machine.ts';
import { faultingMicro, type Micro } from '../semantics/micro.ts';
import { Seg, Vec } from '../semantics/vectors.ts';
import { Desc, SysType } from './bits.ts';
import {
  descBase,
  descFlags,
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
  tableAddress,
} from './common.ts';
import { updateMode } from './mode.ts';

/** `fetchDescriptor`'s vector parameter: a selector outside its table is no exception but gives temp[1] = -1. */
export const NO_VECTOR = 255;

/**
 * Reads a descriptor: temp[0] = its eight bytes, temp[1] = its linear address. Outside the table's limit it raises the
 * given vector (#GP or #TS) with the selector. A null selector is the caller's business.
 */
export const fetchDescriptor: Micro = faultingMicro('fetch_descriptor', ['i32', 'i32'], (m) => {
  const selector = m.param('i32', 0);
  const vector = m.param('i32', 1);
  const base = m.local('i64');
  const limit = m.local('i32');
  m.if(
    m.and(selector, 4),
    () => {
      m.set(base, m.get('ldtBase'));
      m.set(limit, m.get('ldtLimit'));
    },
    () => {
      m.set(base, m.get('gdtBase'));
      m.set(limit, m.get('gdtLimit'));
    },
  );
  const offset = m.let(m.and(selector, 0xfff8));
  m.if(m.gtU(m.add(offset, 7), limit), () => {
    m.if(m.eq(vector, NO_VECTOR), () => {
      m.put('temp', m.i64(-1), 1);
      m.return(m.i32(0));
    });
    m.if(m.eq(vector, Vec.TS), () => m.raise(Vec.TS, selectorError(m, selector)));
    m.raise(Vec.GP, selectorError(m, selector));
  });
  const at = tableAddress(m, m.add(base, m.extU(offset)));
  const desc = m.loadLinear(at, 64, SYSTEM);
  m.put('temp', desc, 0);
  m.put('temp', at, 1);
});

/** Descriptor and its address, as {@link fetchDescriptor} found them. */
export interface Fetched {
  readonly desc: Val<'i64'>;
  readonly at: Val<'i64'>;
  /** Second dword. */
  readonly high: Val<'i32'>;
}

/** Calls {@link fetchDescriptor} and names the results. */
export function fetched(m: Machine, selector: Val<'i32'>, vector: number = Vec.GP): Fetched {
  m.invoke(fetchDescriptor, selector, m.i32(vector));
  const desc = m.let(m.get('temp', 0));
  return { desc, at: m.let(m.get('temp', 1)), high: m.let(descHigh(m, desc)) };
}

/** Sets the accessed bit of a code or data descriptor in its table unless it is set. May fault. */
export function markAccessed(m: Machine, d: Fetched): void {
  m.if(
    m.eqz(m.and(d.high, Desc.A)),
    () => m.storeLinear(m.add(d.at, 5), 8, m.or(m.and(m.shrU(d.high, 8), 0xff), 1), SYSTEM),
    undefined,
    false,
  );
}

/** The descriptor as it is cached: accessed. */
export function accessed(m: Machine, desc: Val<'i64'>): Val<'i64'> {
  return m.let(m.or(desc, m.i64(BigInt(Desc.A) << 32n)));
}

/** Loads ES, SS, DS, FS or GS (number, selector) in any mode, with all checks. */
export const loadSegment: Micro = faultingMicro('load_segment', ['i32', 'i32'], (m) => {
  const seg = m.param('i32', 0);
  const selector = m.let(m.and(m.param('i32', 1), 0xffff));
  m.if(realStyle(m), () => {
    setSegmentReal(m, seg, selector);
    m.invoke(updateMode);
    m.return(m.i32(0));
  });
  const cpl = m.let(m.cpl());
  m.if(isNull(m, selector), () => {
    const flags = m.local('i32');
    m.set(flags, 0);
    m.if(m.eq(seg, Seg.SS), () => {
      // a null SS is for 64-bit mode below level 3 only, and its RPL must be the CPL (SDM volume 2, MOV)
      const wrongRpl = m.ne(m.and(selector, 3), cpl);
      m.raiseIf(m.or(m.or(m.eqz(m.inLongMode()), m.eq(cpl, 3)), wrongRpl), Vec.GP, 0);
      m.set(flags, m.shl(cpl, Desc.DPL_SHIFT));
    });
    setSegment(m, seg, selector, 0, 0, flags);
    m.invoke(updateMode);
    m.return(m.i32(0));
  });
  const d = fetched(m, selector);
  const error = m.let(selectorError(m, selector));
  const dpl = m.let(dplOf(m, d.high));
  const rpl = m.let(m.and(selector, 3));
  m.raiseIf(m.eqz(m.and(d.high, Desc.S)), Vec.GP, error);
  m.if(
    m.eq(seg, Seg.SS),
    () => {
      const writable = m.eq(m.and(d.high, Desc.CODE | Desc.RW), Desc.RW);
      m.raiseIf(m.or(m.or(m.eqz(writable), m.ne(rpl, cpl)), m.ne(dpl, cpl)), Vec.GP, error);
      m.raiseIf(m.eqz(m.and(d.high, Desc.P)), Vec.SS, error);
    },
    () => {
      m.raiseIf(m.eq(m.and(d.high, Desc.CODE | Desc.RW), Desc.CODE), Vec.GP, error);
      const conforming = m.eq(m.and(d.high, Desc.CODE | Desc.CE), Desc.CODE | Desc.CE);
      m.raiseIf(m.and(m.eqz(conforming), m.or(m.ltU(dpl, cpl), m.ltU(dpl, rpl))), Vec.GP, error);
      m.raiseIf(m.eqz(m.and(d.high, Desc.P)), Vec.NP, error);
    },
  );
  markAccessed(m, d);
  setSegmentFrom(m, seg, selector, accessed(m, d.desc));
  m.invoke(updateMode);
});

/** Loads LDTR. */
export const loadLdt: Micro = faultingMicro('lldt', ['i32'], (m) => {
  const selector = m.let(m.and(m.param('i32', 0), 0xffff));
  m.if(isNull(m, selector), () => {
    m.put('ldtSel', selector);
    m.put('ldtBase', 0);
    m.put('ldtLimit', 0);
    m.put('ldtFlags', 0);
    m.return(m.i32(0));
  });
  const error = m.let(selectorError(m, selector));
  m.raiseIf(m.and(selector, 4), Vec.GP, error);
  const d = fetchedSystem(m, selector, error);
  const type = m.and(d.high, Desc.S | Desc.TYPE);
  m.raiseIf(m.ne(type, SysType.LDT << Desc.TYPE_SHIFT), Vec.GP, error);
  m.raiseIf(m.eqz(m.and(d.high, Desc.P)), Vec.NP, error);
  m.put('ldtSel', selector);
  m.put('ldtBase', d.base);
  m.put('ldtLimit', descLimit(m, d.desc));
  m.put('ldtFlags', descFlags(m, d.desc));
});

/** Loads TR and marks the TSS busy. */
export const loadTask: Micro = faultingMicro('ltr', ['i32'], (m) => {
  const selector = m.let(m.and(m.param('i32', 0), 0xffff));
  m.raiseIf(isNull(m, selector), Vec.GP, 0);
  const error = m.let(selectorError(m, selector));
  m.raiseIf(m.and(selector, 4), Vec.GP, error);
  const d = fetchedSystem(m, selector, error);
  const type = m.let(m.and(d.high, Desc.S | Desc.TYPE));
  const is16 = m.and(m.eq(type, SysType.TSS16 << Desc.TYPE_SHIFT), m.eqz(longModeActive(m)));
  m.raiseIf(m.eqz(m.or(m.eq(type, SysType.TSS << Desc.TYPE_SHIFT), is16)), Vec.GP, error);
  m.raiseIf(m.eqz(m.and(d.high, Desc.P)), Vec.NP, error);
  m.storeLinear(m.add(d.at, 4), 32, m.or(d.high, 0x200), SYSTEM);
  m.put('trSel', selector);
  m.put('trBase', d.base);
  m.put('trLimit', descLimit(m, d.desc));
  // cached as available, not busy: a QEMU that gets this state in a migration refuses to read stacks from a busy TSS
  m.put('trFlags', descFlags(m, d.desc));
});

/** A system descriptor: 16 bytes with a 64-bit base in long mode. */
function fetchedSystem(m: Machine, selector: Val<'i32'>, error: Val<'i32'>): Fetched & { readonly base: Val<'i64'> } {
  const long = m.let(longModeActive(m));
  const last = m.add(m.and(selector, 0xfff8), 15);
  m.raiseIf(m.and(m.ne(long, 0), m.gtU(last, m.get('gdtLimit'))), Vec.GP, error);
  const d = fetched(m, selector);
  const base = m.local('i64');
  m.set(base, descBase(m, d.desc));
  m.if(long, () => {
    const upper = m.loadLinear(m.add(d.at, 8), 64, SYSTEM);
    // the type field of the upper half must be zero
    m.raiseIf(m.ne(m.and(m.wrap(m.shrU(upper, 40)), 0x1f), 0), Vec.GP, error);
    m.set(base, m.or(base, m.shl(upper, 32)));
    m.raiseIf(m.eqz(isCanonical(m, base)), Vec.GP, error);
  });
  return { ...d, base };
}

/**
 * Looks a selector up for LAR, LSL, VERR and VERW: temp[0] = second dword and temp[2] = limit, or temp[0] = 0 when it is
 * not accessible. `mask` has a bit for each system type that is allowed (none: code and data only).
 */
export const inspectSelector: Micro = faultingMicro('inspect_selector', ['i32', 'i32'], (m) => {
  const selector = m.let(m.and(m.param('i32', 0), 0xffff));
  const mask = m.param('i32', 1);
  const fail = (): void => {
    m.put('temp', 0, 0);
    m.return(m.i32(0));
  };
  m.if(isNull(m, selector), fail);
  const d = fetched(m, selector, NO_VECTOR);
  m.if(m.eq(d.at, -1), fail);
  const type = m.and(m.shrU(d.high, Desc.TYPE_SHIFT), 15);
  m.if(m.and(m.eqz(m.and(d.high, Desc.S)), m.eqz(m.and(m.shrU(mask, type), 1))), fail);
  const free = Desc.S | Desc.CODE | Desc.CE;
  m.if(m.ne(m.and(d.high, free), free), () => {
    const dpl = m.let(dplOf(m, d.high));
    m.if(m.or(m.ltU(dpl, m.cpl()), m.ltU(dpl, m.and(selector, 3))), fail);
  });
  m.put('temp', m.extU(d.high), 0);
  m.put('temp', m.extU(descLimit(m, d.desc)), 2);
});

/** Makes data segments unusable that the new, outer CPL may not keep (far returns). */
export const dropInnerSegments: Micro = {
  name: 'drop_inner_segments',
  params: ['i32'],
  results: [],
  faults: false,
  body: (m) => {
    const cpl = m.param('i32', 0);
    for (const seg of [Seg.ES, Seg.DS, Seg.FS, Seg.GS]) {
      const flags = m.let(m.get('segFlags', seg));
      const free = Desc.CODE | Desc.CE;
      const inner = m.and(m.ne(m.and(flags, free), free), m.ltU(dplOf(m, flags), cpl));
      // A null FS or GS keeps its base: it may be a 64-bit one
      m.if(m.and(inner, m.ne(m.and(m.get('segSel', seg), 0xfffc), 0)), () => {
        m.put('segSel', 0, seg);
        m.put('segFlags', m.and(flags, ~Desc.P), seg);
      });
    }
  },
};
