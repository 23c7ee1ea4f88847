import type { Val } from '@sterna/wasm';
import { enc } from '../decode/enc.ts';
import { def } from './def.ts';
import type { Int, Machine } from './machine.ts';
import type { Operand } from './operand.ts';

/** Shift count as a value of the operand's type, masked as the operand size wants. */
function countOf(m: Machine, src: Operand, bits: number): Int {
  const n = m.and(m.read(src) as Val<'i32'>, bits === 64 ? 63 : 31);
  return m.let(bits === 64 ? m.extU(n) : n) as Int;
}

const low32 = (m: Machine, v: Int): Val<'i32'> => (v.type === 'i64' ? m.wrap(v as Val<'i64'>) : (v as Val<'i32'>));

/** Bit `bits - 1 - down` of a value as 0 or 1. */
function topBit(m: Machine, v: Int, bits: number, down = 0): Val<'i32'> {
  return m.and(low32(m, m.shrU(v, bits - 1 - down)), 1);
}

function rows(group: number, name: string, hex: string[] = ['c0', 'c1', 'd0', 'd1', 'd2', 'd3']): void {
  const operands = ['Eb,Ib', 'Ev,Ib', 'Eb,1', 'Ev,1', 'Eb,CL', 'Ev,CL'];
  hex.forEach((h, i) => {
    enc(`${h} /${group}`, name, operands[i]!);
  });
}

/** SHL, SHR and SAR. A count of zero changes nothing (but a 32-bit register's upper half is still cleared). */
function shift(name: 'shl' | 'shr' | 'sar', result: (m: Machine, v: Int, n: Int, bits: number) => Int): void {
  def(
    name,
    (m, dst, src) => {
      const n = countOf(m, src, dst.bits);
      const d = m.rmw(dst);
      m.if(
        m.ne(n, 0),
        () => {
          const r = m.let(result(m, d.value, n, dst.bits));
          d.store(r);
          m.setFlags(name, dst.bits, d.value, n, r);
        },
        () => d.store(d.value),
        src.kind === 'imm' ? true : undefined,
      );
    },
    { hot: 'registers' },
  );
}

shift('shl', (m, v, n) => m.shl(v, n));
shift('shr', (m, v, n) => m.shrU(v, n));
shift('sar', (m, v, n, bits) => m.shrS((bits === 8 ? m.ext8(v) : bits === 16 ? m.ext16(v) : v) as Int, n));
rows(4, 'shl');
rows(5, 'shr');
rows(6, 'shl');
rows(7, 'sar');

function rotate(name: 'rol' | 'ror'): void {
  def(
    name,
    (m, dst, src) => {
      const { bits } = dst;
      const n = countOf(m, src, bits);
      const d = m.rmw(dst);
      m.if(
        m.ne(n, 0),
        () => {
          const narrow = bits === 8 || bits === 16;
          const v = d.value as Val<'i32'>;
          let r: Int;
          if (narrow) {
            const k = m.let(m.and(n as Val<'i32'>, bits - 1));
            const back = m.and(m.sub(m.i32(bits), k), bits - 1);
            const raw = name === 'rol' ? m.or(m.shl(v, k), m.shrU(v, back)) : m.or(m.shrU(v, k), m.shl(v, back));
            r = m.let(m.and(raw, bits === 8 ? 0xff : 0xffff));
          } else r = m.let(name === 'rol' ? m.rotl(d.value, n) : m.rotr(d.value, n));
          d.store(r);
          const top = m.let(topBit(m, r, bits));
          const cf = name === 'rol' ? m.let(m.and(low32(m, r), 1)) : top;
          m.setCarryOverflow(cf, name === 'rol' ? m.xor(top, cf) : m.xor(top, topBit(m, r, bits, 1)));
        },
        () => d.store(d.value),
      );
    },
    { hot: 'registers' },
  );
}
rotate('rol');
rotate('ror');
rows(0, 'rol');
rows(1, 'ror');

