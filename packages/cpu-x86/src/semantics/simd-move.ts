import { type Val, v128pair } from '@sterna/wasm';
import { enc } from '../decode/enc.ts';
import { def } from './def.ts';
import { checkMmx, checkSse } from './fp-check.ts';
import type { Machine } from './machine.ts';
import { enterMmx, widenMmx, writeMmx } from './mmx-state.ts';
import { Reg } from './vectors.ts';

type I = Val<'i32'>;
type L = Val<'i64'>;
type V = Val<'v128'>;

const ZERO = v128pair(0n, 0n);

/** An i64 in the low lane of an otherwise zero vector. */
function lowOnly(m: Machine, v: L): V {
  return m.replaceLane('i64x2', ZERO, 0, v);
}

// Whole vectors

for (const [name, aligned, rows] of [
  ['movu', false, ['np 0f 10', 'np 0f 11', '66 0f 10', '66 0f 11', 'f3 0f 6f', 'f3 0f 7f']],
  ['mova', true, ['np 0f 28', 'np 0f 29', '66 0f 28', '66 0f 29', '66 0f 6f', '66 0f 7f']],
] as const) {
  def(name, (m, dst, src) => {
    checkSse(m);
    const v = aligned ? m.readAligned(src!) : m.readVector(src!);
    if (aligned) m.writeAligned(dst!, v);
    else m.writeVector(dst!, v);
  });
  for (const row of rows) {
    const store = /(11|29|7f)$/.test(row);
    enc(`${row} /r`, name, store ? 'Wdq,Vdq' : 'Vdq,Wdq');
  }
}
enc('f2 0f f0 /r mem', 'movu', 'Vdq,Mdq');
for (const row of ['np 0f 2b', '66 0f 2b', '66 0f e7']) enc(`${row} /r mem`, 'mova', 'Mdq,Vdq');

// Scalars: a load clears the rest of the register, a register move keeps it

for (const [prefix, bits, letter] of [
  ['f3', 32, 'd'],
  ['f2', 64, 'q'],
] as const) {
  const name = bits === 32 ? 'movss' : 'movsd';
  def(`${name}_load`, (m, dst, src) => {
    checkSse(m);
    m.writeFloatAlone(dst!, m.readFloat(src!));
  });
  def(name, (m, dst, src) => {
    checkSse(m);
    m.writeFloat(dst!, m.readFloat(src!));
  });
  enc(`${prefix} 0f 10 /r mem`, `${name}_load`, `Vdq,M${letter}`);
  enc(`${prefix} 0f 10 /r reg`, name, `V${letter},U${letter}`);
  enc(`${prefix} 0f 11 /r`, name, `W${letter},V${letter}`);
}

// Halves

def('movlp_load', (m, dst, src) => {
  checkSse(m);
  m.write(dst!, m.read(src!));
});
def('movhp_load', (m, dst, src) => {
  checkSse(m);
  const v = m.read(src!);
  m.writeVector(dst!, m.replaceLane('i64x2', m.readVector(dst!), 1, v));
});
def('movlp_store', (m, dst, src) => {
  checkSse(m);
  m.write(dst!, m.read(src!));
});
def('movhp_store', (m, dst, src) => {
  checkSse(m);
  m.write(dst!, m.extractLane('i64x2', m.readVector(src!), 1));
});
for (const p of ['np', '66']) {
  enc(`${p} 0f 12 /r mem`, 'movlp_load', 'Vq,Mq');
  enc(`${p} 0f 13 /r mem`, 'movlp_store', 'Mq,Vq');
  enc(`${p} 0f 16 /r mem`, 'movhp_load', 'Vdq,Mq');
  enc(`${p} 0f 17 /r mem`, 'movhp_store', 'Mq,Vdq');
}
def('movhlps', (m, dst, src) => {
  checkSse(m);
  const v = m.extractLane('i64x2', m.readVector(src!), 1);
  m.writeVector(dst!, m.replaceLane('i64x2', m.readVector(dst!), 0, v));
});
enc('np 0f 12 /r reg', 'movhlps', 'Vdq,Udq');
def('movlhps', (m, dst, src) => {
  checkSse(m);
  const v = m.extractLane('i64x2', m.readVector(src!), 0);
  m.writeVector(dst!, m.replaceLane('i64x2', m.readVector(dst!), 1, v));
});
enc('np 0f 16 /r reg', 'movlhps', 'Vdq,Udq');

// Between general, MMX and XMM registers

