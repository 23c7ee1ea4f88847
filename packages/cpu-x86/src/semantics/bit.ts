import type { Val } from '@sterna/wasm';
import { enc } from '../decode/enc.ts';
import { def } from './def.ts';
import type { Int, Machine } from './machine.ts';
import type { Operand } from './operand.ts';

type Change = (m: Machine, value: Int, mask: Int) => Int;

/** Signed byte distance from a bit string's start to the operand-sized unit that holds bit `index`. */
function unitOffset(m: Machine, index: Int, bits: number): Val<'i64'> {
  const i =
    bits === 64 ? (index as Val<'i64'>) : m.extS(bits === 16 ? m.ext16(index as Val<'i32'>) : (index as Val<'i32'>));
  const log = bits === 64 ? 6 : bits === 32 ? 5 : 4;
  return m.shl(m.shrS(i, log), log - 3);
}

/** BT and its changing forms. A register index addresses a bit string in memory; other indices are taken modulo the size. */
function bitTest(name: string, change: Change | undefined): void {
  def(name, (m, dst, src) => {
    const { bits } = dst as { bits: 16 | 32 | 64 };
    const raw = m.read(src);
    const index = m.let(src.bits === 8 && bits === 64 ? m.extU(raw as Val<'i32'>) : raw) as Int;
    const n = m.let(m.and(index, bits - 1)) as Int;
    const string = dst.kind === 'mem' && src.kind === 'reg';
    const at = string ? bitString(m, dst, unitOffset(m, index, bits), change !== undefined) : undefined;
    const test = (value: Int): Val<'i32'> => {
      const bit = m.and(m.shrU(value, n), 1);
      return m.let(bits === 64 ? m.wrap(bit as Val<'i64'>) : (bit as Val<'i32'>));
    };
    if (change === undefined) {
      const value = at === undefined ? m.read(dst) : (m.loadLinear(at, bits) as Int);
      m.setCarry(test(value));
      return;
    }
    const mask = m.let(m.shl(m.literal(bits === 64 ? 'i64' : 'i32', 1), n)) as Int;
    if (at !== undefined) {
      const value = m.loadLinear(at, bits) as Int;
      m.storeLinear(at, bits, change(m, value, mask));
      m.setCarry(test(value));
      return;
    }
    const d = m.rmw(dst);
    const c = test(d.value);
    d.store(change(m, d.value, mask));
    m.setCarry(c);
  });
}

function bitString(m: Machine, dst: Operand, delta: Val<'i64'>, write: boolean): Val<'i64'> {
  const at = m.linear(dst, dst.bits / 8, write, delta);
  if (write) m.probeWrite(at, dst.bits / 8);
  return at;
}

const clear: Change = (m, v, mask) => m.and(v, m.not(mask));
bitTest('bt', undefined);
bitTest('bts', (m, v, mask) => m.or(v, mask));
bitTest('btr', clear);
bitTest('btc', (m, v, mask) => m.xor(v, mask));
for (const [i, name] of ['bt', 'bts', 'btr', 'btc'].entries()) {
  const lock = i !== 0;
  enc(`0f ${(0xa3 + 8 * i).toString(16)} /r`, name, 'Ev,Gv', { lock });
  enc(`0f ba /${4 + i}`, name, 'Ev,Ib', { lock });
}

/** BSF and BSR: with a zero source only ZF changes. (F3 forms are the same here: this CPU has no TZCNT and LZCNT.) */
function scan(name: 'bsf' | 'bsr'): void {
  def(name, (m, dst, src) => {
    const v = m.read(src);
    const width = dst.bits === 64 ? 64 : 32;
    m.if(m.ne(v, 0), () => m.write(dst, name === 'bsf' ? m.ctz(v) : m.sub(m.literal(v.type, width - 1), m.clz(v))));
    m.setFlags('logic', dst.bits, v, v, v);
  });
}
scan('bsf');
scan('bsr');
enc('0f bc /r', 'bsf', 'Gv,Ev');
enc('0f bd /r', 'bsr', 'Gv,Ev');

def('cmc', (m) => m.setCarry(m.xor(m.cf(), 1)));
def('clc', (m) => m.setCarry(m.i32(0)));
def('stc', (m) => m.setCarry(m.i32(1)));
enc('f5', 'cmc');
enc('f8', 'clc');
enc('f9', 'stc');
def('cld', (m) => m.put('eflags', m.and(m.get('eflags'), ~0x400)));
def('std', (m) => m.put('eflags', m.or(m.get('eflags'), 0x400)));
enc('fc', 'cld');
enc('fd', 'std');
