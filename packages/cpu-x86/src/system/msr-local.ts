import { MEMORY_LAYOUT } from '@sterna/core';
import type { Val } from '@sterna/wasm';
import { apicMsrRead, apicMsrWrite, deadlinePending, deadlineWrite } from '../interp/host.ts';
import { readTsc } from '../interp/time.ts';
import type { Machine } from '../semantics/machine.ts';
import { Vec } from '../semantics/vectors.ts';

/** Bits of cell msrFeatures: which of the registers here a model has. */
export const MsrFeature = { TSC_ADJUST: 1, TSC_DEADLINE: 2, X2APIC: 4 } as const;

const TSC = 0x10;
const TSC_ADJUST = 0x3b;
const TSC_DEADLINE = 0x6e0;
const X2APIC = 0x800;
const X2APIC_COUNT = 0x100;
/** Delay beyond which a deadline is as good as none: about 285 years in ns, less than 2^63. */
const FAR_NS = 9e18;

const has = (m: Machine, feature: number): Val<'i32'> => m.and(m.get('msrFeatures'), feature);

/** Runs `fn` and returns when the number is `first`, or in a range of `count` from there. */
function when(m: Machine, n: Val<'i32'>, first: number, count: number, fn: (offset: Val<'i32'>) => void): void {
  const offset = m.let(m.sub(n, first));
  m.if(m.ltU(offset, count), () => {
    fn(offset);
    m.return(m.i32(0));
  });
}

/**
 * RDMSR of the timestamp counter's registers and, in x2APIC mode, the local APIC's: temp[0] gets the value. Comes back when
 * the number is another, or the model lacks the register and it reads like any unknown one.
 */
export function readLocalMsr(m: Machine, n: Val<'i32'>): void {
  when(m, n, TSC, 1, () => m.put('temp', m.invoke<'i64'>(readTsc), 0));
  when(m, n, X2APIC, X2APIC_COUNT, (register) => m.raiseIf(m.hostCall(apicMsrRead, register), Vec.GP, 0));
  m.if(has(m, MsrFeature.TSC_ADJUST), () => when(m, n, TSC_ADJUST, 1, () => m.put('temp', m.get('tscAdjust'), 0)));
  m.if(has(m, MsrFeature.TSC_DEADLINE), () =>
    when(m, n, TSC_DEADLINE, 1, () => {
      m.put('temp', 0, 0);
      m.if(m.hostCall(deadlinePending), () => m.put('temp', m.get('tscDeadline'), 0));
    }),
  );
}

/** The counter jumps by `ticks`; both ways to make it do so show in TSC_ADJUST (SDM volume 3, 18.17.3). */
function jump(m: Machine, ticks: Val<'i64'>): void {
  m.put('tscOffset', m.add(m.get('tscOffset'), ticks));
  m.put('tscAdjust', m.add(m.get('tscAdjust'), ticks));
}

/** WRMSR of the same registers; comes back as {@link readLocalMsr} does. */
export function writeLocalMsr(m: Machine, n: Val<'i32'>, value: Val<'i64'>): void {
  when(m, n, TSC, 1, () => jump(m, m.let(m.sub(value, m.invoke<'i64'>(readTsc)))));
  when(m, n, X2APIC, X2APIC_COUNT, (register) =>
    m.raiseIf(m.hostCall(apicMsrWrite, register, m.wrap(value), m.wrap(m.shrU(value, 32))), Vec.GP, 0),
  );
  m.if(has(m, MsrFeature.TSC_ADJUST), () =>
    when(m, n, TSC_ADJUST, 1, () => jump(m, m.let(m.sub(value, m.get('tscAdjust'))))),
  );
  m.if(has(m, MsrFeature.TSC_DEADLINE), () =>
    when(m, n, TSC_DEADLINE, 1, () => {
      m.put('tscDeadline', value);
      const ticks = m.let(m.sub(value, m.invoke<'i64'>(readTsc)));
      const ns = m.fdiv(m.convert('f64', ticks), m.load('f64', 0, MEMORY_LAYOUT.tscPerNs));
      // a deadline in the past is due at once; 0 disarms
      const due = m.fmin(m.fmax(ns, m.f64(0)), m.f64(FAR_NS));
      const delay = m.let(m.select(m.eqz(value), m.i64(-1), m.truncSat('i64', due)));
      m.hostCall(deadlineWrite, m.wrap(delay), m.wrap(m.shrU(delay, 32)));
    }),
  );
}
