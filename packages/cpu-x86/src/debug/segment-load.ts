import { Flag, Seg } from '../semantics/vectors.ts';
import { CR0 } from '../system/bits.ts';
import type { DebuggedCpu } from './debugged-cpu.ts';

const TABLE_LDT = 4;
/** Bits 8-23 of a descriptor's second dword, which the flags cells hold. */
const FLAG_BITS = 0xff_ff00 & ~0xf_0000;
const GRANULARITY = 0x80_0000;
/** Present, writable, accessed data: a segment of real mode. */
const REAL_DATA = 0x9300;
const VM86_DPL = 0x6000;

/**
 * Loads a segment register for a debugger: the descriptor comes from the tables as an instruction would get it, but nothing
 * is checked and nothing is marked accessed. Answers false when there is no descriptor to read.
 */
export function loadSegmentForDebug(cpu: DebuggedCpu, segment: number, value: bigint): boolean {
  const { state } = cpu;
  const selector = Number(value & 0xffffn);
  const isProtected = (Number(state.getBig('cr0') & 0xffff_ffffn) & CR0.PE) !== 0;
  const isVm86 = (cpu.rflags & Flag.VM) !== 0;
  if (!isProtected || isVm86) {
    store(cpu, segment, selector, selector * 16, 0xffff, REAL_DATA | (isVm86 ? VM86_DPL : 0));
    return true;
  }
  if ((selector & ~3) === 0) {
    // a null selector is loaded with what SS of 64-bit mode needs: the CPL
    store(cpu, segment, selector, 0, 0, segment === Seg.SS ? (selector & 3) << 13 : 0);
    return true;
  }
  const local = (selector & TABLE_LDT) !== 0;
  const base = state.getBig(local ? 'ldtBase' : 'gdtBase');
  const limit = state.get(local ? 'ldtLimit' : 'gdtLimit');
  const at = selector & ~7;
  if (at + 7 > limit) return false;
  const descriptor = cpu.peek(base + BigInt(at));
  if (descriptor === undefined) return false;
  const low = Number(descriptor & 0xffff_ffffn);
  const high = Number(descriptor >> 32n);
  const raw = (low & 0xffff) | (high & 0xf_0000);
  const bytes = (high & GRANULARITY) !== 0 ? raw * 4096 + 0xfff : raw;
  const linear = (low >>> 16) + ((high & 0xff) << 16) + (high >>> 24) * 2 ** 24;
  store(cpu, segment, selector, linear, bytes, high & FLAG_BITS);
  return true;
}

function store(cpu: DebuggedCpu, segment: number, selector: number, base: number, limit: number, flags: number): void {
  const { state } = cpu;
  state.set('segSel', selector, segment);
  state.setBig('segBase', BigInt(base), segment);
  state.set('segLimit', limit, segment);
  state.set('segFlags', flags, segment);
  cpu.stateChanged();
}
