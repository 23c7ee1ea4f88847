import type { Val } from '@sterna/wasm';
import type { Machine } from '../semantics/machine.ts';
import { type Micro, micro } from '../semantics/micro.ts';
import { Class, class80 } from './ext-class.ts';
import { reg, Sw, updatePending } from './x87-stack.ts';

type I = Val<'i32'>;

/** FNINIT: control word 37F, everything else clear; register contents stay. */
export const initFpu: Micro = micro('x87_init', [], [], (m) => {
  m.put('fpuCw', 0x37f);
  for (const cell of ['fpuSw', 'fpuTop', 'fpuTags', 'fpuFop', 'fpuFcs', 'fpuFds'] as const) m.put(cell, 0);
  m.put('fpuFip', m.i64(0));
  m.put('fpuFdp', m.i64(0));
});

/** FNCLEX: clears the exception flags, SF, ES and B. */
export const clearExceptions: Micro = micro('x87_clear', [], [], (m) => {
  m.put('fpuSw', m.and(m.get('fpuSw'), Sw.CC));
});

/** `() -> word`: the status word with TOP. */
export const statusWord: Micro = micro('x87_status', [], ['i32'], (m) => {
  m.return(m.or(m.get('fpuSw'), m.shl(m.get('fpuTop'), 11)));
});

/** Statement: loads the control word; bit 6 reads as 1, the other reserved bits as 0. */
export function loadControl(m: Machine, value: I): void {
  m.put('fpuCw', m.or(m.and(value, 0x1f3f), 0x40));
  updatePending(m);
}

/** Statement: loads the status word, TOP included. */
export function loadStatus(m: Machine, value: I): void {
  m.put('fpuSw', m.and(value, 0x477f));
  m.put('fpuTop', m.and(m.shrU(value, 11), 7));
  updatePending(m);
}

/** `() -> tags`: the full tag word: 0 valid, 1 zero, 2 special, 3 empty, by physical register. */
export const fullTags: Micro = micro('x87_tags', [], ['i32'], (m) => {
  const out = m.local('i32');
  const p = m.local('i32');
  m.set(p, m.i32(7));
  m.loop((again) => {
    const tag = m.local('i32');
    m.set(tag, m.i32(3));
    m.if(m.and(m.shrU(m.get('fpuTags'), p), 1), () => {
      const v = reg(m, p);
      const cls = m.let(m.invoke<'i32'>(class80, v.mant, v.se));
      m.set(tag, m.select(m.eq(cls, Class.NORMAL), m.i32(0), m.select(m.eqz(cls), m.i32(1), 2)));
    });
    m.set(out, m.or(m.shl(out, 2), tag));
    m.set(p, m.sub(p, 1));
    m.brIf(again, m.geS(p, 0));
  });
  m.return(out);
});

/** `(tags)`: loads a full tag word: only 3 means empty. */
export const loadTags: Micro = micro('x87_load_tags', ['i32'], [], (m) => {
  const tags = m.param('i32', 0);
  // both bits set, gathered to the even positions, then squeezed together
  const empty = m.local('i32');
  m.set(empty, m.and(m.and(tags, m.shrU(tags, 1)), 0x5555));
  for (const [n, mask] of [
    [1, 0x3333],
    [2, 0x0f0f],
    [4, 0x00ff],
  ] as const) {
    m.set(empty, m.and(m.or(empty, m.shrU(empty, n)), mask));
  }
  m.put('fpuTags', m.xor(empty, 0xff));
});
