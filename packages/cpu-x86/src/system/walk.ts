import { MEMORY_LAYOUT, PAGE_MAP_READ, PAGE_MAP_WRITE, PAGE_MISSING, PAGE_PROTECTED } from '@sterna/core';
import type { Local, Val } from '@sterna/wasm';
import { mmioWrite } from '../interp/host.ts';
import { hostAddress, mapEntry, noteWrite, physLoad32, physLoad64 } from '../interp/physical.ts';
import type { Machine } from '../semantics/machine.ts';
import { type Micro, micro } from '../semantics/micro.ts';
import { PAGE_WAIT, Vec } from '../semantics/vectors.ts';
import { CR0, CR4, EFER, PfError } from './bits.ts';
import { noteLargePage } from './invlpg.ts';

/**
 * What an access needs: bits of `walk`'s second parameter. PROBE has no side effects: no A/D update, no exception cells. SMAP:
 * user pages are closed to this supervisor access. SETTLED, with PROBE: fails where an access would have to set an A bit.
 */
export const ACCESS = { READ: 0, WRITE: 1, EXEC: 2, USER: 4, PROBE: 8, SMAP: 16, SETTLED: 32 } as const;
/**
 * walkFlags: what a translation allows without walking again. WRITE: writable with the rights of this walk, and D is set.
 */
export const WALK = { WRITE: 1, EXEC: 2, GLOBAL: 4, USER: 8, READ: 16 } as const;

/** Bits of a paging-structure entry. */
const P = 1;
const RW = 2;
const US = 4;
const A = 0x20;
const D = 0x40;
const PS = 0x80;
const G = 0x100;
const NX = 1n << 63n;
/** Address bits 40-51: the model has 40 physical address bits. */
const ABOVE_PHYSICAL = 0x000f_ff00_0000_0000n;
/** Bits 52-62 of PAE entries: ignored in long mode, reserved outside. */
const HIGH_PAE = 0x7ff0_0000_0000_0000n;
const ADDRESS = 0x000f_ffff_ffff_f000n;

/**
 * Host address of a paging-structure entry; 0 when it is not in RAM; 1 (never a host address) with PAGE_WAIT described when
 * its page has not arrived.
 */
const entryAddress: Micro = micro('walk_entry', ['i64'], ['i32'], (m) => {
  const phys = m.param('i64', 0);
  m.if(m.ltU(phys, m.i64(MEMORY_LAYOUT.pageMapSpan)), () => {
    const entry = m.let(mapEntry(m, phys));
    m.if(m.and(entry, PAGE_MAP_READ), () => {
      const flags = m.load('i32.8u', m.shrU(entry, 12), MEMORY_LAYOUT.pageFlags);
      m.if(m.eqz(m.and(flags, PAGE_MISSING)), () => m.return(hostAddress(m, entry, m.wrap(phys))), undefined, true);
      m.put('excVector', PAGE_WAIT);
      m.put('excError', m.and(entry, -4096));
      m.return(m.i32(1));
    });
  });
  m.return(m.i32(0));
});

/** Writes the low half of an entry (A and D): (physical address, value). Returns 1 with PAGE_WAIT described. */
const updateEntry: Micro = micro('walk_update', ['i64', 'i32'], ['i32'], (m) => {
  const phys = m.param('i64', 0);
  m.if(m.ltU(phys, m.i64(MEMORY_LAYOUT.pageMapSpan)), () => {
    const entry = m.let(mapEntry(m, phys));
    m.if(m.and(entry, PAGE_MAP_WRITE), () => {
      const flags = m.load('i32.8u', m.shrU(entry, 12), MEMORY_LAYOUT.pageFlags);
      m.if(m.and(flags, PAGE_PROTECTED), () => {
        m.put('excVector', PAGE_WAIT);
        m.put('excError', m.and(entry, -4096));
        m.return(m.i32(1));
      });
      const host = m.let(hostAddress(m, entry, m.wrap(phys)));
      m.store('i32', host, m.param('i32', 1));
      m.do(m.functionOf(noteWrite), host, m.i32(4));
      m.return(m.i32(0));
    });
  });
  m.hostCall(mmioWrite, m.wrap(phys), m.wrap(m.shrU(phys, 32)), m.i32(4), m.param('i32', 1));
  m.return(m.i32(0));
});

