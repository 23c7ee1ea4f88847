import type { Val } from '@sterna/wasm';
import { enc } from '../decode/enc.ts';
import { def } from './def.ts';
import type { Int, Machine } from './machine.ts';
import type { Operand } from './operand.ts';
import { Reg, Vec } from './vectors.ts';
import { divide128, multiplyHigh } from './wide.ts';

type Compute = (m: Machine, a: Int, b: Int) => Int;

const hex = (n: number): string => n.toString(16).padStart(2, '0');

/** Rows of one of the eight classic two-operand operations. */
function aluRows(n: number, name: string): void {
  const lock = name !== 'cmp';
  enc(`${hex(n * 8)}-${hex(n * 8 + 1)} /r`, name, 'Eb,Gb Ev,Gv', { lock });
  enc(`${hex(n * 8 + 2)}-${hex(n * 8 + 3)} /r`, name, 'Gb,Eb Gv,Ev');
  enc(hex(n * 8 + 4), name, 'AL,Ib');
  enc(hex(n * 8 + 5), name, 'rAX,Iz');
  enc(`80 /${n}`, name, 'Eb,Ib', { lock });
  enc(`81 /${n}`, name, 'Ev,Iz', { lock });
  enc(`82 /${n}`, name, 'Eb,Ib', { mode: 'no64' });
  enc(`83 /${n}`, name, 'Ev,Is', { lock });
}

/** An operation that writes its destination and records its flags. */
function alu(n: number, name: string, kind: 'add' | 'sub' | 'logic', f: Compute): void {
  def(
    name,
    (m, dst, src) => {
      const s = m.read(src);
      const d = m.rmw(dst);
      const r = m.let(f(m, d.value, s));
      d.store(r);
      m.setFlags(kind, dst.bits, d.value, s, r);
    },
    { hot: true, hotSegment: kind !== 'logic' },
  );
  aluRows(n, name);
}

/** Addition and subtraction with the carry flag. */
function aluCarry(n: number, name: string, kind: 'adc' | 'sbb'): void {
  def(
    name,
    (m, dst, src) => {
      const s = m.read(src);
      const d = m.rmw(dst);
      const c = m.let(m.cf());
      const wide = (dst.bits === 64 ? m.extU(c) : c) as Int;
      const r = m.let(kind === 'adc' ? m.add(m.add(d.value, s), wide) : m.sub(m.sub(d.value, s), wide));
      d.store(r);
      m.setFlags(kind, dst.bits, d.value, s, r, c);
    },
    { hot: 'registers' },
  );
  aluRows(n, name);
}

alu(0, 'add', 'add', (m, a, b) => m.add(a, b));
alu(1, 'or', 'logic', (m, a, b) => m.or(a, b));
aluCarry(2, 'adc', 'adc');
aluCarry(3, 'sbb', 'sbb');
alu(4, 'and', 'logic', (m, a, b) => m.and(a, b));
alu(5, 'sub', 'sub', (m, a, b) => m.sub(a, b));
alu(6, 'xor', 'logic', (m, a, b) => m.xor(a, b));

def(
  'cmp',
  (m, dst, src) => {
    const s = m.read(src);
    const d = m.read(dst);
    m.setFlags('sub', dst.bits, d, s, m.let(m.sub(d, s)));
  },
  { hot: true, hotSegment: true },
);
aluRows(7, 'cmp');

def(
  'test',
  (m, dst, src) => {
    const r = m.let(m.and(m.read(dst), m.read(src)));
    m.setFlags('logic', dst.bits, r, r, r);
  },
  { hot: true },
);
enc('84-85 /r', 'test', 'Eb,Gb Ev,Gv');
enc('a8', 'test', 'AL,Ib');
enc('a9', 'test', 'rAX,Iz');
for (const g of [0, 1]) {
  enc(`f6 /${g}`, 'test', 'Eb,Ib');
  enc(`f7 /${g}`, 'test', 'Ev,Iz');
}

function step(name: 'inc' | 'dec'): void {
  def(
    name,
    (m, dst) => {
      const d = m.rmw(dst);
      const one: Int = dst.bits === 64 ? m.i64(1) : m.i32(1);
      const r = m.let(name === 'inc' ? m.add(d.value, one) : m.sub(d.value, one));
      d.store(r);
      m.setFlags(name, dst.bits, d.value, one, r);
    },
    { hot: true, hotSegment: true },
  );
}
step('inc');
step('dec');
enc('40-47', 'inc', 'Zv', { mode: 'no64' });
enc('48-4f', 'dec', 'Zv', { mode: 'no64' });
enc('fe /0', 'inc', 'Eb', { lock: true });
enc('fe /1', 'dec', 'Eb', { lock: true });
enc('ff /0', 'inc', 'Ev', { lock: true });
enc('ff /1', 'dec', 'Ev', { lock: true });

