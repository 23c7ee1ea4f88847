import type { Val } from '@sterna/wasm';
import { enc } from '../decode/enc.ts';
import { pioRead, pioWrite } from '../interp/host.ts';
import { ioCheck } from '../system/io.ts';
import { def } from './def.ts';
import type { Machine } from './machine.ts';
import type { Operand } from './operand.ts';
import { Flag, Reg, Seg } from './vectors.ts';

/** Port number of an operand (immediate byte or DX), checked for access. */
function port(m: Machine, op: Operand, bits: number): Val<'i32'> {
  const p = m.let(m.read(op) as Val<'i32'>);
  m.invoke(ioCheck, p, m.i32(bits / 8));
  return p;
}

/** Ports have at most 32 bits: REX.W changes nothing. */
const width = (op: Operand): 8 | 16 | 32 => (op.bits === 8 ? 8 : op.bits === 16 ? 16 : 32);

def('in', (m, dst, src) => {
  const bits = width(dst);
  m.setGpr(Reg.AX, bits, m.hostCall(pioRead, port(m, src, bits), m.i32(bits / 8)));
});
def('out', (m, dst, src) => {
  const bits = width(src);
  m.hostCall(pioWrite, port(m, dst, bits), m.i32(bits / 8), m.gpr(Reg.AX, bits) as Val<'i32'>);
});
enc('e4', 'in', 'AL,Ib');
enc('e5', 'in', 'rAX,Ib');
enc('ec', 'in', 'AL,DX');
enc('ed', 'in', 'rAX,DX');
enc('e6', 'out', 'Ib,AL');
enc('e7', 'out', 'Ib,rAX');
enc('ee', 'out', 'DX,AL');
enc('ef', 'out', 'DX,rAX');

function pointer(m: Machine, reg: number): Val<'i64'> {
  const bits = m.variant.addressSize as 16 | 32 | 64;
  const v = m.gpr(reg, bits);
  return m.let(bits === 64 ? (v as Val<'i64'>) : m.extU(v as Val<'i32'>));
}

function advance(m: Machine, reg: number, v: Val<'i64'>, by: Val<'i64'> | number): void {
  const bits = m.variant.addressSize as 16 | 32 | 64;
  const next = m.add(v, by);
  m.setGpr(reg, bits, bits === 64 ? next : m.wrap(next));
}

/** INS and OUTS: one element at a time; the repeat form is restarted after each, since the device may end the slice. */
function stringPort(name: 'ins' | 'outs', opcode: number): void {
  const semantics = (m: Machine, bits: 8 | 16 | 32): void => {
    const element = (): void => {
      const p = m.let(m.gpr(Reg.DX, 16) as Val<'i32'>);
      m.invoke(ioCheck, p, m.i32(bits / 8));
      const step = m.let(m.select(m.and(m.get('eflags'), Flag.DF), m.i64(-bits / 8), m.i64(bits / 8)));
      if (name === 'ins') {
        const di = pointer(m, Reg.DI);
        const at = m.segmentLinear(Seg.ES, di, bits / 8, true);
        // the port is read only when the store cannot fault any more
        m.probeWrite(at, bits / 8);
        m.storeLinear(at, bits, m.hostCall(pioRead, p, m.i32(bits / 8)));
        advance(m, Reg.DI, di, step);
      } else {
        const si = pointer(m, Reg.SI);
        const v = m.loadLinear(m.sourceLinear(si, bits / 8), bits);
        m.hostCall(pioWrite, p, m.i32(bits / 8), v as Val<'i32'>);
        advance(m, Reg.SI, si, step);
      }
    };
    if (m.variant.rep === '') {
      element();
      return;
    }
    const count = pointer(m, Reg.CX);
    m.if(m.ne(count, 0), () => {
      element();
      advance(m, Reg.CX, count, -1);
      m.repeat();
    });
  };
  def(`${name}b`, (m) => semantics(m, 8));
  def(`${name}v`, (m) => semantics(m, m.variant.size === 16 ? 16 : 32));
  enc(opcode.toString(16), `${name}b`, '', { rep: true, asz: true });
  enc((opcode + 1).toString(16), `${name}v`, '', { rep: true, asz: true, osz: true });
}
stringPort('ins', 0x6c);
stringPort('outs', 0x6e);