/** State of a walk while its code is written. */
interface Walk {
  readonly m: Machine;
  readonly linear: Val<'i64'>;
  readonly access: Val<'i32'>;
  /** Physical address of the current entry. */
  readonly at: Val<'i64'>;
  readonly entry: Val<'i64'>;
  /** Result of {@link entryAddress} for it. */
  readonly host: Val<'i32'>;
  /** AND of the entries so far: R/W and U/S. */
  readonly perms: Val<'i64'>;
  /** OR of the entries so far: bit 63 is NX. */
  readonly nx: Val<'i64'>;
  /** Bits of 64-bit entries that must be clear. */
  readonly reserved: Val<'i64'>;
}

/** Ends the walk with a page fault. */
function fault(w: Walk, error: Val<'i32'> | number): void {
  const { m, access } = w;
  m.if(m.eqz(m.and(access, ACCESS.PROBE)), () => {
    const cr4 = m.let(m.wrap(m.get('cr4')));
    const nx = m.and(m.shrU(m.wrap(m.get('efer')), 11), m.shrU(cr4, 5));
    const instruction = m.and(m.and(m.shrU(access, 1), m.or(nx, m.shrU(cr4, 20))), 1);
    m.put('excVector', Vec.PF);
    // access bit 0 (write) is error bit 1, access bit 2 (user) is error bit 2
    m.put(
      'excError',
      m.or(
        m.or(m.or(m.shl(m.and(access, ACCESS.WRITE), 1), m.and(access, ACCESS.USER)), m.shl(instruction, 4)),
        m.arg('i32', error),
      ),
    );
    m.put('excAddr', w.linear);
  });
  m.return(m.i32(1));
}

/** Reads the entry at `w.at`, from RAM or (absurdly) from a device. */
function load(w: Walk, ram: (host: Val<'i32'>) => Val<'i64'>, device: () => Val<'i64'>): void {
  const { m } = w;
  m.set(w.host, m.invoke(entryAddress, w.at));
  m.if(
    m.gtU(w.host, 1),
    () => m.set(w.entry, ram(w.host)),
    () => {
      m.if(w.host, () => m.return(m.i32(1)));
      m.set(w.entry, device());
    },
    true,
  );
}

/** Writes the low half of the entry at `w.at`. */
function update(w: Walk, value: Val<'i32'>): void {
  const { m } = w;
  m.if(m.invoke(updateEntry, w.at, value), () => m.return(m.i32(1)), undefined, false);
}

/** Reads a 64-bit entry; checks P and the reserved bits. */
function read64(w: Walk, address: Val<'i64'>, alsoReserved = 0n): void {
  const { m } = w;
  m.set(w.at, m.and(address, m.or(m.extU(m.get('a20Mask')), m.i64(-0x1_0000_0000n))));
  load(
    w,
    (host) => m.load('i64', host),
    () => m.invoke<'i64'>(physLoad64, w.at),
  );
  m.if(m.eqz(m.and(w.entry, P)), () => fault(w, 0), undefined, false);
  const bad = alsoReserved === 0n ? w.reserved : m.or(w.reserved, m.i64(alsoReserved));
  m.if(m.ne(m.and(w.entry, bad), 0), () => fault(w, PfError.P | PfError.RSVD), undefined, false);
}

/** Reads a 32-bit entry and checks P. */
function read32(w: Walk, address: Val<'i64'>): void {
  const { m } = w;
  m.set(w.at, m.and(address, m.extU(m.get('a20Mask'))));
  load(
    w,
    (host) => m.load('i64.32u', host),
    () => m.extU(m.invoke<'i32'>(physLoad32, w.at)),
  );
  m.if(m.eqz(m.and(w.entry, P)), () => fault(w, 0), undefined, false);
}

/** Collects the rights of an entry that points to another table. */
function collect(w: Walk): void {
  const { m, entry } = w;
  m.set(w.perms, m.and(w.perms, entry));
  m.set(w.nx, m.or(w.nx, entry));
}