def(
  'not',
  (m, dst) => {
    const d = m.rmw(dst);
    d.store(m.not(d.value));
  },
  { hot: 'registers' },
);
def(
  'neg',
  (m, dst) => {
    const d = m.rmw(dst);
    const zero: Int = dst.bits === 64 ? m.i64(0) : m.i32(0);
    const r = m.let(m.sub(zero, d.value));
    d.store(r);
    m.setFlags('sub', dst.bits, zero, d.value, r);
  },
  { hot: 'registers' },
);
enc('f6 /2', 'not', 'Eb', { lock: true });
enc('f7 /2', 'not', 'Ev', { lock: true });
enc('f6 /3', 'neg', 'Eb', { lock: true });
enc('f7 /3', 'neg', 'Ev', { lock: true });

/** CF and OF both set or clear, the other flags from the low result (they are undefined). */
function overflowFlags(m: Machine, bits: Operand['bits'], low: Int, overflow: Val<'i32'>): void {
  m.setFlagsResult(bits, low, m.select(overflow, m.i32(0x801), 0));
}

/** Sign- or zero-extends a value of up to 32 bits to i64. */
function widen(m: Machine, v: Int, bits: number, signed: boolean): Val<'i64'> {
  if (bits === 64) return v as Val<'i64'>;
  if (!signed) return m.extU(v as Val<'i32'>);
  return m.extS((bits === 8 ? m.ext8(v) : bits === 16 ? m.ext16(v) : v) as Val<'i32'>);
}

/** One-operand multiplication: rDX:rAX (AX for bytes) = rAX * operand. */
function multiply(name: 'mul' | 'imul', signed: boolean): void {
  def(name, (m, src) => {
    const { bits } = src as { bits: 8 | 16 | 32 | 64 };
    const b = m.read(src);
    const a = m.gpr(Reg.AX, bits);
    if (bits === 64) {
      const low = m.let(m.mul(a as Val<'i64'>, b as Val<'i64'>));
      const high = m.let(m.invoke<'i64'>(multiplyHigh, a, b));
      if (signed) {
        const zero = m.i64(0);
        m.set(high, m.sub(high, m.select(m.ltS(a, 0), b as Val<'i64'>, zero)));
        m.set(high, m.sub(high, m.select(m.ltS(b, 0), a as Val<'i64'>, zero)));
      }
      m.setGpr(Reg.AX, 64, low);
      m.setGpr(Reg.DX, 64, high);
      overflowFlags(m, 64, low, m.ne(high, signed ? m.shrS(low, 63) : m.i64(0)));
      return;
    }
    const product = m.let(m.mul(widen(m, a, bits, signed), widen(m, b, bits, signed)));
    const low = m.let(m.wrap(product));
    const high = m.wrap(m.shrU(product, bits));
    if (bits === 8) m.setGpr(Reg.AX, 16, low);
    else {
      m.setGpr(Reg.AX, bits, low);
      m.setGpr(Reg.DX, bits, high);
    }
    const fits = widen(m, bits === 8 ? m.and(low, 0xff) : bits === 16 ? m.and(low, 0xffff) : low, bits, signed);
    overflowFlags(m, bits, low, m.ne(product, fits));
  });
}
multiply('mul', false);
multiply('imul', true);
enc('f6 /4', 'mul', 'Eb');
enc('f7 /4', 'mul', 'Ev');
enc('f6 /5', 'imul', 'Eb');
enc('f7 /5', 'imul', 'Ev');

/** Truncating signed multiplication of two operands to a third. */
function multiplyTo(m: Machine, dst: Operand, a: Int, b: Int): void {
  const low = m.let(m.mul(a, b));
  m.write(dst, low);
  m.setFlags('mul', dst.bits, a, b, low);
}
def('imul2', (m, dst, src) => multiplyTo(m, dst, m.read(src), m.read(dst)), { hot: true });
enc('0f af /r', 'imul2', 'Gv,Ev');
def('imul3', (m, dst, src, imm) => multiplyTo(m, dst, m.read(src), m.read(imm)), { hot: true });
enc('69 /r', 'imul3', 'Gv,Ev,Iz');
enc('6b /r', 'imul3', 'Gv,Ev,Is');

