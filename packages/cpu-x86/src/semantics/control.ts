import type { Val } from '@sterna/wasm';
import { enc } from '../decode/enc.ts';
import { def } from './def.ts';
import type { Int, Machine } from './machine.ts';
import { Reg } from './vectors.ts';

/** A branch target read from an operand, as an offset in CS. */
function target(m: Machine, v: Int): Val<'i64'> {
  return m.let(v.type === 'i64' ? (v as Val<'i64'>) : m.extU(v as Val<'i32'>));
}

/** An offset in CS as a value to push. */
function returnAddress(m: Machine): Int {
  return m.variant.size === 64 ? m.nextRip() : m.let(m.wrap(m.nextRip()));
}

def(
  'jcc',
  (m, rel) => {
    const c = m.let(m.cond(m.variant.cc));
    if (rel.bits !== 64 || m.variant.code64 !== true) m.if(c, () => m.checkTarget(m.relativeTarget(rel)));
    m.jumpRelativeIf(rel, c);
  },
  { hot: true },
);
enc('70-7f', 'jcc', 'Jb', { cc: true, f64: true, by64: true, osz: true });
enc('0f 80-8f', 'jcc', 'Jz', { cc: true, f64: true, by64: true, osz: true });

def(
  'jmp',
  (m, rel) => {
    if (m.variant.code64 !== true) m.checkTarget(m.relativeTarget(rel));
    m.jumpRelative(rel);
  },
  { hot: true },
);
enc('eb', 'jmp', 'Jb', { f64: true, by64: true, osz: true, end: true });
enc('e9', 'jmp', 'Jz', { f64: true, by64: true, osz: true, end: true });

def(
  'jmp_indirect',
  (m, op) => {
    const t = target(m, m.read(op));
    m.checkTarget(t);
    m.jump(t);
  },
  { hot: true },
);
enc('ff /4', 'jmp_indirect', 'Ev', { f64: true, by64: true, end: true });

def(
  'call',
  (m, rel) => {
    if (m.variant.code64 !== true) m.checkTarget(m.relativeTarget(rel));
    m.push(m.variant.size, returnAddress(m));
    m.jumpRelative(rel);
  },
  { hot: true },
);
enc('e8', 'call', 'Jz', { f64: true, by64: true, osz: true, end: true });

def(
  'call_indirect',
  (m, op) => {
    const t = target(m, m.read(op));
    m.checkTarget(t);
    m.push(m.variant.size, returnAddress(m));
    m.jump(t);
  },
  { hot: true },
);
enc('ff /2', 'call_indirect', 'Ev', { f64: true, by64: true, end: true });

def(
  'ret',
  (m, imm) => {
    const { size } = m.variant;
    const t = target(m, m.peek(size));
    m.checkTarget(t);
    const extra = imm === undefined ? m.i64(0) : m.extU(m.read(imm) as Val<'i32'>);
    m.setSp(m.add(m.sp(), m.add(extra, size / 8)));
    m.jump(t);
  },
  { hot: true },
);
enc('c3', 'ret', '', { f64: true, by64: true, osz: true, end: true });
enc('c2', 'ret', 'Iw', { f64: true, by64: true, osz: true, end: true });

/** rCX at the address size, and its decrement. */
function counter(m: Machine, by: number): Val<'i64'> {
  const bits = m.variant.addressSize as 16 | 32 | 64;
  const c = m.gpr(Reg.CX, bits);
  const wide = bits === 64 ? (c as Val<'i64'>) : m.extU(c as Val<'i32'>);
  const r = m.sub(wide, by);
  return m.let(bits === 64 ? r : m.and(r, bits === 32 ? 0xffff_ffff : 0xffff));
}

function setCounter(m: Machine, v: Val<'i64'>): void {
  const bits = m.variant.addressSize as 16 | 32 | 64;
  m.setGpr(Reg.CX, bits, bits === 64 ? v : m.wrap(v));
}

/** LOOP and its conditional forms: count down, then jump while not zero (and ZF as wanted). */
function loop(name: string, zf: boolean | undefined): void {
  def(name, (m, rel) => {
    const c = counter(m, 1);
    const taken = m.let(zf === undefined ? m.ne(c, 0) : m.and(m.ne(c, 0), m.cond(zf ? 4 : 5)));
    m.if(taken, () => m.checkTarget(m.relativeTarget(rel)));
    setCounter(m, c);
    m.jumpRelativeIf(rel, taken);
  });
}
loop('loopne', false);
loop('loope', true);
loop('loop', undefined);
enc('e0', 'loopne', 'Jb', { f64: true, asz: true, osz: true });
enc('e1', 'loope', 'Jb', { f64: true, asz: true, osz: true });
enc('e2', 'loop', 'Jb', { f64: true, asz: true, osz: true });
def('jcxz', (m, rel) => {
  const taken = m.let(m.eqz(counter(m, 0)));
  m.if(taken, () => m.checkTarget(m.relativeTarget(rel)));
  m.jumpRelativeIf(rel, taken);
});
enc('e3', 'jcxz', 'Jb', { f64: true, asz: true, osz: true });
