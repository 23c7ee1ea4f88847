import type { Val } from '@sterna/wasm';
import { enc } from '../decode/enc.ts';
import { def } from './def.ts';
import type { Int, Machine } from './machine.ts';
import { Reg, Seg, Vec } from './vectors.ts';

def('push', (m, src) => m.push(m.variant.size, m.read(src)), { hot: true });
enc('50-57', 'push', 'Zv', { d64: true, by64: true });
enc('68', 'push', 'Iz', { d64: true, by64: true });
enc('6a', 'push', 'Is', { d64: true, by64: true, osz: true });
enc('ff /6', 'push', 'Ev', { d64: true, by64: true });

def(
  'pop',
  (m, dst) => {
    const { size } = m.variant;
    const v = m.peek(size);
    const sp = m.let(m.add(m.sp(), size / 8));
    if (dst.kind !== 'mem') {
      m.setSp(sp);
      m.write(dst, v);
      return;
    }
    // an address based on rSP uses the value after the pop
    const delta = m.select(m.baseIsSp(dst), m.i64(size / 8), 0);
    m.storeLinear(m.linear(dst, size / 8, true, delta), size, v);
    m.setSp(sp);
  },
  { hot: true },
);
enc('58-5f', 'pop', 'Zv', { d64: true, by64: true });
enc('8f /0', 'pop', 'Ev', { d64: true, by64: true });

/** Linear address of a stack offset with checks, without changing rSP. */
function stackAt(m: Machine, offset: Val<'i64'>, bytes: number, write: boolean): Val<'i64'> {
  return m.segmentLinear(Seg.SS, m.let(m.and(offset, m.get('stackMask'))), bytes, write);
}

def('pusha', (m) => {
  const { size } = m.variant as { size: 16 | 32 };
  const step = size / 8;
  const sp = m.sp();
  const old = m.gpr(Reg.SP, size);
  for (let r = 0; r < 8; r++) m.probeWrite(stackAt(m, m.sub(sp, (r + 1) * step), step, true), step);
  for (let r = 0; r < 8; r++) {
    m.storeLinear(stackAt(m, m.sub(sp, (r + 1) * step), step, true), size, r === Reg.SP ? old : m.gpr(r, size));
  }
  m.setSp(m.sub(sp, 8 * step));
});
enc('60', 'pusha', '', { mode: 'no64', osz: true });

def('popa', (m) => {
  const { size } = m.variant as { size: 16 | 32 };
  const step = size / 8;
  const sp = m.sp();
  const values: Int[] = [];
  for (let r = 7; r >= 0; r--)
    values[r] = m.loadLinear(stackAt(m, m.add(sp, (7 - r) * step), step, false), size) as Int;
  for (let r = 0; r < 8; r++) if (r !== Reg.SP) m.setGpr(r, size, values[r]!);
  m.setSp(m.add(sp, 8 * step));
});
enc('61', 'popa', '', { mode: 'no64', osz: true });

def('leave', (m) => {
  const { size } = m.variant;
  const mask = m.let(m.get('stackMask'));
  const frame = m.let(m.and(m.get('regs', Reg.BP), mask));
  const v = m.loadLinear(stackAt(m, frame, size / 8, false), size, { stack: true }) as Int;
  m.setSp(m.add(frame, size / 8));
  m.setGpr(Reg.BP, size, v);
});
enc('c9', 'leave', '', { d64: true, osz: true });

/** ENTER: pushes rBP, copies `level` - 1 frame pointers, sets rBP and lowers rSP. Only its own stores change memory. */
def('enter', (m, bytes, level) => {
  const { size } = m.variant;
  const step = size / 8;
  const mask = m.let(m.get('stackMask'));
  // counted down: a variable even where the operand is a literal
  const levels = m.local('i32');
  m.set(levels, m.and(m.read(level) as Val<'i32'>, 31));
  const sp = m.sp();
  const at = m.let(m.and(m.sub(sp, step), mask));
  // on a 16-bit stack the frame pointer of a 32-bit ENTER gets the upper half of ESP too
  const frame = m.let(m.or(m.and(m.get('regs', Reg.SP), m.not(mask)), at));
  m.storeLinear(stackAt(m, at, step, true), size, m.gpr(Reg.BP, size), { stack: true });
  const from = m.let(m.get('regs', Reg.BP));
  m.if(levels, () => {
    m.block((done) => {
      m.loop((again) => {
        m.set(levels, m.sub(levels, 1));
        m.brIf(done, m.eqz(levels));
        m.set(from, m.and(m.sub(from, step), mask));
        const v = m.loadLinear(stackAt(m, from, step, false), size, { stack: true });
        m.set(at, m.and(m.sub(at, step), mask));
        m.storeLinear(stackAt(m, at, step, true), size, v, { stack: true });
        m.br(again);
      });
    });
    m.set(at, m.and(m.sub(at, step), mask));
    m.storeLinear(stackAt(m, at, step, true), size, size === 64 ? frame : m.wrap(frame), { stack: true });
  });
  const final = m.let(m.and(m.sub(at, m.extU(m.read(bytes) as Val<'i32'>)), mask));
  // the new top must be writable, or ENTER faults as a whole
  m.probeWrite(stackAt(m, final, 1, true), 1, { stack: true });
  m.setSp(final);
  m.setGpr(Reg.BP, size, size === 64 ? frame : m.wrap(frame));
});
enc('c8', 'enter', 'Iw,Ib', { d64: true, osz: true });

/** BOUND: #BR unless lower <= index <= upper, signed. */
def('bound', (m, reg, mem) => {
  const { size } = m.variant as { size: 16 | 32 };
  const at = m.linear(mem, size / 4);
  const narrow = (v: Val<'i32'>): Val<'i32'> => m.let(size === 16 ? m.ext16(v) : v);
  const low = narrow(m.loadLinear(at, size) as Val<'i32'>);
  const high = narrow(m.loadLinear(m.let(m.add(at, size / 8)), size) as Val<'i32'>);
  const index = narrow(m.read(reg) as Val<'i32'>);
  m.raiseIf(m.or(m.ltS(index, low), m.gtS(index, high)), Vec.BR);
});
enc('62 /r', 'bound', 'Gv,Mx', { mode: 'no64' });
