import type { Val } from '@sterna/wasm';
import type { Machine } from '../semantics/machine.ts';
import { type Micro, micro } from '../semantics/micro.ts';
import { CPU_MAP, counterOf } from '../state/memory-map.ts';
import { hot } from './host.ts';

/** Statement: counts an execution of a record as the successor of a branch, and reports it when it has become hot. */
export function countSuccessor(m: Machine, record: Val<'i32'>): void {
  const base = counterOf(CPU_MAP.records) - CPU_MAP.records / 4;
  const at = m.let(m.shrU(record, 2));
  const n = m.let(m.add(m.load('i32', at, base), 1));
  m.store('i32', at, n, base);
  m.if(m.eq(n, m.get('hotCount')), () => m.do(m.functionOf(reportHot), record), undefined, false);
}

const reportHot: Micro = micro('report_hot', ['i32'], [], (m) => void m.hostCall(hot, m.param('i32', 0)));
