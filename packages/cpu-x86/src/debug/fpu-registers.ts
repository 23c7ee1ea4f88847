import type { DebugRegister } from '@sterna/core';
import type { CellName } from '../state/layout.ts';
import type { StateView } from '../state/view.ts';

const TOP_SHIFT = 11n;
const TOP_MASK = 7n;
/** Summary and busy bits of the status word: set while an exception is pending. */
const PENDING = 0x8080n;
const EXCEPTIONS = 0x3fn;
const EXPONENT = 0x7fff;
const INTEGER_BIT = 1n << 63n;
/** Tags of the full tag word. */
const Tag = { VALID: 0, ZERO: 1, SPECIAL: 2, EMPTY: 3 } as const;

/** x87 registers in gdb's order: the stack, then control registers, 32 bits each. */
export function fpuRegisters(state: StateView): readonly DebugRegister[] {
  const physical = (i: number): number => (state.get('fpuTop') + i) & 7;
  const control = (name: string, read: () => bigint, write: (value: bigint) => void): DebugRegister => ({
    name,
    bits: 32,
    type: 'int',
    group: 'float',
    read,
    write,
  });
  const cell = (name: string, of: CellName, mask: bigint): DebugRegister =>
    control(
      name,
      () => state.getBig(of) & mask,
      (value) => state.setBig(of, value & mask),
    );
  return [
    ...Array.from(
      { length: 8 },
      (_, i): DebugRegister => ({
        name: `st${i}`,
        bits: 80,
        type: 'i387_ext',
        group: 'float',
        read: () => (state.getBig('fpExp', physical(i)) << 64n) | state.getBig('fpMant', physical(i)),
        write: (value) => {
          state.setBig('fpMant', value, physical(i));
          state.setBig('fpExp', (value >> 64n) & 0xffffn, physical(i));
        },
      }),
    ),
    control(
      'fctrl',
      () => state.getBig('fpuCw'),
      (value) => {
        state.setBig('fpuCw', value & 0xffffn);
        updatePending(state);
      },
    ),
    control(
      'fstat',
      () => state.getBig('fpuSw') | (state.getBig('fpuTop') << TOP_SHIFT),
      (value) => {
        state.setBig('fpuTop', (value >> TOP_SHIFT) & TOP_MASK);
        state.setBig('fpuSw', value & 0xffffn & ~(TOP_MASK << TOP_SHIFT));
        updatePending(state);
      },
    ),
    control(
      'ftag',
      () => tagWord(state),
      (value) => {
        let valid = 0;
        for (let i = 0; i < 8; i++) if (((value >> BigInt(2 * i)) & 3n) !== BigInt(Tag.EMPTY)) valid |= 1 << i;
        state.set('fpuTags', valid);
      },
    ),
    cell('fiseg', 'fpuFcs', 0xffffn),
    cell('fioff', 'fpuFip', 0xffff_ffffn),
    cell('foseg', 'fpuFds', 0xffffn),
    cell('fooff', 'fpuFdp', 0xffff_ffffn),
    cell('fop', 'fpuFop', 0x7ffn),
  ];
}

/** The summary bits after the control or status word was written. */
function updatePending(state: StateView): void {
  const sw = state.getBig('fpuSw') & ~PENDING;
  const open = sw & ~state.getBig('fpuCw') & EXCEPTIONS;
  state.setBig('fpuSw', open === 0n ? sw : sw | PENDING);
}

/** The tag word with two bits for each physical register. */
function tagWord(state: StateView): bigint {
  let word = 0n;
  for (let i = 0; i < 8; i++) word |= BigInt(tagOf(state, i)) << BigInt(2 * i);
  return word;
}

function tagOf(state: StateView, physical: number): number {
  if (((state.get('fpuTags') >>> physical) & 1) === 0) return Tag.EMPTY;
  const exponent = state.get('fpExp', physical) & EXPONENT;
  const mantissa = state.getBig('fpMant', physical);
  if (exponent === 0 && mantissa === 0n) return Tag.ZERO;
  return exponent === 0 || exponent === EXPONENT || (mantissa & INTEGER_BIT) === 0n ? Tag.SPECIAL : Tag.VALID;
}
