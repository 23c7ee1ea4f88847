import type { Val } from '@sterna/wasm';
import { breakpointNear } from '../debug/host-debug.ts';
import type { Machine } from '../semantics/machine.ts';
import { type Micro, micro } from '../semantics/micro.ts';
import { Leave, Seg, Vec } from '../semantics/vectors.ts';
import { CPU_MAP, JUMP_CACHE, TLB, TLB_PLACE } from '../state/memory-map.ts';
import { PROBE, translate } from './access.ts';
import { decode, decodeCross } from './host.ts';
import { countSuccessor } from './profile.ts';
import { Handler, REC } from './records.ts';
import { noteExecuted } from './tlb.ts';

/** Slots of the entry map, of 16 bytes: host address, mode key, record. */
export const ENTRY_MAP_SLOTS = 1 << 16;

function jumpSlot(m: Machine, target: Val<'i64'>): Val<'i32'> {
  const low = m.let(m.wrap(target));
  return m.let(m.shl(m.and(m.xor(low, m.shrU(low, 12)), JUMP_CACHE.entries - 1), 4));
}

/** Linear address of an offset in CS. */
function codeLinear(m: Machine, target: Val<'i64'>): Val<'i64'> {
  const linear = m.let(m.add(target, m.get('segEff', Seg.CS)));
  m.if(m.eqz(m.inLongMode()), () => m.set(linear, m.and(linear, 0xffff_ffff)));
  return linear;
}

/** Host address of code at a linear address by the execute tags; 0 for a fault. */
const fetchAddress: Micro = micro('fetch_address', ['i64'], ['i32'], (m) => {
  const linear = m.param('i64', 0);
  const place = m.select(m.eq(m.get('cpl'), 3), m.i32(TLB_PLACE.user), TLB_PLACE.kernel);
  const base = m.add(m.get('tlbArea'), place);
  const at = m.let(m.add(base, m.and(m.wrap(m.shrU(linear, 7)), (TLB.entries - 1) * TLB.stride)));
  m.if(
    m.eq(m.load('i64', at, TLB.exec), m.and(linear, -4096)),
    () => m.return(m.add(m.wrap(linear), m.load('i32', at, TLB.addend))),
    undefined,
    true,
  );
  const host = m.let(m.invoke(translate, linear, m.i32(PROBE.EXEC)));
  m.if(m.eq(host, 1), () => {
    // code in device memory cannot be decoded: nothing sensible is there
    m.put('excVector', Vec.GP);
    m.put('excError', 0);
    m.return(m.i32(0));
  });
  m.return(host);
});

/** Finds or decodes the instruction at `rip`: its record, or Leave.FETCH_FAULT. Sets pcPage. */
export const lookup: Micro = micro('lookup', [], ['i32'], (m) => {
  const target = m.let(m.get('rip'));
  const linear = codeLinear(m, target);
  const beyond = m.and(m.eqz(m.inLongMode()), m.gtU(target, m.extU(m.get('segLimit', Seg.CS))));
  m.if(
    beyond,
    () => {
      m.put('excVector', Vec.GP);
      m.put('excError', 0);
      m.return(m.i32(Leave.FETCH_FAULT));
    },
    undefined,
    false,
  );
  const host = m.let(m.invoke(fetchAddress, linear));
  m.if(m.eqz(host), () => m.return(m.i32(Leave.FETCH_FAULT)), undefined, false);
  m.put('pcPage', m.and(linear, -4096));
  const key = m.let(m.get('modeKey'));
  const mapSlot = m.let(m.shl(m.and(m.xor(host, m.shrU(host, 11)), ENTRY_MAP_SLOTS - 1), 4));
  const rec = m.local('i32');
  m.if(
    m.and(
      m.eq(m.load('i32', mapSlot, CPU_MAP.entryMap), host),
      m.eq(m.load('i32', mapSlot, CPU_MAP.entryMap + 4), key),
    ),
    () => m.set(rec, m.load('i32', mapSlot, CPU_MAP.entryMap + 8)),
    () => m.set(rec, m.hostCall(decode, host)),
    true,
  );
  m.if(
    m.get('hostDebug'),
    () => {
      m.if(m.invoke(breakpointNear, linear), () => {
        // the way into a page with a breakpoint: the loop looks before this instruction
        m.if(m.eqz(m.get('hostNear')), () => {
          m.put('icRest', m.add(m.get('icRest'), m.get('icLeft')));
          m.put('icLeft', 0);
        });
        m.return(rec);
      });
    },
    undefined,
    false,
  );
  const slot = jumpSlot(m, target);
  m.store('i64', slot, target, CPU_MAP.jumpCache);
  m.store('i32', slot, m.get('jcKey'), CPU_MAP.jumpCache + 8);
  m.store('i32', slot, rec, CPU_MAP.jumpCache + 12);
  noteExecuted(m, linear, m.eq(m.get('cpl'), 3));
  m.return(rec);
});

