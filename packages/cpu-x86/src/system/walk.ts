import { type Micro, micro } from '../semantics/micro.ts';

/** What an access needs: bits of `walk`'s second parameter. */
export const ACCESS = { READ: 0, WRITE: 1, EXEC: 2, USER: 4, PROBE: 8 } as const;
/** walkFlags: what a translation allows without walking again. */
export const WALK = { WRITE: 1, EXEC: 2, GLOBAL: 4, USER: 8 } as const;

/** Translates a linear address. Returns 0 with walkPhys and walkFlags set, or 1 with the exception described. */
export const walk: Micro = micro('walk', ['i64', 'i32'], ['i32'], (m) => {
  const linear = m.param('i64', 0);
  m.put('walkPhys', m.and(m.and(linear, m.extU(m.get('a20Mask'))), 0xffff_f000n as unknown as bigint));
  m.put('walkFlags', WALK.WRITE | WALK.EXEC | WALK.GLOBAL | WALK.USER);
  m.return(m.i32(0));
});
