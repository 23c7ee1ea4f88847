import { Flag, Seg } from './semantics/vectors.ts';
import type { StateView } from './state/view.ts';
import { CR4, Desc, EFER } from './system/bits.ts';
import { Hflag } from './wire-bits.ts';

/**
 * QEMU's derived mode bits. A QEMU destination believes them (all but CPL), so they must agree with the registers. TF, IOPL,
 * RF, VM and AC stay 0: they are taken from RFLAGS.
 */
export function computeHflags(state: StateView, rflags: number): number {
  const cr0 = Number(state.getBig('cr0') & 0xffff_ffffn);
  const efer = Number(state.getBig('efer') & 0xffff_ffffn);
  const cs = state.get('segFlags', Seg.CS);
  const ss = state.get('segFlags', Seg.SS);
  const vm = (rflags & Flag.VM) !== 0;
  const protectedMode = (cr0 & 1) !== 0;
  const lma = (efer & EFER.LMA) !== 0;
  const cs64 = lma && (cs & Desc.L) !== 0;
  const cs32 = cs64 || (cs & Desc.B) !== 0;
  let hflags = vm ? 3 : protectedMode ? (ss >>> Desc.DPL_SHIFT) & 3 : 0;
  if (state.get('shadow') !== 0) hflags |= Hflag.INHIBIT_IRQ;
  if (cs32) hflags |= Hflag.CS32;
  if (cs64 || (ss & Desc.B) !== 0) hflags |= Hflag.SS32;
  if (!cs64) {
    const based = [Seg.DS, Seg.ES, Seg.SS].some((seg) => state.getBig('segBase', seg) !== 0n);
    if (!protectedMode || vm || !cs32 || based) hflags |= Hflag.ADDSEG;
  }
  if (protectedMode) hflags |= Hflag.PE;
  hflags |= (cr0 & 0xe) << Hflag.MP_SHIFT;
  if (lma) hflags |= Hflag.LMA;
  if (cs64) hflags |= Hflag.CS64;
  const cr4 = Number(state.getBig('cr4') & 0xffff_ffffn);
  if (cr4 & CR4.OSFXSR) hflags |= Hflag.OSFXSR;
  if (cr4 & CR4.SMAP) hflags |= Hflag.SMAP;
  if (cr4 & CR4.UMIP) hflags |= Hflag.UMIP;
  return hflags;
}
