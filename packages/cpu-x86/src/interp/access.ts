import { MEMORY_LAYOUT, PAGE_CODE, PAGE_MAP_READ, PAGE_MAP_WRITE, PAGE_MISSING, PAGE_PROTECTED } from '@sterna/core';
import type { Val } from '@sterna/wasm';
import type { Machine } from '../semantics/machine.ts';
import { faultingMicro, type Micro, micro } from '../semantics/micro.ts';
import { PAGE_WAIT, Vec } from '../semantics/vectors.ts';
import { cellAddress } from '../state/layout.ts';
import { CPU_MAP, TLB } from '../state/memory-map.ts';
import { noteAccess } from '../system/debug.ts';
import { ACCESS, WALK, walk } from '../system/walk.ts';
import { mmioRead, mmioWrite } from './host.ts';
import { mapEntry, noteWrite } from './physical.ts';
import { TLB_GLOBAL } from './tlb.ts';

/** Bits beside the size (low half) in the last parameter of the access functions. */
export const PROBE = { WRITE: 0x1_0000, SYSTEM: 0x2_0000, STACK: 0x4_0000, EXEC: 0x8_0000 } as const;

/** Host address meaning "a device": never a real one. walkPhys holds the physical page. */
const DEVICE = 1;

/** TLB that holds the translation of an access, by its rights. */
function tlbOf(m: Machine, options: Val<'i32'>): Val<'i32'> {
  const supervisor = m.or(m.ne(m.and(options, PROBE.SYSTEM), 0), m.ne(m.get('cpl'), 3));
  return m.select(supervisor, m.i32(CPU_MAP.tlbKernel), CPU_MAP.tlbUser);
}

function entryAddress(m: Machine, base: Val<'i32'>, linear: Val<'i64'>): Val<'i32'> {
  return m.add(base, m.and(m.wrap(m.shrU(linear, 7)), (TLB.entries - 1) * TLB.stride));
}

/**
 * Translates one linear address by walking the page tables and fills the TLB. Parameters: linear, options (PROBE bits).
 * Returns the host address, 1 for a device, or 0 with the exception described.
 */
export const translate: Micro = micro('translate', ['i64', 'i32'], ['i32'], (m) => {
  const linear = m.param('i64', 0);
  const options = m.param('i32', 1);
  const isWrite = m.let(m.ne(m.and(options, PROBE.WRITE), 0));
  const isExec = m.let(m.ne(m.and(options, PROBE.EXEC), 0));
  m.if(
    m.ne(m.shrS(m.shl(linear, 16), 16), linear),
    () => {
      m.put('excVector', m.select(m.and(options, PROBE.STACK), m.i32(Vec.SS), m.i32(Vec.GP)));
      // told from other #GP so that the fault path can turn it into #SS for operands based on RSP or RBP
      m.put('excError', 0);
      m.put('excAddr', -1);
      m.return(m.i32(0));
    },
    undefined,
    false,
  );
  const tlb = m.let(tlbOf(m, options));
  const user = m.ne(tlb, CPU_MAP.tlbKernel);
  const access = m.or(
    m.or(m.select(isWrite, m.i32(ACCESS.WRITE), 0), m.select(isExec, m.i32(ACCESS.EXEC), 0)),
    m.select(user, m.i32(ACCESS.USER), 0),
  );
  m.if(m.invoke(walk, linear, access), () => m.return(m.i32(0)), undefined, false);
  const phys = m.let(m.get('walkPhys'));
  m.if(m.geU(phys, m.i64(MEMORY_LAYOUT.pageMapSpan)), () => m.return(m.i32(DEVICE)), undefined, false);
  const map = m.let(mapEntry(m, phys));
  m.if(m.eqz(m.and(map, m.select(isWrite, m.i32(PAGE_MAP_WRITE), PAGE_MAP_READ))), () => m.return(m.i32(DEVICE)));
  const host = m.let(m.and(map, -4096));
  const page = m.let(m.shrU(host, 12));
  const flags = m.let(m.load('i32.8u', page, MEMORY_LAYOUT.pageFlags));
  m.if(
    m.and(flags, m.select(isWrite, m.i32(PAGE_MISSING | PAGE_PROTECTED), PAGE_MISSING)),
    () => {
      m.put('excVector', PAGE_WAIT);
      m.put('excError', host);
      m.return(m.i32(0));
    },
    undefined,
    false,
  );
  m.if(isWrite, () => {
    m.set(flags, m.and(flags, PAGE_CODE));
    m.store('i32.8', page, flags, MEMORY_LAYOUT.pageFlags);
  });
  const tag = m.let(m.and(linear, -4096));
  const at = m.let(entryAddress(m, tlb, linear));
  const allowed = m.let(m.get('walkFlags'));
  m.store('i64', at, m.select(m.and(map, PAGE_MAP_READ), tag, -1), TLB.read);
  const writable = m.and(m.and(m.ne(m.and(allowed, WALK.WRITE), 0), m.eqz(flags)), m.ne(m.and(map, PAGE_MAP_WRITE), 0));
  m.store('i64', at, m.select(writable, tag, -1), TLB.write);
  m.store(
    'i64',
    at,
    m.select(m.and(m.ne(m.and(allowed, WALK.EXEC), 0), m.ne(m.and(map, PAGE_MAP_READ), 0)), tag, -1),
    TLB.exec,
  );
  m.store('i32', at, m.sub(host, m.wrap(tag)), TLB.addend);
  m.store('i32', at, m.select(m.and(allowed, WALK.GLOBAL), m.i32(TLB_GLOBAL), 0), TLB.flags);
  m.return(m.or(host, m.and(m.wrap(linear), 0xfff)));
});

