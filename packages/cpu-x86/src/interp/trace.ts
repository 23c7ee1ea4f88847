import { TRACE } from '../instrument/areas.ts';
import { type Micro, micro } from '../semantics/micro.ts';
import { traceFull } from './host.ts';

/** Appends an event: its two words and a linear address. See {@link TRACE}. */
export const traceEvent: Micro = micro('trace_event', ['i32', 'i32', 'i64'], [], (m) => {
  const at = m.let(m.load('i32', 0, TRACE.next, 1));
  m.store('i32', at, m.param('i32', 0), 0, 1);
  m.store('i32', at, m.param('i32', 1), 4, 1);
  m.store('i64', at, m.param('i64', 2), 8, 1);
  const next = m.let(m.add(at, 16));
  m.store('i32', 0, next, TRACE.next, 1);
  m.if(m.eq(next, TRACE.end), () => void m.hostCall(traceFull), undefined, false);
});