/** Ends a SETTLED walk at an entry that was never used. */
function unlessSettled({ m, access }: Walk, entry: Val<'i64'>): void {
  const fresh = m.and(m.eqz(m.and(entry, A)), m.ne(m.and(access, ACCESS.SETTLED), 0));
  m.if(fresh, () => m.return(m.i32(1)), undefined, false);
}

/** Passes through an entry that points to another table: collects rights, sets A. */
function descend(w: Walk): void {
  const { m, entry } = w;
  collect(w);
  unlessSettled(w, entry);
  const fresh = m.and(m.eqz(m.and(entry, A)), m.eqz(m.and(w.access, ACCESS.PROBE)));
  m.if(fresh, () => update(w, m.or(m.wrap(entry), A)), undefined, false);
}

/** The page table behind a directory entry as the 80386 goes through it: A of both entries is set when all is granted. */
function lastTableOf386(w: Walk): void {
  const { m, access } = w;
  collect(w);
  const directory = m.let(w.entry);
  const at = m.let(w.at);
  readPageTable(w);
  leaf(w, 12, undefined, () => {
    unlessSettled(w, directory);
    const fresh = m.and(m.eqz(m.and(directory, A)), m.eqz(m.and(access, ACCESS.PROBE)));
    const failed = (): Val<'i32'> => m.invoke(updateEntry, at, m.or(m.wrap(directory), A));
    m.if(fresh, () => m.if(failed(), () => m.return(m.i32(1)), undefined, false), undefined, false);
  });
}

/** Reads the entry of a table of 32-bit entries behind the directory entry. */
function readPageTable(w: Walk): void {
  const { m } = w;
  read32(w, m.or(m.and(w.entry, 0xffff_f000), m.shl(m.and(m.shrU(w.linear, 12), 0x3ff), 2)));
}

/** Rights of a leaf that {@link userPage} and {@link keys} lower: flags and the error code of a fault. */
interface Rights {
  readonly writable: Local<'i32'>;
  readonly noExec: Local<'i32'>;
  readonly noRead: Local<'i32'>;
  readonly error: Local<'i32'>;
}

/** Protection keys of user pages (CR4.PKE, PKRU) or supervisor pages (CR4.PKS, PKRS); SDM volume 3, 4.6.2. */
function keys(w: Walk, cr4: Val<'i32'>, r: Rights, pages: 'pkru' | 'pkrs'): void {
  const { m, access } = w;
  const on = m.ne(m.and(cr4, pages === 'pkru' ? CR4.PKE : CR4.PKS), 0);
  m.if(m.and(on, m.ne(m.and(m.wrap(m.get('efer')), EFER.LMA), 0)), () => {
    const key = m.and(m.wrap(m.shrU(w.entry, 59)), 15);
    const bits = m.let(m.shrU(m.get(pages), m.shl(key, 1)));
    const closed = m.let(m.and(bits, 1));
    // WD stops writes of the supervisor only with CR0.WP
    const bound = m.ne(m.or(m.and(access, ACCESS.USER), m.and(m.wrap(m.get('cr0')), CR0.WP)), 0);
    const readOnly = m.let(m.and(m.and(m.shrU(bits, 1), 1), bound));
    const isWrite = m.and(m.and(access, ACCESS.WRITE), m.or(closed, readOnly));
    const isData = m.eqz(m.and(access, ACCESS.EXEC));
    m.if(m.and(isData, m.or(closed, isWrite)), () => m.set(r.error, PfError.P | PfError.PK));
    m.set(r.noRead, m.or(r.noRead, closed));
    m.if(m.or(closed, readOnly), () => m.set(r.writable, 0));
  });
}

/** SMEP and SMAP, which concern user pages. */
function userPage(w: Walk, cr4: Val<'i32'>, r: Rights): void {
  const { m, access } = w;
  const supervisor = m.let(m.eqz(m.and(access, ACCESS.USER)));
  m.set(r.noExec, m.or(r.noExec, m.and(supervisor, m.and(m.shrU(cr4, 20), 1))));
  m.set(r.noRead, m.and(m.shrU(access, 4), 1));
  m.if(r.noRead, () => m.set(r.writable, 0));
}

