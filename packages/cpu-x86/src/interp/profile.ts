import type { Val } from '@sterna/wasm';
import type { Machine } from '../semantics/machine.ts';
import { type Micro, micro } from '../semantics/micro.ts';
import { CPU_MAP, counterOf, JUMP_PROFILE } from '../state/memory-map.ts';
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

/** Statement: counts that a computed jump led to an offset in CS. Of two that share a place the later one is kept. */
export function countJump(m: Machine, record: Val<'i32'>, offset: Val<'i64'>): void {
  const target = m.let(m.wrap(offset));
  const hash = m.xor(m.shrU(record, 4), m.shrU(m.mul(target, 0x9e37_79b1 | 0), 20));
  const at = m.let(m.shl(m.and(hash, JUMP_PROFILE.entries - 1), 4));
  const key = m.let(m.or(m.extU(record), m.shl(m.extU(target), 32)));
  const count = CPU_MAP.jumpProfile + JUMP_PROFILE.count;
  m.if(
    m.eq(m.load('i64', at, CPU_MAP.jumpProfile), key),
    () => m.store('i32', at, m.add(m.load('i32', at, count), 1), count),
    () => {
      m.store('i64', at, key, CPU_MAP.jumpProfile);
      m.store('i32', at, m.i32(1), count);
    },
    true,
  );
}
