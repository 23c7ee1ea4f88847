import type { Val } from '@sterna/wasm';
import { enc } from '../decode/enc.ts';
import { def } from './def.ts';
import type { Machine } from './machine.ts';
import { Flag, Reg, Vec } from './vectors.ts';

/** PF, ZF and SF of a byte at their EFLAGS positions. */
function byteFlags(m: Machine, v: Val<'i32'>): Val<'i32'> {
  const b = m.let(m.and(v, 0xff));
  const parity = m.shl(m.and(m.not(m.popcnt(b)), 1), 2);
  return m.or(m.or(parity, m.shl(m.eqz(b), 6)), m.and(b, Flag.SF));
}

/** DAA and DAS: decimal adjust AL after addition or subtraction. */
function decimal(name: 'daa' | 'das'): void {
  def(name, (m) => {
    const f = m.arithFlags();
    const old = m.gpr(Reg.AX, 8) as Val<'i32'>;
    const al = m.let(old);
    const out = m.local('i32');
    m.set(out, 0);
    const adjust = (by: number): void => m.set(al, name === 'daa' ? m.add(al, by) : m.sub(al, by));
    m.if(m.or(m.gtU(m.and(old, 15), 9), m.ne(m.and(f, Flag.AF), 0)), () => {
      adjust(6);
      m.set(out, Flag.AF);
      // a borrow out of the low adjustment counts as carry
      if (name === 'das') m.if(m.or(m.ltU(old, 6), m.and(f, Flag.CF)), () => m.set(out, Flag.AF | Flag.CF));
    });
    m.if(m.or(m.gtU(old, 0x99), m.and(f, Flag.CF)), () => {
      adjust(0x60);
      m.set(out, m.or(out, Flag.CF));
    });
    m.setGpr(Reg.AX, 8, al);
    m.setArithFlags(m.or(out, byteFlags(m, al)));
  });
}
decimal('daa');
decimal('das');
enc('27', 'daa', '', { mode: 'no64' });
enc('2f', 'das', '', { mode: 'no64' });

/** AAA and AAS: unpacked adjust of AX. */
function ascii(name: 'aaa' | 'aas'): void {
  def(name, (m) => {
    const f = m.arithFlags();
    const ax = m.gpr(Reg.AX, 16) as Val<'i32'>;
    const out = m.local('i32');
    m.set(out, 0);
    m.if(m.or(m.gtU(m.and(ax, 15), 9), m.ne(m.and(f, Flag.AF), 0)), () => {
      m.set(ax, name === 'aaa' ? m.add(ax, 0x106) : m.sub(ax, 0x106));
      m.set(out, Flag.AF | Flag.CF);
    });
    m.set(ax, m.and(ax, 0xff0f));
    m.setGpr(Reg.AX, 16, ax);
    m.setArithFlags(m.or(out, byteFlags(m, ax)));
  });
}
ascii('aaa');
ascii('aas');
enc('37', 'aaa', '', { mode: 'no64' });
enc('3f', 'aas', '', { mode: 'no64' });

def('aam', (m, base) => {
  const b = m.read(base) as Val<'i32'>;
  m.raiseIf(m.eqz(b), Vec.DE);
  const al = m.gpr(Reg.AX, 8) as Val<'i32'>;
  const low = m.let(m.remU(al, b));
  m.setGpr(Reg.AX, 16, m.or(m.shl(m.divU(al, b), 8), low));
  m.setArithFlags(byteFlags(m, low));
});
enc('d4', 'aam', 'Ib', { mode: 'no64' });

def('aad', (m, base) => {
  const b = m.read(base) as Val<'i32'>;
  const ax = m.gpr(Reg.AX, 16) as Val<'i32'>;
  const al = m.let(m.and(m.add(ax, m.mul(m.shrU(ax, 8), b)), 0xff));
  m.setGpr(Reg.AX, 16, al);
  m.setArithFlags(byteFlags(m, al));
});
enc('d5', 'aad', 'Ib', { mode: 'no64' });

/** SALC (undocumented): AL = CF ? FF : 0. */
def('salc', (m) => m.setGpr(Reg.AX, 8, m.sub(m.i32(0), m.cf())));
enc('d6', 'salc', '', { mode: 'no64' });
