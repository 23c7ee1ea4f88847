import { MEMORY_LAYOUT } from '@sterna/core';
import type { Val } from '@sterna/wasm';
import { HostAccess, noteHostAccess } from '../debug/host-debug.ts';
import type { Machine } from '../semantics/machine.ts';
import { faultingMicro, type Micro, micro } from '../semantics/micro.ts';
import { Vec } from '../semantics/vectors.ts';
import { cellAddress } from '../state/layout.ts';
import { CPU_MAP, TLB } from '../state/memory-map.ts';
import { noteAccess } from '../system/debug.ts';
import { crosses, devicePhys, deviceRead, deviceWrite, readCrossing, writeCrossing } from './crossing.ts';
import { noteWrite } from './physical.ts';
import { DEVICE, entryAddress, PROBE, tlbOf, translate } from './translate.ts';

export { PROBE, translate } from './translate.ts';

/** #AC for an unaligned access while alignment checking is on; 16-byte accesses have their own rule. */
const alignmentFault: Micro = micro('alignment_fault', ['i64', 'i32'], ['i32'], (m) => {
  const size = m.let(m.and(m.param('i32', 1), 0xffff));
  const odd = m.and(m.wrap(m.param('i64', 0)), m.sub(size, 1));
  const user = m.and(m.eq(m.get('cpl'), 3), m.eqz(m.and(m.param('i32', 1), PROBE.SYSTEM)));
  const on = m.and(m.and(m.shrU(m.wrap(m.get('cr0')), 18), m.shrU(m.get('eflags'), 18)), 1);
  const checked = m.and(m.leU(size, 8), m.and(user, on));
  m.if(m.and(m.and(checked, m.ne(odd, 0)), m.eqz(m.and(size, m.sub(size, 1)))), () => {
    m.put('excVector', Vec.AC);
    m.put('excError', 0);
    m.return(m.i32(1));
  });
  m.return(m.i32(0));
});

/** Alignment checks and data breakpoints of an access by the program; `kind` (HostAccess bits) for the latter. */
function checkAlignment(m: Machine, linear: Val<'i64'>, access: Val<'i32'>, failed: number, kind: number): void {
  m.if(
    m.eq(m.get('tlbBase'), CPU_MAP.tlbAligned),
    () => {
      m.if(m.invoke(alignmentFault, linear, access), () => m.return(m.i32(failed)));
      m.if(m.and(m.get('watching'), m.eqz(m.and(access, PROBE.SYSTEM))), () =>
        m.do(m.functionOf(noteAccess), linear, m.and(access, 0xffff), m.i32(kind & HostAccess.WRITE)),
      );
      m.if(m.get('hostWatches'), () => m.do(m.functionOf(noteHostAccess), linear, m.and(access, 0xffff), m.i32(kind)));
    },
    undefined,
    false,
  );
}

/**
 * Host address from which a load of `size` bytes at a linear address can be done: RAM, or the load scratch area after the
 * value was assembled there. Parameters: linear, size and options. Returns 0 for a fault.
 */
export const probeRead: Micro = micro('probe_read', ['i64', 'i32'], ['i32'], (m) => {
  const linear = m.param('i64', 0);
  const access = m.param('i32', 1);
  const size = m.let(m.and(access, 0xffff));
  checkAlignment(m, linear, access, 0, HostAccess.READ);
  m.if(
    crosses(m, linear, size),
    () => m.return(m.invoke(readCrossing, linear, access, m.i32(cellAddress('loadScratch')))),
    undefined,
    false,
  );
  const at = m.let(entryAddress(m, tlbOf(m, access), linear));
  m.if(
    m.eq(m.load('i64', at, TLB.read), m.and(linear, -4096)),
    () => m.return(m.add(m.wrap(linear), m.load('i32', at, TLB.addend))),
    undefined,
    true,
  );
  const host = m.let(m.invoke(translate, linear, access));
  m.if(m.ne(host, DEVICE), () => m.return(host), undefined, true);
  m.do(m.functionOf(deviceRead), devicePhys(m, linear), m.i32(cellAddress('loadScratch')), size);
  m.return(m.i32(cellAddress('loadScratch')));
});

/**
 * Opens `size` bytes for read-modify-write: RAM when it can be written directly, else the rmw scratch area with the old
 * value, to be written by {@link commitRmw}. Returns 0 for a fault.
 */
