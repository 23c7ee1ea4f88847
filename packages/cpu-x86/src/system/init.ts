import { type CellName, STATE } from '../state/layout.ts';
import type { StateView } from '../state/view.ts';

/** What INIT does not change (SDM volume 3, table 10-1; QEMU's state preserved by INIT). */
export const INIT_KEEPS: readonly CellName[] = [
  'tscOffset',
  'tscAdjust',
  'xmm',
  'fpMant',
  'fpExp',
  'mxcsr',
  'fpuCw',
  'fpuSw',
  'fpuTop',
  'fpuTags',
  'fpuFop',
  'fpuFcs',
  'fpuFds',
  'fpuFip',
  'fpuFdp',
  'sysenterCs',
  'sysenterEsp',
  'sysenterEip',
  'star',
  'lstar',
  'cstar',
  'fmask',
  'kernelGsBase',
  'tscAux',
  'tscOffset',
  'tscAdjust',
  'pkru',
  'pkrs',
  'pat',
  'mtrrFixed',
  'mtrrDefType',
  'mtrrVar',
  'mcgStatus',
  'mcgCtl',
  'mceBanks',
  'miscEnable',
  'vmHsave',
  'smbase',
  'xcr0',
  'ymmHigh',
  'sipiPending',
];

/** Reads a cell with all its elements; calling the answer writes them back. */
export function keepCell(state: StateView, name: CellName): () => void {
  const { type, count } = STATE[name];
  const low = Array.from({ length: count }, (_, i) => state.getBig(name, i));
  const high = type === 'v128' ? low.map((_, i) => state.getHigh(name, i)) : undefined;
  return () => {
    low.forEach((value, i) => void state.setBig(name, value, i));
    high?.forEach((value, i) => void state.setHigh(name, value, i));
  };
}
