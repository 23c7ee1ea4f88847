import { Reg, Seg } from '../semantics/vectors.ts';
import type { StateView } from '../state/view.ts';
import { CR0, Desc } from './bits.ts';
import { deriveFeatures } from './features.ts';

const DATA = Desc.P | Desc.S | Desc.RW | Desc.A;
const CODE = DATA | Desc.CODE;
const LDT = Desc.P | (2 << Desc.TYPE_SHIFT);
const TSS_BUSY = Desc.P | (11 << Desc.TYPE_SHIFT);
const LIMIT = 0xffff;
/** PAT after a reset (SDM volume 3, table 12-12). */
const PAT = 0x0007_0406_0007_0406n;

/** Power-on state (SDM volume 3, table 10-1). CPUID, core count and valid EFER bits are the model's and are kept. */
export function resetState(state: StateView, signature: number): void {
  const keep = [...KEPT].map((name) => ({ name, value: state.getBig(name) }));
  const table = Array.from({ length: state.get('cpuidCount') * 7 }, (_, i) => state.get('cpuidTable', i));
  state.clear();
  for (const { name, value } of keep) state.setBig(name, value);
  table.forEach((word, i) => void state.set('cpuidTable', word, i));

  deriveFeatures(state);
  state.setBig('regs', BigInt(signature), Reg.DX);
  state.setBig('rip', 0xfff0n);
  state.set('eflags', 2);
  for (let seg = 0; seg < 6; seg++) {
    state.set('segLimit', LIMIT, seg);
    state.set('segFlags', DATA, seg);
  }
  state.set('segSel', 0xf000, Seg.CS);
  state.setBig('segBase', 0xffff_0000n, Seg.CS);
  state.set('segFlags', CODE, Seg.CS);
  state.set('ldtLimit', LIMIT);
  state.set('ldtFlags', LDT);
  state.set('trLimit', LIMIT);
  state.set('trFlags', TSS_BUSY);
  state.set('gdtLimit', LIMIT);
  state.set('idtLimit', LIMIT);
  state.setBig('cr0', BigInt(CR0.CD | CR0.NW | CR0.ET));
  state.setBig('dr', 0xffff_0ff0n, 6);
  state.setBig('dr', 0x400n, 7);
  state.set('a20Mask', 0xffff_ffff);
  state.setBig('pat', PAT);
  state.setBig('miscEnable', 1n);
  state.set('smbase', 0x3_0000);
  state.setBig('xcr0', 1n);
  state.setBig('mcgCtl', -1n);
  for (let bank = 0; bank < 10; bank++) state.setBig('mceBanks', -1n, bank * 4);
  state.set('fpuCw', 0x37f);
  state.set('mxcsr', 0x1f80);
}

const KEPT = [
  'cpuidCount',
  'cpuidMaxBasic',
  'cpuidMaxHypervisor',
  'cpuidMaxExtended',
  'eferValid',
  'coreCount',
  'i386Rules',
  'jcGeneration',
  'jcUserGeneration',
  'tlbArea',
  'cacheEpoch',
] as const;