/** The record for `rip`, by the jump cache or {@link lookup}; or a Leave code. */
export const find: Micro = micro('find', [], ['i32'], (m) => {
  const target = m.let(m.get('rip'));
  const slot = jumpSlot(m, target);
  const hit = m.and(
    m.eq(m.load('i64', slot, CPU_MAP.jumpCache), target),
    m.eq(m.load('i32', slot, CPU_MAP.jumpCache + 8), m.get('jcKey')),
  );
  m.if(
    hit,
    () => {
      m.put('pcPage', m.and(codeLinear(m, target), -4096));
      m.return(m.load('i32', slot, CPU_MAP.jumpCache + 12));
    },
    undefined,
    true,
  );
  m.return(m.invoke(lookup));
});

/** As {@link find}, for a branch: its target counts as executed. */
export const findTarget: Micro = micro('find_target', [], ['i32'], (m) => {
  const rec = m.let(m.invoke(find));
  m.if(m.geU(rec, 16), () => countSuccessor(m, rec), undefined, true);
  m.return(rec);
});

/**
 * Target record of a relative branch that is not linked yet; links it when it stays in the page. Parameters: the branch's
 * record, 1 to cut the target to 16 bits. Returns a record or a Leave code.
 */
export const branchSlow: Micro = micro('branch_slow', ['i32', 'i32'], ['i32'], (m) => {
  const rec = m.param('i32', 0);
  const linked = m.let(m.load('i32', rec, REC.link));
  m.if(
    linked,
    () => {
      countSuccessor(m, linked);
      m.return(linked);
    },
    undefined,
    true,
  );
  const page = m.let(m.get('pcPage'));
  const linear = m.let(m.add(page, m.load('i64.32s', rec, REC.imm)));
  // what runs on past 64 KiB does not wrap, as a jump does: it is beyond the limit
  const isLink = m.eq(m.load('i32.16u', rec, REC.handler), Handler.LINK);
  const mask = m.select(isLink, m.or(m.get('ipMask'), 0xffff_ffff), m.get('ipMask'));
  const target = m.let(m.and(m.sub(linear, m.get('segEff', Seg.CS)), mask));
  m.if(m.param('i32', 1), () => m.set(target, m.and(target, 0xffff)));
  m.put('rip', target);
  const epoch = m.let(m.get('cacheEpoch'));
  const found = m.let(m.invoke(findTarget));
  // the jump cache may still name a dropped record, which is a link to itself
  m.if(m.eq(found, rec), () => m.set(found, m.invoke(lookup)), undefined, false);
  const inPage = m.and(m.eqz(m.shrU(m.load('i32', rec, REC.imm), 12)), m.eq(codeLinear(m, target), linear));
  m.if(m.and(m.and(m.geU(found, 16), inPage), m.eq(epoch, m.get('cacheEpoch'))), () =>
    m.store('i32', rec, found, REC.link),
  );
  m.return(found);
});

/**
 * An instruction that crosses into the next page: decoded for the pair of host pages. The record keeps the expected second
 * page in `imm` and the decoded pair in `link`.
 */
export const crossSlow: Micro = micro('cross_slow', ['i32'], ['i32'], (m) => {
  const rec = m.param('i32', 0);
  const here = m.let(m.add(m.get('pcPage'), m.and(m.load('i64.16u', rec, REC.pos), 0xfff)));
  m.put('rip', m.and(m.sub(here, m.get('segEff', Seg.CS)), m.get('ipMask')));
  const next = m.let(m.add(m.get('pcPage'), 4096));
  m.if(m.eqz(m.inLongMode()), () => m.set(next, m.and(next, 0xffff_ffff)));
  const second = m.let(m.invoke(fetchAddress, next));
  m.if(m.eqz(second), () => m.return(m.i32(Leave.FETCH_FAULT)));
  const linked = m.let(m.load('i32', rec, REC.link));
  m.if(m.and(m.eq(m.load('i32', rec, REC.imm), second), m.ne(linked, 0)), () => m.return(linked), undefined, true);
  const first = m.let(m.invoke(fetchAddress, here));
  m.if(m.eqz(first), () => m.return(m.i32(Leave.FETCH_FAULT)));
  m.return(m.hostCall(decodeCross, rec, first, second));
});