def('movd_to_xmm', (m, dst, src) => {
  checkSse(m);
  const v = m.read(src!);
  m.writeVector(dst!, lowOnly(m, v.type === 'i64' ? (v as L) : m.extU(v as I)));
});
enc('66 0f 6e /r', 'movd_to_xmm', 'Vdq,Ey');
def('movd_from_xmm', (m, dst, src) => {
  checkSse(m);
  const v = m.readVector(src!);
  m.write(dst!, dst!.bits === 64 ? m.extractLane('i64x2', v, 0) : m.extractLane('i32x4', v, 0));
});
enc('66 0f 7e /r', 'movd_from_xmm', 'Ey,Vdq');
def('movd_to_mmx', (m, dst, src) => {
  checkMmx(m);
  const v = m.read(src!);
  enterMmx(m);
  writeMmx(m, dst!, v.type === 'i64' ? (v as L) : m.extU(v as I));
});
enc('np 0f 6e /r', 'movd_to_mmx', 'Pq,Ey');
def('movd_from_mmx', (m, dst, src) => {
  checkMmx(m);
  const v = m.read(src!) as L;
  m.write(dst!, dst!.bits === 64 ? v : m.wrap(v));
  enterMmx(m);
});
enc('np 0f 7e /r', 'movd_from_mmx', 'Ey,Pq');
def('movq_mmx', (m, dst, src) => {
  checkMmx(m);
  const v = m.read(src!) as L;
  enterMmx(m);
  writeMmx(m, dst!, v);
});
enc('np 0f 6f /r', 'movq_mmx', 'Pq,Qq');
enc('np 0f 7f /r reg', 'movq_mmx', 'Nq,Pq');
def('movq_mmx_store', (m, dst, src) => {
  checkMmx(m);
  m.write(dst!, m.read(src!));
  enterMmx(m);
});
enc('np 0f 7f /r mem', 'movq_mmx_store', 'Mq,Pq');
enc('np 0f e7 /r mem', 'movq_mmx_store', 'Mq,Pq');
def('movq_zero', (m, dst, src) => {
  checkSse(m);
  m.writeVector(dst!, lowOnly(m, m.read(src!) as L));
});
enc('f3 0f 7e /r', 'movq_zero', 'Vdq,Wq');
enc('66 0f d6 /r reg', 'movq_zero', 'Udq,Vq');
enc('66 0f d6 /r mem', 'movlp_store', 'Mq,Vq');
def('movq2dq', (m, dst, src) => {
  checkSse(m);
  checkMmx(m);
  const v = m.read(src!) as L;
  enterMmx(m);
  m.writeVector(dst!, lowOnly(m, v));
});
enc('f3 0f d6 /r reg', 'movq2dq', 'Vdq,Nq');
def('movdq2q', (m, dst, src) => {
  checkSse(m);
  checkMmx(m);
  const v = m.read(src!) as L;
  enterMmx(m);
  writeMmx(m, dst!, v);
});
enc('f2 0f d6 /r reg', 'movdq2q', 'Pq,Uq');

def('movnti', (m, dst, src) => m.write(dst!, m.read(src!)));
enc('np 0f c3 /r mem', 'movnti', 'My,Gy');

// Byte-masked stores to DS:rDI

/** Stores the bytes of `value` whose bits in `mask` are set; nothing is touched, or checked, without any. */
function maskedStore(m: Machine, value: V, mask: I, bytes: number): void {
  const bits = m.variant.addressSize as 16 | 32 | 64;
  const di = m.gpr(Reg.DI, bits);
  m.if(mask, () => {
    const at = m.sourceLinear(bits === 64 ? (di as L) : m.extU(di as I), bytes, true);
    m.probeWrite(at, bytes);
    for (let i = 0; i < bytes; i++) {
      m.if(m.and(mask, 1 << i), () => m.storeLinear(m.add(at, i), 8, m.extractLane('i8x16_u', value, i)));
    }
  });
}
def('maskmovdqu', (m, value, mask) => {
  checkSse(m);
  const v = m.readVector(value!);
  maskedStore(m, v, m.let(m.simdTest('i8x16.bitmask', m.readVector(mask!))), 16);
});
enc('66 0f f7 /r reg', 'maskmovdqu', 'Vdq,Udq', { asz: true });
def('maskmovq', (m, value, mask) => {
  checkMmx(m);
  const v = widenMmx(m, m.read(value!) as L);
  const bits = m.simdTest('i8x16.bitmask', widenMmx(m, m.read(mask!) as L));
  maskedStore(m, v, m.let(m.and(bits, 0xff)), 8);
  enterMmx(m);
});
enc('np 0f f7 /r reg', 'maskmovq', 'Pq,Nq', { asz: true });
