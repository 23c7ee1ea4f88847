import { MEMORY_LAYOUT } from '@sterna/core';
import { type Micro, micro } from '../semantics/micro.ts';

/** Time stamp counter: the slice's start plus the executed instructions' share, clamped to the slice; plus the vCPU's offset. */
export const readTsc: Micro = micro('read_tsc', [], ['i64'], (m) => {
  const executed = m.sub(m.sub(m.get('budget'), m.get('icLeft')), m.get('icRest'));
  const ns = m.mul(m.convert('f64', executed), m.load('f64', 0, MEMORY_LAYOUT.nsPerInsn));
  const clamped = m.fmin(ns, m.load('f64', 0, MEMORY_LAYOUT.sliceMaxNs));
  const ticks = m.truncSat('i64', m.mul(clamped, m.load('f64', 0, MEMORY_LAYOUT.tscPerNs)));
  const machine = m.add(m.load('i64', 0, MEMORY_LAYOUT.tscAtSliceStart), ticks);
  m.return(m.add(machine, m.get('tscOffset')));
});
