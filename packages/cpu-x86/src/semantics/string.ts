import type { Val } from '@sterna/wasm';
import { enc } from '../decode/enc.ts';
import { def } from './def.ts';
import type { Int, Machine } from './machine.ts';
import { copyRun, copyRunBackward, fillRun, RUN_BYTES } from './string-run.ts';
import { compareRun, scanRun } from './string-search.ts';
import { Flag, Reg, Seg } from './vectors.ts';

type ElementBits = 8 | 16 | 32 | 64;

/** Elements a repeated instruction handles before it lets events in; keeps interrupt latency and slices short. */
const BURST = 256;
/** The same for comparisons, which go on many at once. */
const COMPARE_BURST = 32;
/** The same where the next ones may go together again: an element that crosses a page stands in the way of the others. */
const RUN_BURST = 8;

function addressBits(m: Machine): 16 | 32 | 64 {
  return m.variant.addressSize as 16 | 32 | 64;
}

/** rSI, rDI or rCX at the address size, zero-extended. Named. */
function pointer(m: Machine, reg: number): Val<'i64'> {
  const bits = addressBits(m);
  const v = m.gpr(reg, bits);
  return m.let(bits === 64 ? (v as Val<'i64'>) : m.extU(v as Val<'i32'>));
}

function setPointer(m: Machine, reg: number, v: Val<'i64'>): void {
  const bits = addressBits(m);
  m.setGpr(reg, bits, bits === 64 ? v : m.wrap(v));
}

/** Distance to the next element: the size, negative when DF is set. Named. */
function stride(m: Machine, bits: ElementBits): Val<'i64'> {
  return m.let(m.select(m.and(m.get('eflags'), Flag.DF), m.i64(-bits / 8), m.i64(bits / 8)));
}

const accumulatorSize = (bits: ElementBits): ElementBits => bits;

interface Body {
  /** Does one element: may fault before it changes anything. Advances its pointers. */
  readonly element: (m: Machine, bits: ElementBits, step: Val<'i64'>) => void;
  /**
   * Handles many elements at once and advances the pointers; leaves `m.get('temp', 6)` as the number done, 0 if it could not.
   * One that compares stops before the element that ends the repeat and leaves at least one.
   */
  readonly run?: (m: Machine, bits: ElementBits, count: Val<'i64'>, backward: boolean) => void;
  /** Compares: the repeat ends by ZF. */
  readonly compares?: boolean;
}

/** A string instruction with its repeat forms. Registers are current before every access, so a fault resumes where it was. */
function string(name: string, opcode: number, body: Body): void {
  const semantics = (m: Machine, bits: ElementBits): void => {
    const step = stride(m, bits);
    if (m.variant.rep === '') {
      body.element(m, bits, step);
      return;
    }
    const count = pointer(m, Reg.CX);
    m.if(m.ne(count, 0), () => {
      if (body.run !== undefined) {
        const left = m.local('i64');
        m.set(left, m.i64(RUN_BYTES / (bits / 8)));
        m.block((single) => {
          m.loop((again) => {
            const most = m.let(m.select(m.ltU(left, count), left, count));
            m.if(
              m.gtS(step, 0),
              () => body.run!(m, bits, most, false),
              () => body.run!(m, bits, most, true),
              true,
            );
            const done = m.let(m.get('temp', 6));
            m.brIf(single, m.eqz(done));
            m.set(count, m.sub(count, done));
            setPointer(m, Reg.CX, count);
            if (body.compares) m.br(single);
            else {
              m.if(m.eqz(count), () => m.done());
              m.set(left, m.sub(left, done));
              m.brIf(again, m.ne(left, 0));
              m.repeat();
            }
          });
        });
      }
      const left = m.local('i32');
      m.set(left, body.compares ? COMPARE_BURST : body.run === undefined ? BURST : RUN_BURST);
      m.block((done) => {
        m.loop((again) => {
          body.element(m, bits, step);
          m.set(count, m.sub(count, 1));
          setPointer(m, Reg.CX, count);
          m.brIf(done, m.eqz(count));
          if (body.compares) m.brIf(done, m.cond(m.variant.rep === 'repe' ? 5 : 4));
          m.set(left, m.sub(left, 1));
          m.brIf(again, left);
        });
        m.repeat();
      });
    });
  };
  def(`${name}b`, (m) => semantics(m, 8));
  def(`${name}v`, (m) => semantics(m, m.variant.size));
  const hex = (n: number): string => n.toString(16);
  enc(hex(opcode), `${name}b`, '', { rep: true, asz: true });
  enc(hex(opcode + 1), `${name}v`, '', { rep: true, asz: true, osz: true });
}

string('movs', 0xa4, {
  element: (m, bits, step) => {
    const si = pointer(m, Reg.SI);
    const di = pointer(m, Reg.DI);
    const v = m.loadLinear(m.sourceLinear(si, bits / 8), bits);
    m.storeLinear(m.segmentLinear(Seg.ES, di, bits / 8, true), bits, v);
    setPointer(m, Reg.SI, m.add(si, step));
    setPointer(m, Reg.DI, m.add(di, step));
  },
  run: (m, bits, count, backward) => {
    const si = pointer(m, Reg.SI);
    const di = pointer(m, Reg.DI);
    const from = m.sourceLinear(si, bits / 8);
    const to = m.segmentLinear(Seg.ES, di, bits / 8, true);
    const most = m.let(room(m, bits, count, backward, si, di));
    m.invoke(backward ? copyRunBackward : copyRun, from, to, most, m.i32(bits / 8));
    advance(m, bits, backward, [Reg.SI, si], [Reg.DI, di]);
  },
});

