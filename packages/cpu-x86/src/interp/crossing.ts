import type { Val } from '@sterna/wasm';
import type { Machine } from '../semantics/machine.ts';
import { type Micro, micro } from '../semantics/micro.ts';
import { mmioRead, mmioWrite } from './host.ts';
import { noteWrite } from './physical.ts';

import { DEVICE, PROBE, translate } from './translate.ts';

/** Whether `size` bytes at a linear address reach into the next page. */
export function crosses(m: Machine, linear: Val<'i64'>, size: Val<'i32'>): Val<'i32'> {
  return m.gtU(m.add(m.and(m.wrap(linear), 0xfff), size), 4096);
}

/** Physical address of a device access: walkPhys plus the offset in the page. */
export function devicePhys(m: Machine, linear: Val<'i64'>): Val<'i64'> {
  return m.or(m.get('walkPhys'), m.and(linear, 0xfff));
}

/** Reads `size` bytes (1, 2, 4, 8, 16; any within the page) of a device to host memory. Parameters: phys, host, size. */
export const deviceRead: Micro = micro('device_read', ['i64', 'i32', 'i32'], [], (m) => {
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
export const deviceWrite: Micro = micro('device_write', ['i64', 'i32', 'i32'], [], (m) => {
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
export const readCrossing: Micro = micro('read_crossing', ['i64', 'i32', 'i32'], ['i32'], (m) => {
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
export const writeCrossing: Micro = micro('write_crossing', ['i64', 'i32', 'i32'], ['i32'], (m) => {
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
