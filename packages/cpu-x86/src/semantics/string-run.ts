import type { Val } from '@sterna/wasm';
import { PROBE, translate } from '../interp/access.ts';
import { CPU_MAP, TLB } from '../state/memory-map.ts';
import type { Machine } from './machine.ts';
import { faultingMicro, type Micro, micro } from './micro.ts';

/** Bytes of a pattern that are written one by one before what is there is doubled. */
const SEED = 64;

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

/** Lowers `n` to the elements of `size` bytes that are left in the page of `linear`. */
export function withinPage(m: Machine, n: Val<'i64'>, linear: Val<'i64'>, size: Val<'i64'>): void {
  const fits = m.let(m.divU(m.sub(m.i64(4096), m.and(linear, 0xfff)), size));
  m.set(n, m.select(m.ltU(fits, n), fits, n));
}

/**
 * Copies up to `count` elements forward within one page of source and destination. Parameters: source, destination, count,
 * element size. temp[6] is the number copied.
 */
export const copyRun: Micro = faultingMicro('copy_run', ['i64', 'i64', 'i64', 'i32'], (m) => {
  const from = m.param('i64', 0);
  const to = m.param('i64', 1);
  const n = m.param('i64', 2);
  const size = m.let(m.extU(m.param('i32', 3)));
  m.put('temp', 0, 6);
  withinPage(m, n, from, size);
  withinPage(m, n, to, size);
  m.if(m.leU(n, 1), () => m.return(m.i32(0)));
  const source = m.let(m.invoke(directHost, from, m.i32(0)));
  m.if(m.eqz(source), () => m.return(m.i32(0)));
  const target = m.let(m.invoke(directHost, to, m.i32(1)));
  m.if(m.eqz(target), () => m.return(m.i32(0)));
  const bytes = m.let(m.wrap(m.mul(n, size)));
  const distance = m.let(m.sub(target, source));
  m.put('temp', n, 6);
  // a destination inside the source repeats it: element order matters, memory.copy would not repeat
  m.if(m.geU(distance, bytes), () => {
    m.memoryCopy(target, source, bytes);
    m.return(m.i32(0));
  });
  m.if(m.ltU(distance, m.param('i32', 3)), () => {
    m.if(distance, () => m.put('temp', 0, 6));
    m.return(m.i32(0));
  });
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
    const fits = m.let(m.add(m.divU(m.and(at, 0xfff), size), 1));
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
 * Fills up to `count` elements forward within one page. Parameters: destination, value, count, element size. temp[6] is the
 * number filled.
 */
export const fillRun: Micro = faultingMicro('fill_run', ['i64', 'i64', 'i64', 'i32'], (m) => {
  const to = m.param('i64', 0);
  const value = m.param('i64', 1);
  const n = m.param('i64', 2);
  const bytesEach = m.param('i32', 3);
  m.put('temp', 0, 6);
  withinPage(m, n, to, m.let(m.extU(bytesEach)));
  m.if(m.leU(n, 1), () => m.return(m.i32(0)));
  const target = m.let(m.invoke(directHost, to, m.i32(1)));
  m.if(m.eqz(target), () => m.return(m.i32(0)));
  m.put('temp', n, 6);
  const bytes = m.let(m.mul(m.wrap(n), bytesEach));
  // the value as a pattern of eight bytes
  m.if(m.eq(bytesEach, 1), () => m.set(value, m.mul(m.and(value, 0xff), 0x0101010101010101n)));
  m.if(m.eq(bytesEach, 2), () => m.set(value, m.mul(m.and(value, 0xffff), 0x0001000100010001n)));
  m.if(m.eq(bytesEach, 4), () => m.set(value, m.mul(m.and(value, 0xffff_ffff), 0x0000000100000001n)));
  m.if(m.eq(value, m.mul(m.and(value, 0xff), 0x0101010101010101n)), () => {
    m.memoryFill(target, m.wrap(value), bytes);
    m.return(m.i32(0));
  });
  m.if(m.geU(bytes, 2 * SEED), () => {
    for (let at = 0; at < SEED; at += 8) m.store('i64', target, value, at);
    const filled = m.local('i32');
    m.set(filled, SEED);
    m.loop((again) => {
      const left = m.let(m.sub(bytes, filled));
      m.memoryCopy(m.add(target, filled), target, m.select(m.ltU(filled, left), filled, left));
      m.set(filled, m.shl(filled, 1));
      m.brIf(again, m.ltU(filled, bytes));
    });
    m.return(m.i32(0));
  });
  const end = m.let(m.add(target, m.and(bytes, -8)));
  m.block((done) => {
    m.loop((again) => {
      m.brIf(done, m.geU(target, end));
      m.store('i64', target, value);
      m.set(target, m.add(target, 8));
      m.br(again);
    });
  });
  m.set(bytes, m.and(bytes, 7));
  m.block((done) => {
    m.loop((again) => {
      m.brIf(done, m.eqz(bytes));
      m.store('i64.8', target, value);
      m.set(value, m.shrU(value, 8));
      m.set(target, m.add(target, 1));
      m.set(bytes, m.sub(bytes, 1));
      m.br(again);
    });
  });
});
