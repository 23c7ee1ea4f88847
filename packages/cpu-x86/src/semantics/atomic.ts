import type { Val } from '@sterna/wasm';
import { enc } from '../decode/enc.ts';
import { def } from './def.ts';
import { Flag, Reg, Vec } from './vectors.ts';

// LOCK is a plain access: vCPUs take turns on one thread.

def('xadd', (m, dst, src) => {
  const s = m.read(src);
  const d = m.rmw(dst);
  const r = m.let(m.add(d.value, s));
  if (dst.kind === 'mem') {
    d.store(r);
    m.write(src, d.value);
  } else {
    // with one register for both the sum wins
    m.write(src, d.value);
    d.store(r);
  }
  m.setFlags('add', dst.bits, d.value, s, r);
});
enc('0f c0-c1 /r', 'xadd', 'Eb,Gb Ev,Gv', { lock: true });

def('cmpxchg', (m, dst, src) => {
  const { bits } = dst as { bits: 8 | 16 | 32 | 64 };
  const s = m.read(src);
  const d = m.rmw(dst);
  const a = m.gpr(Reg.AX, bits);
  const equal = m.let(m.eq(a, d.value));
  m.setFlags('sub', bits, a, d.value, m.let(m.sub(a, d.value)));
  m.if(
    equal,
    () => d.store(s),
    () => {
      // memory is written back; a register keeps even its upper half
      if (dst.kind === 'mem') d.store(d.value);
      m.setGpr(Reg.AX, bits, d.value);
    },
  );
});
enc('0f b0-b1 /r', 'cmpxchg', 'Eb,Gb Ev,Gv', { lock: true });

/** CMPXCHG8B and CMPXCHG16B: compare rDX:rAX with memory, store rCX:rBX or load. Only ZF changes. */
def('cmpxchg8b', (m, mem) => {
  const bits = m.variant.size === 64 ? 64 : 32;
  const bytes = bits / 8;
  const at = m.linear(mem, 2 * bytes, true);
  if (bits === 64) m.raiseIf(m.ne(m.and(m.wrap(at), 15), 0), Vec.GP, 0);
  m.probeWrite(at, 2 * bytes);
  const low = m.loadLinear(at, bits);
  const second = m.let(m.add(at, bytes));
  const high = m.loadLinear(second, bits);
  const same = m.let(
    m.and(
      m.eq(low as Val<'i64'>, m.gpr(Reg.AX, bits) as Val<'i64'>),
      m.eq(high as Val<'i64'>, m.gpr(Reg.DX, bits) as Val<'i64'>),
    ),
  );
  const flags = m.let(m.and(m.arithFlags(), Flag.ARITH & ~Flag.ZF));
  m.if(
    same,
    () => {
      m.storeLinear(at, bits, m.gpr(Reg.BX, bits));
      m.storeLinear(second, bits, m.gpr(Reg.CX, bits));
    },
    () => {
      m.setGpr(Reg.AX, bits, low);
      m.setGpr(Reg.DX, bits, high);
    },
  );
  m.setArithFlags(m.let(m.or(flags, m.shl(same, 6))));
});
enc('0f c7 /1 mem', 'cmpxchg8b', 'Mx', { lock: true, osz: true });