/** Checks the rights of a leaf of 2^bits bytes, calls `granted`, sets A and D, and returns the translation. */
function leaf(w: Walk, bits: number, frame?: Val<'i64'>, granted?: () => void): void {
  const { m, entry, access, linear } = w;
  const offset = (1n << BigInt(bits)) - 1n;
  if (bits > 12 && frame === undefined) {
    // PAT is bit 12 of large pages; the bits between it and the frame are reserved
    m.if(m.ne(m.and(entry, m.i64(offset & ~0x1fffn)), 0), () => fault(w, PfError.P | PfError.RSVD), undefined, false);
  }
  m.set(w.perms, m.and(w.perms, entry));
  m.set(w.nx, m.or(w.nx, entry));
  const perms = m.let(m.wrap(w.perms));
  const user = m.and(access, ACCESS.USER);
  // supervisor writes ignore R/W while CR0.WP is clear
  const ignoreRw = m.and(m.eqz(user), m.eqz(m.and(m.wrap(m.get('cr0')), CR0.WP)));
  const writable = m.let(m.or(m.and(perms, RW), m.shl(ignoreRw, 1)));
  const noExec = m.let(m.wrap(m.shrU(w.nx, 63)));
  const noRead = m.local('i32');
  m.set(noRead, 0);
  const error = m.local('i32');
  m.set(error, PfError.P);
  const cr4 = m.let(m.wrap(m.get('cr4')));
  const rights = { writable, noExec, noRead, error };
  m.if(
    m.and(cr4, CR4.SMEP | CR4.SMAP | CR4.PKE | CR4.PKS),
    () =>
      m.if(
        m.and(perms, US),
        () => {
          userPage(w, cr4, rights);
          keys(w, cr4, rights, 'pkru');
        },
        // a user access is refused anyway, and not because of a key
        () => m.if(m.eqz(user), () => keys(w, cr4, rights, 'pkrs')),
      ),
    undefined,
    false,
  );
  const isExec = m.let(m.ne(m.and(access, ACCESS.EXEC), 0));
  const denied = m.or(
    m.and(m.ne(user, 0), m.eqz(m.and(perms, US))),
    m.or(m.select(isExec, noExec, noRead), m.and(m.and(access, ACCESS.WRITE), m.eqz(writable))),
  );
  m.if(denied, () => fault(w, error), undefined, false);
  unlessSettled(w, entry);
  granted?.();
  const wanted = m.let(m.extU(m.or(m.shl(m.and(access, ACCESS.WRITE), 6), A)));
  m.if(m.eqz(m.and(access, ACCESS.PROBE)), () => {
    m.if(m.ne(m.and(entry, wanted), wanted), () => {
      m.set(entry, m.or(entry, wanted));
      update(w, m.wrap(entry));
    });
    if (bits > 12) noteLargePage(m, linear, bits);
  });
  const base = frame ?? m.and(entry, m.i64(ADDRESS & ~offset));
  const a20 = m.or(m.extU(m.get('a20Mask')), m.i64(-0x1_0000_0000n));
  m.put('walkPhys', m.and(m.or(base, m.and(linear, m.i64(offset & ~0xfffn))), a20));
  const low = m.let(m.wrap(entry));
  const flags = m.or(
    m.or(
      m.select(m.and(m.ne(m.and(low, D), 0), m.ne(writable, 0)), m.i32(WALK.WRITE), 0),
      m.select(noExec, m.i32(0), WALK.EXEC),
    ),
    m.or(
      m.select(m.and(m.ne(m.and(low, G), 0), m.ne(m.and(m.wrap(m.get('cr4')), CR4.PGE), 0)), m.i32(WALK.GLOBAL), 0),
      m.or(m.shl(m.and(perms, US), 1), m.shl(m.eqz(noRead), 4)),
    ),
  );
  m.put('walkFlags', flags);
  m.return(m.i32(0));
}

