import { type Micro, micro } from '../semantics/micro.ts';
import { STATE_END } from '../state/layout.ts';
import { STATE_BASE, TLB, TLB_PLACE } from '../state/memory-map.ts';

/** Parks the cells that are in place at one address and brings those at another into place. */
export const switchCells: Micro = micro('switch_cells', ['i32', 'i32'], [], (m) => {
  m.memoryCopy(m.param('i32', 0), m.i32(STATE_BASE), STATE_END - STATE_BASE);
  m.memoryCopy(m.i32(STATE_BASE), m.param('i32', 1), STATE_END - STATE_BASE);
});

/** Withholds every write tag in the TLBs at an address, those of a parked vCPU: as `flush_write_tags` for the running one. */
export const flushParkedWriteTags: Micro = micro('flush_parked_write_tags', ['i32'], [], (m) => {
  const at = m.let(m.param('i32', 0));
  const end = m.let(m.add(at, Object.keys(TLB_PLACE).length * TLB.entries * TLB.stride));
  m.loop((again) => {
    m.store('i64', at, m.i64(-1), TLB.write);
    m.set(at, m.add(at, TLB.stride));
    m.brIf(again, m.ltU(at, end));
  });
});
