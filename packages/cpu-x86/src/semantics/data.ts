import type { Val } from '@sterna/wasm';
import { enc } from '../decode/enc.ts';
import { def } from './def.ts';
import type { Int } from './machine.ts';
import { Flag, Reg } from './vectors.ts';

def('mov', (m, dst, src) => m.write(dst, m.read(src)), { hot: true, hotSegment: true });
enc('88-8b /r', 'mov', 'Eb,Gb Ev,Gv Gb,Eb Gv,Ev');
enc('c6 /0', 'mov', 'Eb,Ib');
enc('c7 /0', 'mov', 'Ev,Iz');
enc('b0-b7', 'mov', 'Zb,Ib');
enc('b8-bf', 'mov', 'Zv,Iv');
enc('a0', 'mov', 'AL,Ob', { asz: true });
enc('a1', 'mov', 'rAX,Ov', { asz: true });
enc('a2', 'mov', 'Ob,AL', { asz: true });
enc('a3', 'mov', 'Ov,rAX', { asz: true });

def(
  'movzx',
  (m, dst, src) => {
    const v = m.read(src);
    m.write(dst, dst.bits === 64 ? m.extU(v as never) : v);
  },
  { hot: true },
);
enc('0f b6 /r', 'movzx', 'Gv,Eb');
enc('0f b7 /r', 'movzx', 'Gv,Ew');

def(
  'movsx',
  (m, dst, src) => {
    const v = m.read(src);
    const x = src.bits === 8 ? m.ext8(v) : src.bits === 16 ? m.ext16(v) : v;
    m.write(dst, dst.bits === 64 ? m.extS(x as never) : x);
  },
  { hot: true },
);
enc('0f be /r', 'movsx', 'Gv,Eb');
enc('0f bf /r', 'movsx', 'Gv,Ew');
// with 16- and 32-bit operand size MOVSXD moves without extension
def(
  'movsxd',
  (m, dst, src) => {
    const v = m.read(src);
    m.write(dst, dst.bits === 64 ? m.extS(v as never) : v);
  },
  { hot: true },
);
enc('63 /r', 'movsxd', 'Gv,Ed', { mode: 'only64' });

def(
  'lea',
  (m, dst, src) => {
    const a = m.ea(src);
    m.write(dst, dst.bits === 64 ? a : m.wrap(a));
  },
  { hot: true },
);
enc('8d /r', 'lea', 'Gv,Mx');

def(
  'xchg',
  (m, dst, src) => {
    const d = m.rmw(dst);
    const s = m.read(src);
    d.store(s);
    m.write(src, d.value);
  },
  { hot: 'registers' },
);
enc('86-87 /r', 'xchg', 'Eb,Gb Ev,Gv', { lock: true });
enc('91-97', 'xchg', 'Zv,rAX');
// 90 exchanges nothing, not even clearing an upper half; the decoder turns it into XCHG when REX.B names R8

def('nop', () => {}, { hot: true });
enc('90', 'nop');
enc('0f 1f /r', 'nop', 'Ev');
enc('0f 19-1e /r', 'nop', 'Ev');

def('bswap', (m, reg) => {
  const v = m.read(reg);
  if (reg.bits === 64) {
    let x = v as Int;
    x = m.or(m.and(m.shrU(x, 8), 0x00ff00ff00ff00ffn), m.shl(m.and(x, 0x00ff00ff00ff00ffn), 8));
    x = m.let(x);
    x = m.let(m.or(m.and(m.shrU(x, 16), 0x0000ffff0000ffffn), m.shl(m.and(x, 0x0000ffff0000ffffn), 16)));
    m.write(reg, m.rotl(x, 32));
    return;
  }
  // with a 16-bit operand the result is zero
  if (reg.bits === 16) m.write(reg, m.i32(0));
  else m.write(reg, m.or(m.and(m.rotl(v, 8), 0x00ff00ff), m.and(m.rotl(v, 24), 0xff00ff00 | 0)));
});
enc('0f c8-cf', 'bswap', 'Zv');

def(
  'cmovcc',
  (m, dst, src) => {
    const s = m.read(src);
    const c = m.let(m.cond(m.variant.cc));
    m.write(dst, m.select(c, s, m.read(dst)));
  },
  { hot: 'registers' },
);
enc('0f 40-4f /r', 'cmovcc', 'Gv,Ev', { cc: true });

def('setcc', (m, dst) => m.write(dst, m.let(m.cond(m.variant.cc))), { hot: 'registers' });
enc('0f 90-9f /r', 'setcc', 'Eb', { cc: true });

def(
  'cbw',
  (m) => {
    const { size } = m.variant;
    if (size === 16) m.setGpr(Reg.AX, 16, m.ext8(m.gpr(Reg.AX, 8)));
    else if (size === 32) m.setGpr(Reg.AX, 32, m.ext16(m.gpr(Reg.AX, 16)));
    else m.setGpr(Reg.AX, 64, m.extS(m.gpr(Reg.AX, 32) as never));
  },
  { hot: true },
);
enc('98', 'cbw', '', { osz: true });
def(
  'cwd',
  (m) => {
    const { size } = m.variant;
    const a = m.gpr(Reg.AX, size);
    m.setGpr(Reg.DX, size, size === 16 ? m.shrS(m.ext16(a), 15) : m.shrS(a, size - 1));
  },
  { hot: true },
);
enc('99', 'cwd', '', { osz: true });

def('lahf', (m) =>
  m.setGpr(Reg.AX, 16, m.or(m.and(m.gpr(Reg.AX, 16), 0xff), m.shl(m.or(m.and(m.arithFlags(), 0xd5), 2), 8))),
);
enc('9f', 'lahf');
def('sahf', (m) => {
  const ah = m.and(m.shrU(m.gpr(Reg.AX, 16) as Val<'i32'>, 8), 0xd5);
  m.setArithFlags(m.or(ah, m.and(m.arithFlags(), Flag.OF)));
});
enc('9e', 'sahf');

def('xlat', (m) => {
  const { addressSize } = m.variant;
  const al = m.extU(m.gpr(Reg.AX, 8) as never);
  let at = m.add(m.get('regs', Reg.BX), al);
  if (addressSize === 16) at = m.and(at, 0xffff);
  else if (addressSize === 32) at = m.and(at, 0xffff_ffff);
  m.setGpr(Reg.AX, 8, m.loadLinear(m.sourceLinear(at, 1), 8));
});
enc('d7', 'xlat', '', { asz: true });
