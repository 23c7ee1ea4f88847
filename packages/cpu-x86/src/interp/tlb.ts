import type { Val } from '@sterna/wasm';
import type { Machine } from '../semantics/machine.ts';
import { type Micro, micro } from '../semantics/micro.ts';
import { EXECUTED_BITS, KERNEL_LIST, USER_LIST } from '../state/cells-tlb.ts';
import { type CellName, cellAddress, STATE } from '../state/layout.ts';
import { CPU_MAP, JUMP_CACHE, TLB, TLB_PLACE } from '../state/memory-map.ts';

/*
 * Flushes. A CR3 load must not cost a sweep of the TLBs, so the entries of pages that are not global are listed when they
 * are filled; one that is in a list is not entered again. Jump cache entries are void by generation: one for CPL 3, which
 * every CR3 load ends, and one for the levels below, which it ends only when code of a page that is not global was found.
 * Which pages the jump cache names is remembered in filters, so that INVLPG of a page without code leaves it alone.
 */

const TLB_BYTES = TLB.entries * TLB.stride;
/** Bit of a TLB entry's flags: a global page, kept by a CR3 load. */
export const TLB_GLOBAL = 1;
/** Bit of a TLB entry's flags: it is in no list. Memory filled with ones means an empty entry in no list. */
export const TLB_UNLISTED = 2;
const TAGS = [TLB.read, TLB.write, TLB.exec] as const;
/** Bit of jcKey: the key of CPL 3. */
const KEY_USER = 16;
const GENERATION_MASK = 0x7ff_ffff;
/** Generations of vCPU n are n modulo this: the jump cache is one for all. */
const GENERATION_STEP = 256;

function zeroCells(m: Machine, name: CellName): void {
  m.memoryFill(m.i32(cellAddress(name)), 0, STATE[name].stride * STATE[name].count);
}

/** Counts one of the two generations up and takes it over to jcKey when it is the running one. */
function nextGeneration(m: Machine, user: boolean): void {
  const cell = user ? 'jcUserGeneration' : 'jcGeneration';
  const g = m.let(m.and(m.add(m.get(cell), GENERATION_STEP), GENERATION_MASK));
  m.put(cell, g);
  const wrapped = (): void => m.memoryFill(m.i32(CPU_MAP.jumpCache), 0xff, JUMP_CACHE.entries * JUMP_CACHE.stride);
  m.if(m.ltU(g, GENERATION_STEP), wrapped, undefined, false);
  const key = m.let(m.get('jcKey'));
  const isUser = m.and(key, KEY_USER);
  m.if(user ? isUser : m.eqz(isUser), () => m.put('jcKey', m.or(m.and(key, 31), m.shl(g, 5))));
  zeroCells(m, user ? 'jcUserPages' : 'jcKernelPages');
  if (!user) m.put('jcLocal', 0);
}

/** Voids what the jump cache knows of code of CPL 0-2. */
const newKernelGeneration: Micro = micro('new_kernel_generation', [], [], (m) => nextGeneration(m, false));
/** Voids what the jump cache knows of code of CPL 3. */
const newUserGeneration: Micro = micro('new_user_generation', [], [], (m) => nextGeneration(m, true));

/** Voids the jump cache: offsets may mean other code now. */
export const newGeneration: Micro = micro('new_generation', [], [], (m) => {
  m.do(m.functionOf(newKernelGeneration));
  m.do(m.functionOf(newUserGeneration));
});

/** Word and bit of a linear page in a filter of executed pages. */
function filterPlace(m: Machine, linear: Val<'i64'>, user: boolean): { word: Val<'i32'>; bit: Val<'i64'> } {
  const words = EXECUTED_BITS[user ? 'user' : 'kernel'] / 64;
  return {
    word: m.let(m.and(m.wrap(m.shrU(linear, 18)), words - 1)),
    bit: m.shl(m.i64(1), m.and(m.shrU(linear, 12), 63)),
  };
}

/** Notes that the jump cache names code at a linear address, of CPL 3 when `user` is not 0. */
export function noteExecuted(m: Machine, linear: Val<'i64'>, user: Val<'i32'>): void {
  const note = (isUser: boolean): void => {
    const cell = isUser ? 'jcUserPages' : 'jcKernelPages';
    const { word, bit } = filterPlace(m, linear, isUser);
    m.put(cell, m.or(m.get(cell, word), bit), word);
  };
  m.if(
    user,
    () => note(true),
    () => {
      note(false);
      const flags = m.load('i32', m.add(tlbSlot(m, linear), m.get('tlbArea')), TLB.flags);
      m.if(m.eqz(m.and(flags, TLB_GLOBAL)), () => m.put('jcLocal', 1));
    },
  );
}

/** Offset of a linear address's entry in a TLB. */
function tlbSlot(m: Machine, linear: Val<'i64'>): Val<'i32'> {
  return m.and(m.wrap(m.shrU(linear, 7)), (TLB.entries - 1) * TLB.stride);
}

/** Enters the TLB entry at `at`, which is being filled with a page that is not global, in the list for flushes. */
export function listEntry(m: Machine, at: Val<'i32'>, user: Val<'i32'>): void {
  const append = (
    list: 'tlbUserList' | 'tlbKernelList',
    count: 'tlbUserCount' | 'tlbKernelCount',
    size: number,
  ): void => {
    const n = m.let(m.get(count));
    m.if(m.ltU(n, size), () => {
      m.put(list, at, n);
      m.put(count, m.add(n, 1));
    });
  };
  m.if(
    user,
    () => append('tlbUserList', 'tlbUserCount', USER_LIST),
    () => append('tlbKernelList', 'tlbKernelCount', KERNEL_LIST),
  );
}

