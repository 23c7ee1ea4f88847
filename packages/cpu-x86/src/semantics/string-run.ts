import type { Val } from '@sterna/wasm';
import { PROBE, translate } from '../interp/access.ts';
import { CPU_MAP, TLB } from '../state/memory-map.ts';
import type { Machine } from './machine.ts';
import { faultingMicro, type Micro, micro } from './micro.ts';

/** Most bytes of runs that one execution of an instruction does before it lets events in. */
export const RUN_BYTES = 1 << 18;
/** Bytes of a pattern that are written together. */
const STEP = 64;
/** Bytes of a pattern that are written so before what is there is copied, and most bytes that are copied at once. */
const SEED = 512;
const PATTERN = 2048;

/**
 * Host address of a linear address when the whole page can be accessed directly, else 0. Translates on a TLB miss;
 * never raises (a fault is left to the element that meets it). Parameters: linear, 1 for writing.
 */
export const directHost: Micro = micro('direct_host', ['i64', 'i32'], ['i32'], (m) => {
  const linear = m.param('i64', 0);
  const write = m.param('i32', 1);
  m.if(m.eq(m.get('tlbBase'), CPU_MAP.tlbAligned), () => m.return(m.i32(0)));
  const at = m.let(m.add(m.get('tlbBase'), m.and(m.wrap(m.shrU(linear, 7)), (TLB.entries - 1) * TLB.stride)));
  const tag = (): Val<'i64'> => m.select(write, m.load('i64', at, TLB.write), m.load('i64', at, TLB.read));
  const page = m.let(m.and(linear, -4096));
  m.if(m.ne(tag(), page), () => {
    m.drop(m.invoke(translate, linear, m.select(write, m.i32(PROBE.WRITE), 0)));
    m.if(m.ne(tag(), page), () => m.return(m.i32(0)));
  });
  m.return(m.add(m.wrap(linear), m.load('i32', at, TLB.addend)));
});

/**
 * Bytes from a linear address on that lie together in the host, at most `wanted`, with all pages that the TLB has: to
 * translate others is left to who gets there. Parameters: linear, its host address, 1 for writing, wanted.
 */
const directSpan: Micro = micro('direct_span', ['i64', 'i32', 'i32', 'i32'], ['i32'], (m) => {
  const next = m.let(m.add(m.or(m.param('i64', 0), 0xfff), 1));
  const host = m.param('i32', 1);
  const write = m.param('i32', 2);
  const wanted = m.param('i32', 3);
  const span = m.let(m.sub(m.i32(4096), m.and(host, 0xfff)));
  m.block((end) => {
    m.loop((again) => {
      m.brIf(end, m.geU(span, wanted));
      // linear addresses of 32 bits wrap here
      m.brIf(end, m.eqz(m.wrap(next)));
      const at = m.let(m.add(m.get('tlbBase'), m.and(m.wrap(m.shrU(next, 7)), (TLB.entries - 1) * TLB.stride)));
      const tag = m.select(write, m.load('i64', at, TLB.write), m.load('i64', at, TLB.read));
      const moved = m.ne(m.add(m.wrap(next), m.load('i32', at, TLB.addend)), m.add(host, span));
      m.brIf(end, m.or(m.ne(tag, next), moved));
      m.set(next, m.add(next, 4096));
      m.set(span, m.add(span, 4096));
      m.br(again);
    });
  });
  m.return(m.select(m.ltU(span, wanted), span, wanted));
});

/** Lowers `n` to the elements of `size` bytes (a power of two) that are left in the page of `linear`. */
export function withinPage(m: Machine, n: Val<'i64'>, linear: Val<'i64'>, size: Val<'i64'>): void {
  const fits = m.let(m.shrU(m.sub(m.i64(4096), m.and(linear, 0xfff)), m.ctz(size)));
  m.set(n, m.select(m.ltU(fits, n), fits, n));
}

/**
 * Statement: lowers `bytes` to those of whole elements that a run can handle at once. Elements that never reach over the end
 * of a page go on over pages, so that how often a run is done does not depend on what the TLB has.
 */
function withinSpan(
  m: Machine,
  bytes: Val<'i32'>,
  linear: Val<'i64'>,
  host: Val<'i32'>,
  write: boolean,
  size: Val<'i32'>,
): void {
  const room = m.let(m.sub(m.i32(4096), m.and(host, 0xfff)));
  m.if(
    m.and(host, m.sub(size, 1)),
    () => m.set(room, m.and(room, m.sub(m.i32(0), size))),
    () => {
      const far = m.gtU(bytes, room);
      m.if(far, () => m.set(room, m.invoke(directSpan, linear, host, m.i32(write ? 1 : 0), bytes)));
    },
  );
  m.set(bytes, m.select(m.ltU(room, bytes), room, bytes));
}

/**
 * Copies up to `count` elements forward, which are at most {@link RUN_BYTES}. Parameters: source, destination, count, element
 * size. temp[6] is the number copied.
 */
