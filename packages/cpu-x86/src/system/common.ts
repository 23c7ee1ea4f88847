import type { Val } from '@sterna/wasm';
import type { Machine } from '../semantics/machine.ts';
import { Flag, Seg } from '../semantics/vectors.ts';
import { CR0, EFER } from './bits.ts';

/** Options of accesses made by the processor itself: supervisor rights whatever the CPL. */
export const SYSTEM = { system: true } as const;

/** CR0.PE: 1 in protected mode (VM86 included). */
export function protectedMode(m: Machine): Val<'i32'> {
  return m.and(m.wrap(m.get('cr0')), CR0.PE);
}

/** EFER.LMA: not 0 in long mode, compatibility mode included. */
export function longModeActive(m: Machine): Val<'i32'> {
  return m.and(m.wrap(m.get('efer')), EFER.LMA);
}

/** EFLAGS.VM: not 0 in VM86 mode. */
export function vm86(m: Machine): Val<'i32'> {
  return m.and(m.get('eflags'), Flag.VM);
}

/** 1 when segments are loaded by shifting the selector: real mode and VM86. */
export function realStyle(m: Machine): Val<'i32'> {
  return m.or(m.eqz(protectedMode(m)), m.ne(vm86(m), 0));
}

/** IOPL as 0-3. */
export function iopl(m: Machine): Val<'i32'> {
  return m.and(m.shrU(m.get('eflags'), 12), 3);
}

/** All of EFLAGS, arithmetic flags included. */
export function fullFlags(m: Machine): Val<'i32'> {
  return m.or(m.get('eflags'), m.arithFlags());
}

/**
 * Replaces the bits of EFLAGS chosen by `mask` (EFLAGS positions; the arithmetic flags must be in it or not as a whole at
 * build time, see `arith`). The caller follows with updateMode when VM may change.
 */
export function setFlagsMasked(m: Machine, value: Val<'i32'>, mask: Val<'i32'> | number): void {
  const v = m.let(value);
  const keep = m.arg('i32', mask);
  const rest = m.let(m.and(keep, ~Flag.ARITH));
  m.put('eflags', m.or(m.or(m.and(m.get('eflags'), m.not(rest)), m.and(v, rest)), 2));
  m.setArithFlags(m.and(v, Flag.ARITH));
}

/** Not 0 when a linear address is in canonical form (48 bits). */
export function isCanonical(m: Machine, address: Val<'i64'>): Val<'i32'> {
  return m.eq(m.shrS(m.shl(address, 16), 16), address);
}

/** An address computed from a table base: 32 bits outside long mode. */
export function tableAddress(m: Machine, address: Val<'i64'>): Val<'i64'> {
  const a = m.let(address);
  return m.let(m.select(longModeActive(m), a, m.and(a, 0xffff_ffff)));
}

/** Selector without RPL, as error codes have it. */
export function selectorError(m: Machine, selector: Val<'i32'>): Val<'i32'> {
  return m.and(selector, 0xfffc);
}

/** Not 0 when a selector is null (index 0 of the GDT, any RPL). */
export function isNull(m: Machine, selector: Val<'i32'>): Val<'i32'> {
  return m.eqz(m.and(selector, 0xfffc));
}

/** Second dword of a descriptor. */
export function descHigh(m: Machine, desc: Val<'i64'>): Val<'i32'> {
  return m.wrap(m.shrU(desc, 32));
}

/** 32-bit base of a descriptor. */
export function descBase(m: Machine, desc: Val<'i64'>): Val<'i64'> {
  return m.or(m.and(m.shrU(desc, 16), 0xff_ffff), m.and(m.shrU(desc, 32), 0xff00_0000));
}

/** Limit of a descriptor in bytes. */
export function descLimit(m: Machine, desc: Val<'i64'>): Val<'i32'> {
  const raw = m.let(m.or(m.and(m.wrap(desc), 0xffff), m.and(m.wrap(m.shrU(desc, 32)), 0xf_0000)));
  return m.select(m.and(m.wrap(m.shrU(desc, 55)), 1), m.or(m.shl(raw, 12), 0xfff), raw);
}

/** Attributes of a descriptor as the segment cells hold them. */
export function descFlags(m: Machine, desc: Val<'i64'>): Val<'i32'> {
  return m.and(m.wrap(m.shrU(desc, 32)), 0x00ff_ff00);
}

/** DPL in attribute bits. */
export function dplOf(m: Machine, flags: Val<'i32'>): Val<'i32'> {
  return m.and(m.shrU(flags, 13), 3);
}

/** Writes the four cells of a segment register. `updateMode` must follow. */
export function setSegment(
  m: Machine,
  seg: number | Val<'i32'>,
  selector: Val<'i32'> | number,
  base: Val<'i64'> | number,
  limit: Val<'i32'> | number,
  flags: Val<'i32'> | number,
): void {
  m.put('segSel', selector, seg);
  m.put('segBase', base, seg);
  m.put('segLimit', limit, seg);
  m.put('segFlags', flags, seg);
}

/** Loads a segment register from a descriptor that has been checked. `updateMode` must follow. */
export function setSegmentFrom(m: Machine, seg: number | Val<'i32'>, selector: Val<'i32'>, desc: Val<'i64'>): void {
  setSegment(m, seg, selector, descBase(m, desc), descLimit(m, desc), descFlags(m, desc));
}

/** Loads a segment register as real mode and VM86 do: limit and attributes stay as they are. */
export function setSegmentReal(m: Machine, seg: number | Val<'i32'>, selector: Val<'i32'>): void {
  m.put('segSel', selector, seg);
  m.put('segBase', m.shl(m.extU(selector), 4), seg);
}

/** Base of the stack segment as addresses use it. */
export function stackBase(m: Machine): Val<'i64'> {
  return m.get('segEff', Seg.SS);
}

/** Mask of the stack pointer for a stack segment with these attributes; 64 bits when `wide`. */
export function stackMaskOf(m: Machine, flags: Val<'i32'>): Val<'i64'> {
  return m.select(m.and(flags, 0x40_0000), m.i64(0xffff_ffff), m.i64(0xffff));
}