/** Moves pointers by the elements that a run has done. */
function advance(m: Machine, bits: ElementBits, backward: boolean, ...pointers: [reg: number, at: Val<'i64'>][]): void {
  const bytes = m.let(m.mul(m.get('temp', 6), bits / 8));
  m.if(m.ne(bytes, 0), () => {
    for (const [reg, at] of pointers) setPointer(m, reg, backward ? m.sub(at, bytes) : m.add(at, bytes));
  });
}

/**
 * Elements before the wrap of the address size; none outside 64-bit mode when the segments have limits, so that every element
 * is checked.
 */
function room(
  m: Machine,
  bits: ElementBits,
  count: Val<'i64'>,
  backward: boolean,
  ...offsets: Val<'i64'>[]
): Val<'i64'> {
  const most = m.let(count);
  const span = addressBits(m);
  if (span !== 64) {
    for (const o of offsets) {
      const bytes = backward ? m.add(o, bits / 8) : m.sub(m.i64(span === 32 ? 0x1_0000_0000 : 0x1_0000), o);
      const fits = m.let(m.shrU(bytes, Math.log2(bits / 8)));
      m.set(most, m.select(m.ltU(fits, most), fits, most));
    }
  }
  m.if(m.eqz(m.inLongMode()), () => {
    // limits: only segments that span everything can be run through
    const flat = m.and(m.eq(m.get('segLimit', Seg.ES), -1), m.eq(m.get('segLimit', Seg.DS), -1));
    m.if(m.eqz(flat), () => m.set(most, 0));
  });
  return most;
}

string('stos', 0xaa, {
  element: (m, bits, step) => {
    const di = pointer(m, Reg.DI);
    m.storeLinear(m.segmentLinear(Seg.ES, di, bits / 8, true), bits, m.gpr(Reg.AX, accumulatorSize(bits)));
    setPointer(m, Reg.DI, m.add(di, step));
  },
  run: (m, bits, count, backward) => {
    if (backward) {
      m.put('temp', 0, 6);
      return;
    }
    const di = pointer(m, Reg.DI);
    const to = m.segmentLinear(Seg.ES, di, bits / 8, true);
    const most = m.let(room(m, bits, count, false, di));
    m.invoke(fillRun, to, m.get('regs', Reg.AX), most, m.i32(bits / 8));
    advance(m, bits, false, [Reg.DI, di]);
  },
});

string('lods', 0xac, {
  element: (m, bits, step) => {
    const si = pointer(m, Reg.SI);
    const v = m.loadLinear(m.sourceLinear(si, bits / 8), bits) as Int;
    m.setGpr(Reg.AX, bits, v);
    setPointer(m, Reg.SI, m.add(si, step));
  },
});

string('cmps', 0xa6, {
  compares: true,
  run: (m, bits, count, backward) => {
    m.put('temp', 0, 6);
    if (backward) return;
    const si = pointer(m, Reg.SI);
    const di = pointer(m, Reg.DI);
    const from = m.sourceLinear(si, bits / 8);
    const to = m.segmentLinear(Seg.ES, di, bits / 8);
    const most = m.let(room(m, bits, m.sub(count, 1), false, si, di));
    m.invoke(compareRun, from, to, most, m.i32(bits / 8), m.i32(m.variant.rep === 'repe' ? 1 : 0));
    advance(m, bits, false, [Reg.SI, si], [Reg.DI, di]);
  },
  element: (m, bits, step) => {
    const si = pointer(m, Reg.SI);
    const di = pointer(m, Reg.DI);
    const a = m.loadLinear(m.sourceLinear(si, bits / 8), bits) as Int;
    const b = m.loadLinear(m.segmentLinear(Seg.ES, di, bits / 8), bits) as Int;
    m.setFlags('sub', bits, a, b, m.let(m.sub(a, b)));
    setPointer(m, Reg.SI, m.add(si, step));
    setPointer(m, Reg.DI, m.add(di, step));
  },
});

string('scas', 0xae, {
  compares: true,
  run: (m, bits, count, backward) => {
    m.put('temp', 0, 6);
    if (backward) return;
    const di = pointer(m, Reg.DI);
    const to = m.segmentLinear(Seg.ES, di, bits / 8);
    const most = m.let(room(m, bits, m.sub(count, 1), false, di));
    m.invoke(scanRun(bits), to, m.get('regs', Reg.AX), most, m.i32(m.variant.rep === 'repe' ? 1 : 0));
    advance(m, bits, false, [Reg.DI, di]);
  },
  element: (m, bits, step) => {
    const di = pointer(m, Reg.DI);
    const a = m.gpr(Reg.AX, bits);
    const b = m.loadLinear(m.segmentLinear(Seg.ES, di, bits / 8), bits) as Int;
    m.setFlags('sub', bits, a, b, m.let(m.sub(a, b)));
    setPointer(m, Reg.DI, m.add(di, step));
  },
});