function crosses(m: Machine, linear: Val<'i64'>, size: Val<'i32'>): Val<'i32'> {
  return m.gtU(m.add(m.and(m.wrap(linear), 0xfff), size), 4096);
}

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

/** Alignment checks and data breakpoints of an access by the program; `write` for the latter. */
function checkAlignment(m: Machine, linear: Val<'i64'>, access: Val<'i32'>, failed: number, write: boolean): void {
  m.if(
    m.eq(m.get('tlbBase'), CPU_MAP.tlbAligned),
    () => {
      m.if(m.invoke(alignmentFault, linear, access), () => m.return(m.i32(failed)));
      m.if(m.and(m.get('watching'), m.eqz(m.and(access, PROBE.SYSTEM))), () =>
        m.do(m.functionOf(noteAccess), linear, m.and(access, 0xffff), m.i32(write ? 1 : 0)),
      );
    },
    undefined,
    false,
  );
}

/** Physical address of a device access: walkPhys plus the offset in the page. */
function devicePhys(m: Machine, linear: Val<'i64'>): Val<'i64'> {
  return m.or(m.get('walkPhys'), m.and(linear, 0xfff));
}

/** Reads `size` bytes (1, 2, 4, 8, 16; any within the page) of a device to host memory. Parameters: phys, host, size. */
const deviceRead: Micro = micro('device_read', ['i64', 'i32', 'i32'], [], (m) => {
  const phys = m.param('i64', 0);
  const to = m.param('i32', 1);
  const left = m.param('i32', 2);
  const read = (n: number): Val<'i32'> => m.hostCall(mmioRead, m.wrap(phys), m.wrap(m.shrU(phys, 32)), m.i32(n));
  m.loop((again) => {
    const step = m.local('i32');
    m.if(
      m.geU(left, 4),
      () => {
        m.store('i32', to, read(4));
        m.set(step, 4);
      },
      () =>
        m.if(
          m.geU(left, 2),
          () => {
            m.store('i32.16', to, read(2));
            m.set(step, 2);
          },
          () => {
            m.store('i32.8', to, read(1));
            m.set(step, 1);
          },
        ),
    );
    m.set(phys, m.add(phys, m.extU(step)));
    m.set(to, m.add(to, step));
    m.set(left, m.sub(left, step));
    m.brIf(again, left);
  });
});

/** Writes `size` bytes of host memory to a device. Parameters: phys, host, size. */
const deviceWrite: Micro = micro('device_write', ['i64', 'i32', 'i32'], [], (m) => {
  const phys = m.param('i64', 0);
  const from = m.param('i32', 1);
  const left = m.param('i32', 2);
  const write = (n: number, v: Val<'i32'>): void =>
    void m.hostCall(mmioWrite, m.wrap(phys), m.wrap(m.shrU(phys, 32)), m.i32(n), v);
  m.loop((again) => {
    const step = m.local('i32');
    m.if(
      m.geU(left, 4),
      () => {
        write(4, m.load('i32', from));
        m.set(step, 4);
      },
      () =>
        m.if(
          m.geU(left, 2),
          () => {
            write(2, m.load('i32.16u', from));
            m.set(step, 2);
          },
          () => {
            write(1, m.load('i32.8u', from));
            m.set(step, 1);
          },
        ),
    );
    m.set(phys, m.add(phys, m.extU(step)));
    m.set(from, m.add(from, step));
    m.set(left, m.sub(left, step));
    m.brIf(again, left);
  });
});