export const copyRun: Micro = faultingMicro('copy_run', ['i64', 'i64', 'i64', 'i32'], (m) => {
  const from = m.param('i64', 0);
  const to = m.param('i64', 1);
  const size = m.param('i32', 3);
  m.put('temp', 0, 6);
  const source = m.let(m.invoke(directHost, from, m.i32(0)));
  m.if(m.eqz(source), () => m.return(m.i32(0)));
  const target = m.let(m.invoke(directHost, to, m.i32(1)));
  m.if(m.eqz(target), () => m.return(m.i32(0)));
  const shift = m.let(m.ctz(size));
  const bytes = m.let(m.shl(m.wrap(m.param('i64', 2)), shift));
  withinSpan(m, bytes, from, source, false, size);
  withinSpan(m, bytes, to, target, true, size);
  m.if(m.eqz(bytes), () => m.return(m.i32(0)));
  const distance = m.let(m.sub(target, source));
  // a destination inside the source repeats it: element order matters, memory.copy would not repeat
  m.if(
    m.geU(distance, bytes),
    () => {
      m.put('temp', m.extU(m.shrU(bytes, shift)), 6);
      m.memoryCopy(target, source, bytes);
      m.return(m.i32(0));
    },
    undefined,
    true,
  );
  m.if(m.and(m.ltU(distance, size), m.ne(distance, 0)), () => m.return(m.i32(0)));
  m.put('temp', m.extU(m.shrU(bytes, shift)), 6);
  m.if(m.eqz(distance), () => m.return(m.i32(0)));
  m.loop((again) => {
    const part = m.let(m.select(m.ltU(distance, bytes), distance, bytes));
    m.memoryCopy(target, source, part);
    m.set(source, m.add(source, part));
    m.set(target, m.add(target, part));
    m.set(bytes, m.sub(bytes, part));
    m.brIf(again, bytes);
  });
});

/**
 * Copies up to `count` elements backward (DF set) within one page of source and destination. Parameters: first source and
 * destination element, count, element size. temp[6] is the number copied.
 */
export const copyRunBackward: Micro = faultingMicro('copy_run_backward', ['i64', 'i64', 'i64', 'i32'], (m) => {
  const from = m.param('i64', 0);
  const to = m.param('i64', 1);
  const n = m.param('i64', 2);
  const size = m.let(m.extU(m.param('i32', 3)));
  m.put('temp', 0, 6);
  for (const at of [from, to]) {
    // elements that reach over the end of the page are not for runs
    m.if(m.gtU(m.add(m.and(at, 0xfff), size), 4096), () => m.return(m.i32(0)));
    const fits = m.let(m.add(m.shrU(m.and(at, 0xfff), m.ctz(size)), 1));
    m.set(n, m.select(m.ltU(fits, n), fits, n));
  }
  m.if(m.leU(n, 1), () => m.return(m.i32(0)));
  const back = m.let(m.mul(m.sub(n, 1), size));
  const source = m.let(m.invoke(directHost, m.let(m.sub(from, back)), m.i32(0)));
  m.if(m.eqz(source), () => m.return(m.i32(0)));
  const target = m.let(m.invoke(directHost, m.let(m.sub(to, back)), m.i32(1)));
  m.if(m.eqz(target), () => m.return(m.i32(0)));
  const bytes = m.let(m.wrap(m.mul(n, size)));
  // a destination below an overlapping source repeats it: left to the elements
  m.if(m.and(m.ltU(m.sub(source, target), bytes), m.ne(source, target)), () => m.return(m.i32(0)));
  m.memoryCopy(target, source, bytes);
  m.put('temp', n, 6);
});

/**
 * Fills up to `count` elements forward, which are at most {@link RUN_BYTES}. Parameters: destination, value, count, element
 * size. temp[6] is the number filled.
 */
export const fillRun: Micro = faultingMicro('fill_run', ['i64', 'i64', 'i64', 'i32'], (m) => {
  const to = m.param('i64', 0);
  const value = m.param('i64', 1);
  const size = m.param('i32', 3);
  m.put('temp', 0, 6);
  const target = m.let(m.invoke(directHost, to, m.i32(1)));
  m.if(m.eqz(target), () => m.return(m.i32(0)));
  const shift = m.let(m.ctz(size));
  const bytes = m.let(m.shl(m.wrap(m.param('i64', 2)), shift));
  withinSpan(m, bytes, to, target, true, size);
  m.put('temp', m.extU(m.shrU(bytes, shift)), 6);
  // the value as a pattern of eight bytes
  m.if(m.eq(size, 1), () => m.set(value, m.mul(m.and(value, 0xff), 0x0101010101010101n)));
  m.if(m.eq(size, 2), () => m.set(value, m.mul(m.and(value, 0xffff), 0x0001000100010001n)));
  m.if(m.eq(size, 4), () => m.set(value, m.mul(m.and(value, 0xffff_ffff), 0x0000000100000001n)));
  m.if(m.eq(value, m.rotl(value, 8)), () => {
    m.memoryFill(target, m.wrap(value), bytes);
    m.return(m.i32(0));
  });
  const end = m.let(m.add(target, m.and(bytes, -STEP)));
  const seed = m.let(m.select(m.ltU(bytes, SEED), end, m.add(target, SEED)));
  const at = m.let(target);
  const pattern = m.let(m.simd('i64x2.splat', value));
  m.block((done) => {
    m.loop((again) => {
      m.brIf(done, m.geU(at, seed));
      for (let i = 0; i < STEP; i += 16) m.store('v128', at, pattern, i);
      m.set(at, m.add(at, STEP));
      m.br(again);
    });
  });
  // what is there already, doubled as long as it stays in the nearest cache
  m.block((done) => {
    m.loop((again) => {
      m.brIf(done, m.geU(at, end));
      const [there, left] = [m.let(m.sub(at, target)), m.let(m.sub(end, at))];
      m.if(m.gtU(there, PATTERN), () => m.set(there, PATTERN));
      m.set(there, m.select(m.ltU(left, there), left, there));
      m.memoryCopy(at, target, there);
      m.set(at, m.add(at, there));
      m.br(again);
    });
  });
  m.set(bytes, m.and(bytes, STEP - 1));
  m.block((done) => {
    m.loop((again) => {
      m.brIf(done, m.eqz(bytes));
      m.store('i64.8', at, value);
      m.set(value, m.rotr(value, 8));
      m.set(at, m.add(at, 1));
      m.set(bytes, m.sub(bytes, 1));
      m.br(again);
    });
  });
});
