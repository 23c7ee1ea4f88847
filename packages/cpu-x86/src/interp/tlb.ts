import { type Micro, micro } from '../semantics/micro.ts';
import { CPU_MAP, JUMP_CACHE, TLB } from '../state/memory-map.ts';

const TLB_BYTES = TLB.entries * TLB.stride;
/** Bit of a TLB entry's flags: a global page, kept by a CR3 load. */
export const TLB_GLOBAL = 1;

/** Starts a new generation of the jump cache: linear addresses may mean something else now. */
export const newGeneration: Micro = micro('new_generation', [], [], (m) => {
  const g = m.let(m.and(m.add(m.get('jcGeneration'), 1), 0x7ff_ffff));
  m.put('jcGeneration', g);
  m.if(m.eqz(g), () => m.memoryFill(m.i32(CPU_MAP.jumpCache), 0xff, JUMP_CACHE.entries * JUMP_CACHE.stride));
  m.put('jcKey', m.or(m.and(m.get('jcKey'), 31), m.shl(g, 5)));
});

/** Drops every translation. */
export const flushTlb: Micro = micro('flush_tlb', [], [], (m) => {
  m.memoryFill(m.i32(CPU_MAP.tlbKernel), 0xff, 3 * TLB_BYTES);
  m.do(m.functionOf(newGeneration));
});

/** Drops the translations of pages that are not global (CR3 load). */
export const flushTlbNonGlobal: Micro = micro('flush_tlb_non_global', [], [], (m) => {
  const at = m.local('i32');
  m.set(at, CPU_MAP.tlbKernel);
  m.loop((again) => {
    m.if(m.eqz(m.and(m.load('i32', at, TLB.flags), TLB_GLOBAL)), () => {
      m.store('i64', at, m.i64(-1), TLB.read);
      m.store('i64', at, m.i64(-1), TLB.write);
      m.store('i64', at, m.i64(-1), TLB.exec);
    });
    m.set(at, m.add(at, TLB.stride));
    m.brIf(again, m.ltU(at, CPU_MAP.tlbUser + TLB_BYTES));
  });
  m.do(m.functionOf(newGeneration));
});

/** Drops the translation of one linear page (INVLPG). */
export const flushPage: Micro = micro('flush_page', ['i64'], [], (m) => {
  const linear = m.param('i64', 0);
  const slot = m.let(m.and(m.wrap(m.shrU(linear, 7)), (TLB.entries - 1) * TLB.stride));
  for (const base of [CPU_MAP.tlbKernel, CPU_MAP.tlbUser]) {
    for (const tag of [TLB.read, TLB.write, TLB.exec]) m.store('i64', slot, m.i64(-1), base + tag);
  }
  m.do(m.functionOf(newGeneration));
});

/** Withholds every write tag: the next write to any page takes the slow path. */
export const flushWriteTags: Micro = micro('flush_write_tags', [], [], (m) => {
  const at = m.local('i32');
  m.set(at, CPU_MAP.tlbKernel);
  m.loop((again) => {
    m.store('i64', at, m.i64(-1), TLB.write);
    m.set(at, m.add(at, TLB.stride));
    m.brIf(again, m.ltU(at, CPU_MAP.tlbUser + TLB_BYTES));
  });
});