/**
 * Assembles a load that crosses a page into host memory. Both pages are translated before any byte is read. Parameters:
 * linear, size and options, host destination. Returns 0 when a page faults.
 */
const readCrossing: Micro = micro('read_crossing', ['i64', 'i32', 'i32'], ['i32'], (m) => {
  const linear = m.param('i64', 0);
  const size = m.let(m.and(m.param('i32', 1), 0xffff));
  const to = m.param('i32', 2);
  const first = m.let(m.sub(m.i32(4096), m.and(m.wrap(linear), 0xfff)));
  const next = m.let(m.add(m.and(linear, -4096), 4096));
  const access = m.param('i32', 1);
  m.if(m.eqz(m.inLongMode()), () => m.set(next, m.and(next, 0xffff_ffff)));
  const a = m.let(m.invoke(translate, linear, access));
  m.if(m.eqz(a), () => m.return(m.i32(0)));
  const physA = m.let(devicePhys(m, linear));
  const b = m.let(m.invoke(translate, next, access));
  m.if(m.eqz(b), () => m.return(m.i32(0)));
  const physB = m.let(devicePhys(m, next));
  const part = (host: Val<'i32'>, phys: Val<'i64'>, at: Val<'i32'>, n: Val<'i32'>): void =>
    m.if(
      m.eq(host, DEVICE),
      () => m.do(m.functionOf(deviceRead), phys, at, n),
      () => m.memoryCopy(at, host, n),
    );
  part(a, physA, to, first);
  part(b, physB, m.add(to, first), m.sub(size, first));
  m.return(to);
});

/** Writes host memory to a linear range that crosses a page, both pages having been translated first. */
const writeCrossing: Micro = micro('write_crossing', ['i64', 'i32', 'i32'], ['i32'], (m) => {
  const linear = m.param('i64', 0);
  const access = m.param('i32', 1);
  const from = m.param('i32', 2);
  const size = m.let(m.and(access, 0xffff));
  const first = m.let(m.sub(m.i32(4096), m.and(m.wrap(linear), 0xfff)));
  const next = m.let(m.add(m.and(linear, -4096), 4096));
  m.if(m.eqz(m.inLongMode()), () => m.set(next, m.and(next, 0xffff_ffff)));
  const a = m.let(m.invoke(translate, linear, m.or(access, PROBE.WRITE)));
  m.if(m.eqz(a), () => m.return(m.i32(1)));
  const physA = m.let(devicePhys(m, linear));
  const b = m.let(m.invoke(translate, next, m.or(access, PROBE.WRITE)));
  m.if(m.eqz(b), () => m.return(m.i32(1)));
  const physB = m.let(devicePhys(m, next));
  const part = (host: Val<'i32'>, phys: Val<'i64'>, at: Val<'i32'>, n: Val<'i32'>): void =>
    m.if(
      m.eq(host, DEVICE),
      () => m.do(m.functionOf(deviceWrite), phys, at, n),
      () => {
        m.memoryCopy(host, at, n);
        m.do(m.functionOf(noteWrite), host, n);
      },
    );
  part(a, physA, from, first);
  part(b, physB, m.add(from, first), m.sub(size, first));
  m.return(m.i32(0));
});

/**
 * Host address from which a load of `size` bytes at a linear address can be done: RAM, or the load scratch area after the
 * value was assembled there. Parameters: linear, size and options. Returns 0 for a fault.
 */
export const probeRead: Micro = micro('probe_read', ['i64', 'i32'], ['i32'], (m) => {
  const linear = m.param('i64', 0);
  const access = m.param('i32', 1);
  const size = m.let(m.and(access, 0xffff));
  checkAlignment(m, linear, access, 0, false);
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
  checkAlignment(m, linear, access, 0, true);
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
    checkAlignment(m, linear, access, 1, true);
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
