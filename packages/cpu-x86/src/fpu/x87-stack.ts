import type { Val } from '@sterna/wasm';
import type { Machine } from '../semantics/machine.ts';
import { type Micro, micro } from '../semantics/micro.ts';
import { INDEFINITE } from './ext-class.ts';
import { FpFlag, raise } from './round.ts';
import type { F80 } from './util.ts';

type I = Val<'i32'>;

/** Bits of the status word beyond the exception flags. */
export const Sw = { SF: 0x40, ES: 0x80, C0: 0x100, C1: 0x200, C2: 0x400, C3: 0x4000, B: 0x8000, CC: 0x4700 } as const;

/** Physical register of ST(i). */
export function phys(m: Machine, i: I | number): I {
  return m.and(m.add(m.get('fpuTop'), i), 7);
}

/** 1 when the physical register is in use. */
export function used(m: Machine, p: I): I {
  return m.and(m.shrU(m.get('fpuTags'), p), 1);
}

/** Contents of a physical register, read now. */
export function reg(m: Machine, p: I): F80 {
  return { mant: m.let(m.get('fpMant', p)), se: m.let(m.get('fpExp', p)) };
}

/** Statement: writes a physical register and marks it used. */
export function setReg(m: Machine, p: I, v: F80): void {
  m.put('fpMant', v.mant, p);
  m.put('fpExp', v.se, p);
  m.put('fpuTags', m.or(m.get('fpuTags'), m.shl(m.i32(1), p)));
}

/** The default NaN. */
export function indefinite(m: Machine): F80 {
  return { mant: m.i64(INDEFINITE.mant), se: m.i32(INDEFINITE.se) };
}

/** Statement: marks ST(0) free and raises TOP, `n` times (a literal or 0-2 computed). */
export const popStack: Micro = micro('x87_pop', ['i32'], [], (m) => {
  const n = m.param('i32', 0);
  m.loop((again) => {
    m.if(n, () => {
      const top = m.let(m.get('fpuTop'));
      m.put('fpuTags', m.and(m.get('fpuTags'), m.not(m.shl(m.i32(1), top))));
      m.put('fpuTop', m.and(m.add(top, 1), 7));
      m.set(n, m.sub(n, 1));
      m.br(again);
    });
  });
});

/** Statement: stack underflow, an invalid operation with SF set and C1 clear. */
export function underflow(m: Machine): void {
  raise(m, FpFlag.IE | Sw.SF);
}

/** Statement: stack overflow, an invalid operation with SF and C1 set. */
export function overflow(m: Machine): void {
  raise(m, FpFlag.IE | Sw.SF | Sw.C1);
}

/**
 * `(block) -> withheld`: moves the raised exceptions into the status word, sets ES and B for unmasked ones and C1 as raised.
 * The result is not 0 when the instruction must not store: an unmasked IE, DE or ZE (which also hides the exceptions of the
 * result), or one of those in `block` (OE and UE when the destination is in memory).
 */
export const settle: Micro = micro('x87_settle', ['i32'], ['i32'], (m) => {
  const exc = m.let(m.get('fpExc'));
  const sw = m.let(m.and(m.get('fpuSw'), ~Sw.C1));
  m.if(m.eqz(exc), () => {
    m.put('fpuSw', sw);
    m.return(m.i32(0));
  });
  m.put('fpExc', 0);
  const masks = m.let(m.and(m.get('fpuCw'), 0x3f));
  const open = m.let(m.and(exc, m.xor(masks, 0x3f)));
  const kept = m.let(
    m.select(m.and(open, 7), m.and(exc, FpFlag.IE | FpFlag.DE | FpFlag.ZE | Sw.SF | Sw.C1), m.and(exc, 0x27f)),
  );
  // what is withheld for its size was never rounded
  m.if(m.and(m.and(open, m.param('i32', 0)), FpFlag.OE | FpFlag.UE), () =>
    m.set(kept, m.and(kept, ~(FpFlag.PE | Sw.C1))),
  );
  const pending = m.select(m.and(open, 0x3f), m.i32(Sw.ES | Sw.B), 0);
  m.put('fpuSw', m.or(m.or(sw, kept), pending));
  m.return(m.and(open, m.or(m.param('i32', 0), 7)));
});

/** Calls {@link settle} for a register destination, or with OE and UE blocking for one in memory. */
export function settled(m: Machine, memory = false): I {
  return m.let(m.invoke<'i32'>(settle, m.i32(memory ? FpFlag.OE | FpFlag.UE : 0)));
}

/** Statement: replaces the condition codes C0, C2, C3 (and C1 when `mask` has it). */
export function setCodes(m: Machine, codes: I, mask: number = Sw.C0 | Sw.C2 | Sw.C3): void {
  m.put('fpuSw', m.or(m.and(m.get('fpuSw'), ~mask), codes));
}

/** Rounding control 0-3 of the control word. */
export function rounding(m: Machine): I {
  return m.and(m.shrU(m.get('fpuCw'), 10), 3);
}

/** The control word's masks and rounding in MXCSR's layout. */
export function controlAsMxcsr(m: Machine): I {
  const cw = m.let(m.get('fpuCw'));
  return m.or(m.shl(m.and(cw, 0x3f), 7), m.shl(m.and(cw, 0xc00), 3));
}

/** Statement: recomputes ES and B after the control word or the status word was loaded. */
export function updatePending(m: Machine): void {
  const sw = m.let(m.and(m.get('fpuSw'), ~(Sw.ES | Sw.B)));
  const open = m.and(m.and(sw, m.xor(m.get('fpuCw'), 0x3f)), 0x3f);
  m.put('fpuSw', m.or(sw, m.select(open, m.i32(Sw.ES | Sw.B), 0)));
}
