import { CPUID_ROW } from '../models/cpuid-table.ts';
import type { StateView } from '../state/view.ts';
import { CR4 } from './bits.ts';
import { MsrFeature } from './msr-local.ts';

/** Register of a CPUID row by its place in the table. */
const EBX = 3;
const ECX = 4;

/** Bits of CR4 that every model has: QEMU refuses none of them whatever the features. */
const ALWAYS =
  CR4.VME | CR4.PVI | CR4.TSD | CR4.DE | CR4.PSE | CR4.PAE | CR4.MCE | CR4.PGE | CR4.PCE | CR4.OSFXSR | CR4.OSXMMEXCPT;

/** Bits of CR4 that come with a feature: leaf, register, bit of the feature. */
const WITH_FEATURE: readonly (readonly [cr4: number, leaf: number, register: number, bit: number])[] = [
  [CR4.PCIDE, 1, ECX, 17],
  [CR4.OSXSAVE, 1, ECX, 26],
  [CR4.FSGSBASE, 7, EBX, 0],
  [CR4.SMEP, 7, EBX, 7],
  [CR4.SMAP, 7, EBX, 20],
  [CR4.UMIP, 7, ECX, 2],
  [CR4.PKE, 7, ECX, 3],
  [CR4.PKS, 7, ECX, 31],
];
/** Registers of msr-local.ts that come with a feature. */
const MSR_FEATURES: readonly (readonly [feature: number, leaf: number, register: number, bit: number])[] = [
  [MsrFeature.TSC_ADJUST, 7, EBX, 1],
  [MsrFeature.X2APIC, 1, ECX, 21],
  [MsrFeature.TSC_DEADLINE, 1, ECX, 24],
];
/** EBX of leaf 0 of Intel models: "Genu". */
const INTEL = 0x756e_6547;

/** Derives the cells that say which bits and rules exist in a model from its CPUID rows in the state. */
export function deriveFeatures(state: StateView): void {
  const row = (leaf: number): number => {
    const rows = Array.from({ length: state.get('cpuidCount') }, (_, i) => i * CPUID_ROW);
    return rows.find((at) => state.get('cpuidTable', at) === leaf) ?? -1;
  };
  const word = (leaf: number, register: number): number => {
    const at = row(leaf);
    return at < 0 ? 0 : state.get('cpuidTable', at + register);
  };
  let valid: number = ALWAYS;
  for (const [cr4, leaf, register, bit] of WITH_FEATURE) if ((word(leaf, register) >>> bit) & 1) valid |= cr4;
  state.setBig('cr4Valid', BigInt(valid));
  let msrs = 0;
  for (const [feature, leaf, register, bit] of MSR_FEATURES) if ((word(leaf, register) >>> bit) & 1) msrs |= feature;
  state.set('msrFeatures', msrs);
  state.set('intelRules', word(0, EBX) === INTEL ? 1 : 0);
}