/** Unsigned division of rDX:rAX (AX for bytes). Flags are undefined and left alone. */
def('div', (m, src) => {
  const { bits } = src as { bits: 8 | 16 | 32 | 64 };
  const d = m.read(src);
  m.raiseIf(m.eqz(d), Vec.DE);
  if (bits === 64) {
    const high = m.gpr(Reg.DX, 64);
    const low = m.gpr(Reg.AX, 64);
    m.raiseIf(m.geU(high, d), Vec.DE);
    m.setGpr(Reg.AX, 64, m.let(m.invoke<'i64'>(divide128, high, low, d)));
    m.setGpr(Reg.DX, 64, m.get('temp'));
    return;
  }
  const n = dividend(m, bits);
  const wide = m.let(m.extU(d as Val<'i32'>));
  const q = m.let(m.divU(n, wide));
  m.raiseIf(m.ne(m.shrU(q, bits), 0), Vec.DE);
  putQuotient(m, bits, q, m.let(m.remU(n, wide)));
});

/** Signed division. */
def('idiv', (m, src) => {
  const { bits } = src as { bits: 8 | 16 | 32 | 64 };
  const d = m.read(src);
  m.raiseIf(m.eqz(d), Vec.DE);
  if (bits === 64) {
    divideSigned128(m, d as Val<'i64'>);
    return;
  }
  const n = dividend(m, bits);
  if (bits !== 32) m.set(n, m.extS(bits === 8 ? m.ext16(m.wrap(n)) : m.wrap(n)));
  const wide = m.let(widen(m, d, bits, true));
  // the one case that traps in wasm
  m.raiseIf(m.and(m.eq(wide, -1), m.eq(n, -(1n << 63n))), Vec.DE);
  const q = m.let(m.divS(n, wide));
  m.raiseIf(m.ne(q, m.shrS(m.shl(q, 64 - bits), 64 - bits)), Vec.DE);
  putQuotient(m, bits, q, m.let(m.remS(n, wide)));
});
enc('f6 /6', 'div', 'Eb');
enc('f7 /6', 'div', 'Ev');
enc('f6 /7', 'idiv', 'Eb');
enc('f7 /7', 'idiv', 'Ev');

function dividend(m: Machine, bits: 8 | 16 | 32): Val<'i64'> {
  if (bits === 8) return m.let(m.extU(m.gpr(Reg.AX, 16) as Val<'i32'>));
  const high = m.extU(m.gpr(Reg.DX, bits) as Val<'i32'>);
  return m.let(m.or(m.shl(high, bits), m.extU(m.gpr(Reg.AX, bits) as Val<'i32'>)));
}

function putQuotient(m: Machine, bits: 8 | 16 | 32, q: Val<'i64'>, r: Val<'i64'>): void {
  if (bits === 8) {
    m.setGpr(Reg.AX, 16, m.or(m.and(m.wrap(q), 0xff), m.shl(m.wrap(r), 8)));
    return;
  }
  m.setGpr(Reg.AX, bits, m.wrap(q));
  m.setGpr(Reg.DX, bits, m.wrap(r));
}

function divideSigned128(m: Machine, d: Val<'i64'>): void {
  // variables of their own, as what a register is read as must not be assigned
  const high = m.local('i64');
  const low = m.local('i64');
  m.set(high, m.gpr(Reg.DX, 64));
  m.set(low, m.gpr(Reg.AX, 64));
  const negative = m.let(m.ltS(high, 0));
  const negativeDivisor = m.let(m.ltS(d, 0));
  m.if(negative, () => {
    m.set(high, m.sub(m.not(high), m.i64(-1)));
    m.set(high, m.sub(high, m.extU(m.ne(low, 0))));
    m.set(low, m.sub(m.i64(0), low));
  });
  const divisor = m.let(m.select(negativeDivisor, m.sub(m.i64(0), d), d));
  m.raiseIf(m.geU(high, divisor), Vec.DE);
  const q = m.let(m.invoke<'i64'>(divide128, high, low, divisor));
  const opposite = m.let(m.xor(negative, negativeDivisor));
  // magnitude up to 2^63 when negative, 2^63 - 1 when positive
  m.raiseIf(m.gtU(q, m.select(opposite, m.i64(-(1n << 63n)), m.i64((1n << 63n) - 1n))), Vec.DE);
  const r = m.let(m.get('temp'));
  m.setGpr(Reg.AX, 64, m.select(opposite, m.sub(m.i64(0), q), q));
  m.setGpr(Reg.DX, 64, m.select(negative, m.sub(m.i64(0), r), r));
}