/** Empties one of the TLBs. */
function fillTlb(m: Machine, which: keyof typeof TLB_PLACE): void {
  m.memoryFill(m.add(m.get('tlbArea'), TLB_PLACE[which]), 0xff, TLB_BYTES);
}

/** Drops every translation. */
export const flushTlb: Micro = micro('flush_tlb', [], [], (m) => {
  m.if(m.or(m.eqz(m.get('tlbReady')), m.get('tlbAccessUsed')), () => {
    m.memoryFill(m.i32(CPU_MAP.tlbAligned), 0xff, TLB_BYTES);
    m.if(m.eqz(m.get('tlbArea')), () => m.put('tlbArea', CPU_MAP.tlbKernel));
    fillTlb(m, 'access');
    m.put('tlbReady', 1);
    // it may be the one in use, and is filled again then
    m.put('tlbAccessUsed', m.eq(m.get('tlbData'), m.add(m.get('tlbArea'), TLB_PLACE.access)));
  });
  fillTlb(m, 'kernel');
  fillTlb(m, 'user');
  m.put('tlbKernelCount', 0);
  m.put('tlbUserCount', 0);
  zeroCells(m, 'largePages');
  m.put('hugePages', 0);
  m.do(m.functionOf(newGeneration));
});

/** Empties the listed entries unless they hold a global page by now. */
function flushListed(m: Machine, list: 'tlbUserList' | 'tlbKernelList', count: Val<'i32'>): void {
  const left = m.local('i32');
  m.set(left, m.add(m.shl(count, 2), cellAddress(list)));
  m.block((done) => {
    m.loop((again) => {
      m.brIf(done, m.eq(left, cellAddress(list)));
      m.set(left, m.sub(left, 4));
      const at = m.let(m.load('i32', left));
      const flags = m.let(m.load('i32', at, TLB.flags));
      m.store('i32', at, m.or(flags, TLB_UNLISTED), TLB.flags);
      m.brIf(again, m.and(flags, TLB_GLOBAL));
      for (const tag of TAGS) m.store('i64', at, m.i64(-1), tag);
      m.br(again);
    });
  });
}

/** Empties every entry of the supervisor TLB that holds no global page. */
const sweepKernel: Micro = micro('sweep_kernel', [], [], (m) => {
  const at = m.local('i32');
  m.set(at, m.get('tlbArea'));
  const end = m.let(m.add(at, TLB_BYTES));
  m.loop((again) => {
    const flags = m.let(m.load('i32', at, TLB.flags));
    m.store('i32', at, m.or(flags, TLB_UNLISTED), TLB.flags);
    m.if(m.eqz(m.and(flags, TLB_GLOBAL)), () => {
      for (const tag of TAGS) m.store('i64', at, m.i64(-1), tag);
    });
    m.set(at, m.add(at, TLB.stride));
    m.brIf(again, m.ltU(at, end));
  });
  m.if(m.get('tlbAccessUsed'), () => fillTlb(m, 'access'));
});

/** Drops the translations of pages that are not global (CR3 load). */
export const flushTlbNonGlobal: Micro = micro('flush_tlb_non_global', [], [], (m) => {
  const kernel = m.let(m.get('tlbKernelCount'));
  m.if(
    m.ltU(kernel, KERNEL_LIST),
    () => flushListed(m, 'tlbKernelList', kernel),
    () => m.do(m.functionOf(sweepKernel)),
    true,
  );
  m.put('tlbKernelCount', 0);
  const user = m.let(m.get('tlbUserCount'));
  m.if(
    m.ltU(user, USER_LIST),
    () => flushListed(m, 'tlbUserList', user),
    () => fillTlb(m, 'user'),
    true,
  );
  m.put('tlbUserCount', 0);
  m.if(m.get('jcLocal'), () => m.do(m.functionOf(newKernelGeneration)), undefined, false);
  m.do(m.functionOf(newUserGeneration));
});

/** Drops the translation of one linear page. */
export const flushPage: Micro = micro('flush_page', ['i64'], [], (m) => {
  const linear = m.param('i64', 0);
  const page = m.let(m.and(linear, -4096));
  const slot = m.let(m.add(tlbSlot(m, linear), m.get('tlbArea')));
  for (const base of Object.values(TLB_PLACE)) {
    for (const tag of TAGS) {
      m.if(m.eq(m.load('i64', slot, base + tag), page), () => m.store('i64', slot, m.i64(-1), base + tag));
    }
  }
  for (const user of [false, true]) {
    const { word, bit } = filterPlace(m, linear, user);
    const seen = m.and(m.get(user ? 'jcUserPages' : 'jcKernelPages', word), bit);
    m.if(
      m.eqz(m.eqz(seen)),
      () => m.do(m.functionOf(user ? newUserGeneration : newKernelGeneration)),
      undefined,
      false,
    );
  }
});

/** Withholds every write tag: the next write to any page takes the slow path. */
export const flushWriteTags: Micro = micro('flush_write_tags', [], [], (m) => {
  const at = m.local('i32');
  m.set(at, m.get('tlbArea'));
  const tlbs = m.select(m.get('tlbAccessUsed'), m.i32(3 * TLB_BYTES), 2 * TLB_BYTES);
  const end = m.let(m.add(at, tlbs));
  m.loop((again) => {
    m.store('i64', at, m.i64(-1), TLB.write);
    m.set(at, m.add(at, TLB.stride));
    m.brIf(again, m.ltU(at, end));
  });
});
