import type { Val } from '@sterna/wasm';
import { enc } from '../decode/enc.ts';
import { CRC_TABLE } from './constant-tables.ts';
import { def } from './def.ts';
import type { Int, Machine } from './machine.ts';
import { type Micro, micro } from './micro.ts';
import { Flag } from './vectors.ts';

type I = Val<'i32'>;
type L = Val<'i64'>;

// General-purpose instructions that came with x86-64-v2 and after

const countOf = (m: Machine, v: Int, what: 'popcnt' | 'clz'): Int => m[what](v as I) as Int;

def('popcnt', (m, dst, src) => {
  const v = m.read(src!);
  const r = m.let(countOf(m, v, 'popcnt')) as Int;
  m.write(dst!, r);
  m.setArithFlags(m.let(m.shl(m.eqz(r as I), 6)));
});
enc('f3 0f b8 /r', 'popcnt', 'Gv,Ev', { feature: 'popcnt' });

def('lzcnt', (m, dst, src) => {
  const v = m.read(src!);
  const n = countOf(m, v, 'clz');
  const r = m.let(src!.bits === 16 ? m.sub(n as I, 16) : n) as Int;
  m.write(dst!, r);
  const flags = m.and(m.arithFlags(), Flag.ARITH & ~(Flag.ZF | Flag.CF));
  // CF: the source is zero; ZF: the result is
  const all = m.eq(r as I, m.literal(r.type as 'i32', src!.bits));
  m.setArithFlags(m.let(m.or(flags, m.or(m.shl(m.eqz(r as I), 6), all))));
});
enc('f3 0f bd /r', 'lzcnt', 'Gv,Ev', { feature: 'abm' });

/** `(crc, data, bytes) -> crc`: CRC-32C of the low bytes of `data`. */
const crc32c: Micro = micro('crc32c', ['i32', 'i64', 'i32'], ['i32'], (m) => {
  const [crc, data, left] = [m.param('i32', 0), m.param('i64', 1), m.param('i32', 2)];
  m.loop((again) => {
    const index = m.and(m.xor(crc, m.wrap(data)), 0xff);
    m.set(crc, m.xor(m.shrU(crc, 8), m.load('i32', m.shl(index, 2), CRC_TABLE)));
    m.set(data, m.shrU(data, 8));
    m.set(left, m.sub(left, 1));
    m.brIf(again, left);
  });
  m.return(crc);
});
def('crc32', (m, dst, src) => {
  const v = m.read(src!);
  const crc = m.read(dst!);
  const low = crc.type === 'i64' ? m.wrap(crc as L) : (crc as I);
  const data = v.type === 'i64' ? (v as L) : m.extU(v as I);
  const r = m.let(m.invoke<'i32'>(crc32c, low, data, m.i32(src!.bits / 8)));
  m.write(dst!, crc.type === 'i64' ? m.extU(r) : r);
});
enc('f2 0f 38 f0 /r', 'crc32', 'Gy,Eb', { feature: 'sse4.2' });
enc('f2 0f 38 f1 /r', 'crc32', 'Gy,Ev', { feature: 'sse4.2' });

/** Bytes in reverse order. */
function swapBytes(m: Machine, v: Int, bits: number): Int {
  if (bits === 16) return m.or(m.shl(v as I, 8), m.shrU(v as I, 8));
  const swap32 = (x: I): I =>
    m.or(
      m.and(m.or(m.shl(x, 24), m.shrU(x, 8)), 0xff00_ff00 | 0),
      m.and(m.or(m.shl(x, 8), m.shrU(x, 24)), 0x00ff_00ff),
    );
  if (bits === 32) return swap32(m.let(v as I));
  const wide = m.let(v as L);
  const high = m.extU(swap32(m.let(m.wrap(wide))));
  return m.or(m.shl(high, 32), m.extU(swap32(m.let(m.wrap(m.shrU(wide, 32))))));
}
def('movbe', (m, dst, src) => m.write(dst!, swapBytes(m, m.read(src!), src!.bits)));
enc('0f 38 f0 /r mem', 'movbe', 'Gv,Mv', { feature: 'movbe' });
enc('0f 38 f1 /r mem', 'movbe', 'Mv,Gv', { feature: 'movbe' });

for (const [name, prefix, flag] of [
  ['adcx', '66', Flag.CF],
  ['adox', 'f3', Flag.OF],
] as const) {
  def(name, (m, dst, src) => {
    const b = m.read(src!);
    const a = m.read(dst!);
    const flags = m.let(m.arithFlags());
    const carry = m.let(m.ne(m.and(flags, flag), 0));
    const partial = m.let(m.add(a as I, b as I)) as Int;
    const r = m.let(m.add(partial as I, (b.type === 'i64' ? m.extU(carry) : carry) as I)) as Int;
    const out = m.or(m.ltU(partial as I, a as I), m.ltU(r as I, partial as I));
    m.write(dst!, r);
    const place = flag === Flag.CF ? out : m.shl(out, 11);
    m.setArithFlags(m.let(m.or(m.and(flags, Flag.ARITH & ~flag), place)));
  });
  enc(`${prefix} 0f 38 f6 /r`, name, 'Gy,Ey', { feature: 'adx' });
}