/** RCL and RCR rotate through CF: a register of one more bit. */
function rotateCarry(name: 'rcl' | 'rcr'): void {
  def(name, (m, dst, src) => {
    const { bits } = dst;
    const left = name === 'rcl';
    let n = countOf(m, src, bits);
    const d = m.rmw(dst);
    m.if(
      m.ne(n, 0),
      () => {
        const carry = m.let(m.extU(m.cf()));
        const cf = m.local('i32');
        const result = m.local(bits === 64 ? 'i64' : 'i32') as Int;
        if (bits === 64) {
          const v = d.value as Val<'i64'>;
          const k = n as Val<'i64'>;
          // the part that went through CF: two shifts, because a shift by 64 does nothing
          const wrapped = left ? m.shrU(m.shrU(v, 1), m.sub(m.i64(64), k)) : m.shl(m.shl(v, 1), m.sub(m.i64(64), k));
          const through = left ? m.shl(carry, m.sub(k, 1)) : m.shl(carry, m.sub(m.i64(64), k));
          m.set(result as Val<'i64'>, m.or(m.or(left ? m.shl(v, k) : m.shrU(v, k), through), wrapped));
          m.set(cf, m.and(m.wrap(left ? m.shrU(v, m.sub(m.i64(64), k)) : m.shrU(v, m.sub(k, 1))), 1));
        } else {
          const width = bits + 1;
          if (bits !== 32) n = m.let(m.remU(n as Val<'i32'>, width));
          const k = m.let(m.extU(n as Val<'i32'>));
          const x = m.let(m.or(m.shl(carry, bits), m.extU(d.value as Val<'i32'>)));
          const back = m.sub(m.i64(width), k);
          const y = m.let(left ? m.or(m.shl(x, k), m.shrU(x, back)) : m.or(m.shrU(x, k), m.shl(x, back)));
          m.set(cf, m.and(m.wrap(m.shrU(y, bits)), 1));
          m.set(result as Val<'i32'>, bits === 32 ? m.wrap(y) : m.and(m.wrap(y), bits === 8 ? 0xff : 0xffff));
        }
        d.store(result);
        const top = topBit(m, result, bits);
        m.setCarryOverflow(cf, left ? m.xor(top, cf) : m.xor(top, topBit(m, result, bits, 1)));
      },
      () => d.store(d.value),
    );
  });
}
rotateCarry('rcl');
rotateCarry('rcr');
rows(2, 'rcl');
rows(3, 'rcr');

/** SHLD and SHRD: a shift that draws its new bits from the second operand. */
function doubleShift(name: 'shld' | 'shrd'): void {
  def(name, (m, dst, src, count) => {
    const { bits } = dst;
    const left = name === 'shld';
    const n = countOf(m, count, bits);
    const s = m.read(src);
    const d = m.rmw(dst);
    m.if(
      m.ne(n, 0),
      () => {
        const v = d.value;
        let r: Int;
        let cf: Val<'i32'>;
        if (bits === 16) {
          // counts above 16 take bits of the destination again
          const k = m.extU(n as Val<'i32'>);
          const a = m.let(m.extU(v as Val<'i32'>));
          const b = m.let(m.extU(s as Val<'i32'>));
          const x = m.let(m.or(m.or(m.shl(a, 32), m.shl(b, 16)), a));
          r = m.let(m.and(m.wrap(left ? m.shrU(m.shl(x, k), 32) : m.shrU(x, k)), 0xffff));
          cf = m.let(m.and(m.wrap(left ? m.shrU(m.shl(x, k), 48) : m.shrU(m.shl(x, 1), k)), 1));
        } else {
          const back = m.let(m.sub(m.literal(v.type, bits), n));
          r = m.let(left ? m.or(m.shl(v, n), m.shrU(s, back)) : m.or(m.shrU(v, n), m.shl(s, back)));
          cf = m.let(m.and(low32(m, left ? m.shrU(v, back) : m.shrU(v, m.sub(n, 1))), 1));
        }
        d.store(r);
        m.setFlagsResult(bits, r, m.or(cf, m.shl(m.xor(topBit(m, r, bits), topBit(m, v, bits)), 11)));
      },
      () => d.store(d.value),
    );
  });
}
doubleShift('shld');
doubleShift('shrd');
enc('0f a4 /r', 'shld', 'Ev,Gv,Ib');
enc('0f a5 /r', 'shld', 'Ev,Gv,CL');
enc('0f ac /r', 'shrd', 'Ev,Gv,Ib');
enc('0f ad /r', 'shrd', 'Ev,Gv,CL');