/** Address of entry number (linear >> shift) & mask in a table of 8-byte entries. */
function index64(w: Walk, table: Val<'i64'>, shift: number, mask = 0x1ff): Val<'i64'> {
  const { m } = w;
  return m.or(table, m.shl(m.and(m.shrU(w.linear, shift), mask), 3));
}

function nextTable(w: Walk): Val<'i64'> {
  return w.m.and(w.entry, w.m.i64(ADDRESS));
}

const largePage = (w: Walk): Val<'i32'> => w.m.ne(w.m.and(w.entry, PS), 0);

/** Page directory and page table with 8-byte entries: the tail of PAE and long mode. */
function directory64(w: Walk, highReserved: bigint): void {
  const { m } = w;
  read64(w, index64(w, nextTable(w), 21), highReserved);
  m.if(largePage(w), () => leaf(w, 21));
  descend(w);
  read64(w, index64(w, nextTable(w), 12), highReserved);
  leaf(w, 12);
}

function longMode(w: Walk): void {
  const { m } = w;
  read64(w, index64(w, m.and(m.get('cr3'), m.i64(ADDRESS)), 39), BigInt(PS));
  descend(w);
  read64(w, index64(w, nextTable(w), 30));
  m.if(largePage(w), () => leaf(w, 30));
  descend(w);
  directory64(w, 0n);
}

function pae(w: Walk): void {
  const { m } = w;
  // The four page-directory pointers are read at each walk, and have neither rights nor A.
  read64(w, index64(w, m.and(m.get('cr3'), 0xffff_ffe0), 30, 3), HIGH_PAE | NX);
  directory64(w, HIGH_PAE);
}

function legacy(w: Walk): void {
  const { m } = w;
  read32(w, m.or(m.and(m.get('cr3'), 0xffff_f000), m.shl(m.and(m.shrU(w.linear, 22), 0x3ff), 2)));
  m.if(m.and(largePage(w), m.ne(m.and(m.wrap(m.get('cr4')), CR4.PSE), 0)), () => {
    // PSE-36: bits 13-20 are address bits 32-39, bit 21 is reserved
    m.if(m.ne(m.and(w.entry, 0x20_0000), 0), () => fault(w, PfError.P | PfError.RSVD), undefined, false);
    const frame = m.or(m.and(w.entry, 0xffc0_0000), m.shl(m.and(w.entry, 0x1f_e000), 19));
    leaf(w, 22, frame);
  });
  m.if(m.get('i386Rules'), () => lastTableOf386(w), undefined, false);
  descend(w);
  readPageTable(w);
  leaf(w, 12);
}

/**
 * Translates a linear address by the current paging mode (SDM volume 3, chapter 4). Returns 0 with walkPhys and walkFlags
 * set, or 1 with the page fault described in excVector, excError and excAddr. The caller has checked the canonical form.
 */
export const walk: Micro = micro('walk', ['i64', 'i32'], ['i32'], (m) => {
  const given = m.param('i64', 0);
  const access = m.param('i32', 1);
  const efer = m.let(m.wrap(m.get('efer')));
  m.if(m.eqz(m.and(m.wrap(m.get('cr0')), CR0.PG)), () => {
    m.put('walkPhys', m.and(m.and(given, 0xffff_f000), m.extU(m.get('a20Mask'))));
    m.put('walkFlags', WALK.WRITE | WALK.EXEC | WALK.GLOBAL | WALK.USER | WALK.READ);
    m.return(m.i32(0));
  });
  const linear = m.local('i64');
  const noNx = m.select(m.and(efer, EFER.NXE), m.i64(0), m.i64(NX));
  const w: Walk = {
    m,
    linear,
    access,
    at: m.local('i64'),
    entry: m.local('i64'),
    host: m.local('i32'),
    perms: m.local('i64'),
    nx: m.local('i64'),
    reserved: m.let(m.or(noNx, m.i64(ABOVE_PHYSICAL))),
  };
  m.set(w.perms, -1);
  m.set(linear, given);
  m.if(m.and(efer, EFER.LMA), () => longMode(w));
  m.set(linear, m.and(given, 0xffff_ffff));
  m.if(m.and(m.wrap(m.get('cr4')), CR4.PAE), () => pae(w));
  legacy(w);
});
