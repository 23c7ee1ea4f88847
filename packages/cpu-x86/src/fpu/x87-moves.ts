import type { Val } from '@sterna/wasm';
import type { Machine } from '../semantics/machine.ts';
import { reg, Sw } from './x87-stack.ts';
import { exchange, pushReg, storeReg } from './x87-transfer.ts';

/*
 * Moves between registers in place: they are as frequent as arithmetic and shorter than a call. Stack faults go to the
 * microcode. Nothing but C1 changes in the status word.
 */

type I = Val<'i32'>;

interface Place {
  readonly top: I;
  readonly other: I;
  readonly tags: I;
}
/** TOP, the physical register of ST(i), and the tags. */
function places(m: Machine, i: I): Place {
  const top = m.let(m.get('fpuTop'));
  return { top, other: m.let(m.and(m.add(top, i), 7)), tags: m.let(m.get('fpuTags')) };
}
const inUse = (m: Machine, tags: I, p: I): I => m.and(m.shrU(tags, p), 1);
const clearC1 = (m: Machine): void => m.put('fpuSw', m.and(m.get('fpuSw'), ~Sw.C1));
function copy(m: Machine, from: I, to: I): void {
  const v = reg(m, from);
  m.put('fpMant', v.mant, to);
  m.put('fpExp', v.se, to);
}

/** Statement: FXCH ST(i). */
export function fxch(m: Machine, i: I): void {
  const { top, other, tags } = places(m, i);
  m.if(
    m.and(inUse(m, tags, top), inUse(m, tags, other)),
    () => {
      const b = reg(m, other);
      copy(m, top, other);
      m.put('fpMant', b.mant, top);
      m.put('fpExp', b.se, top);
      clearC1(m);
    },
    () => m.do(m.functionOf(exchange), i),
    true,
  );
}

/** Statement: FLD ST(i). */
export function fldRegister(m: Machine, i: I): void {
  const { top, other, tags } = places(m, i);
  const fresh = m.let(m.and(m.add(top, 7), 7));
  m.if(
    m.and(inUse(m, tags, other), m.eqz(inUse(m, tags, fresh))),
    () => {
      copy(m, other, fresh);
      m.put('fpuTags', m.or(tags, m.shl(m.i32(1), fresh)));
      m.put('fpuTop', fresh);
      clearC1(m);
    },
    () => m.do(m.functionOf(pushReg), i),
    true,
  );
}

/** Statement: FST ST(i), or FSTP ST(i) with `pops` 1. */
export function fstRegister(m: Machine, i: I, pops: 0 | 1): void {
  const { top, other, tags } = places(m, i);
  m.if(
    inUse(m, tags, top),
    () => {
      copy(m, top, other);
      const marked = m.or(tags, m.shl(m.i32(1), other));
      m.put('fpuTags', pops ? m.and(marked, m.not(m.shl(m.i32(1), top))) : marked);
      if (pops) m.put('fpuTop', m.and(m.add(top, 1), 7));
      clearC1(m);
    },
    () => m.do(m.functionOf(storeReg), i, m.i32(pops)),
    true,
  );
}