export const probeRmw: Micro = micro('probe_rmw', ['i64', 'i32'], ['i32'], (m) => {
  const linear = m.param('i64', 0);
  const access = m.param('i32', 1);
  const scratch = m.i32(cellAddress('rmwScratch'));
  const size = m.let(m.and(access, 0xffff));
  checkAlignment(m, linear, access, 0, HostAccess.READ | HostAccess.WRITE);
  m.put('pendLinear', linear);
  m.put('pendSize', access);
  m.if(
    crosses(m, linear, size),
    () => {
      m.if(m.call(m.functionOf(probeWriteRange), linear, size, m.and(access, -65536)), () => m.return(m.i32(0)));
      m.return(m.invoke(readCrossing, linear, access, scratch));
    },
    undefined,
    false,
  );
  const at = m.let(entryAddress(m, tlbOf(m, access), linear));
  m.if(
    m.eq(m.load('i64', at, TLB.write), m.and(linear, -4096)),
    () => m.return(m.add(m.wrap(linear), m.load('i32', at, TLB.addend))),
    undefined,
    true,
  );
  const host = m.let(m.invoke(translate, linear, m.or(access, PROBE.WRITE)));
  m.if(m.eqz(host), () => m.return(host));
  m.if(m.eq(host, DEVICE), () => {
    // a ROM page is read directly and written by a call
    const from = m.let(m.invoke(probeRead, linear, access));
    m.if(m.eqz(from), () => m.return(from));
    m.memoryCopy(scratch, from, 16);
    m.return(scratch);
  });
  const direct = m.eqz(m.load('i32.8u', m.shrU(host, 12), MEMORY_LAYOUT.pageFlags));
  m.if(direct, () => m.return(host));
  m.memoryCopy(scratch, host, size);
  m.return(scratch);
});

/** Writes the rmw scratch area to where {@link probeRmw} took it from. Cannot fault: the range was probed. */
export const commitRmw: Micro = micro('commit_rmw', [], [], (m) => {
  m.drop(m.invoke(writeSlow, m.get('pendLinear'), m.get('pendSize'), m.i32(cellAddress('rmwScratch'))));
});

/** Writes host memory to a linear range of at most 16 bytes. Parameters: linear, size and options, host source. Returns 1 for a fault. */
const writeSlow: Micro = micro('write_slow', ['i64', 'i32', 'i32'], ['i32'], (m) => {
  const linear = m.param('i64', 0);
  const access = m.param('i32', 1);
  const from = m.param('i32', 2);
  const size = m.let(m.and(access, 0xffff));
  m.if(crosses(m, linear, size), () => m.return(m.invoke(writeCrossing, linear, access, from)), undefined, false);
  const host = m.let(m.invoke(translate, linear, m.or(access, PROBE.WRITE)));
  m.if(m.eqz(host), () => m.return(m.i32(1)));
  m.if(m.eq(host, DEVICE), () => {
    m.do(m.functionOf(deviceWrite), devicePhys(m, linear), from, size);
    m.return(m.i32(0));
  });
  m.memoryCopy(host, from, size);
  m.do(m.functionOf(noteWrite), host, size);
  m.return(m.i32(0));
});

function storer(type: 'i32' | 'i64' | 'v128'): Micro {
  return micro(`write_${type}`, ['i64', type, 'i32'], ['i32'], (m) => {
    const linear = m.param('i64', 0);
    const value = m.param(type, 1);
    const access = m.param('i32', 2);
    const size = m.let(m.and(access, 0xffff));
    checkAlignment(m, linear, access, 1, HostAccess.WRITE);
    const at = m.let(entryAddress(m, tlbOf(m, access), linear));
    const last = m.add(linear, m.extU(m.sub(size, 1)));
    m.if(
      m.eq(m.load('i64', at, TLB.write), m.and(last, -4096)),
      () => {
        const host = m.let(m.add(m.wrap(linear), m.load('i32', at, TLB.addend)));
        if (type !== 'i32') m.store(type, host, value as never);
        else {
          m.if(
            m.eq(size, 4),
            () => m.store('i32', host, value as Val<'i32'>),
            () => {
              m.if(
                m.eq(size, 2),
                () => m.store('i32.16', host, value as Val<'i32'>),
                () => m.store('i32.8', host, value as Val<'i32'>),
              );
            },
          );
        }
        m.return(m.i32(0));
      },
      undefined,
      true,
    );
    const scratch = m.i32(cellAddress('loadScratch'));
    m.store(type, scratch, value as never);
    m.return(m.invoke(writeSlow, linear, access, scratch));
  });
}

const STORERS = { i32: storer('i32'), i64: storer('i64'), v128: storer('v128') };

/** The function that stores a value of a type at a linear address: (linear, value, size and options) gives 1 for a fault. */
export function writeMemory(type: 'i32' | 'i64' | 'v128'): Micro {
  return STORERS[type];
}

/** Checks that every byte of a linear range (at most two pages) can be written. Parameters: linear, bytes, options. */
export const probeWriteRange: Micro = faultingMicro('probe_write', ['i64', 'i32', 'i32'], (m) => {
  const linear = m.param('i64', 0);
  const bytes = m.param('i32', 1);
  const access = m.let(m.or(m.param('i32', 2), PROBE.WRITE));
  const check = (at: Val<'i64'>): void => {
    const entry = entryAddress(m, tlbOf(m, access), at);
    m.if(m.ne(m.load('i64', entry, TLB.write), m.and(at, -4096)), () => {
      m.if(m.eqz(m.invoke(translate, at, access)), () => m.return(m.i32(1)));
    });
  };
  check(linear);
  const last = m.let(m.add(linear, m.extU(m.sub(bytes, 1))));
  m.if(m.eqz(m.inLongMode()), () => m.set(last, m.and(last, 0xffff_ffff)));
  // the second page is named by its first byte, which is what CR2 must show
  m.if(crosses(m, linear, bytes), () => {
    const next = m.let(m.and(last, -4096));
    check(next);
  });
});
