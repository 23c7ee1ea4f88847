/**
 * What a guest that arrives expects of the processor. A stream does not name the CPU model, and carries no CPUID: what the
 * guest was promised shows in the registers that it has set.
 */
import type { StateView } from './state/view.ts';
import { CR4, EFER } from './system/bits.ts';
import { MsrFeature } from './system/msr-local.ts';

/** Features behind bits of CR4 (Intel SDM vol. 3A, 2.5), by QEMU's property names. */
const CR4_FEATURES: readonly (readonly [bit: number, feature: string])[] = [
  [CR4.UMIP, 'umip'],
  [1 << 12, 'la57'],
  [1 << 13, 'vmx'],
  [CR4.FSGSBASE, 'fsgsbase'],
  [CR4.PCIDE, 'pcid'],
  [CR4.OSXSAVE, 'xsave'],
  [CR4.SMEP, 'smep'],
  [CR4.SMAP, 'smap'],
  [CR4.PKE, 'pku'],
  [CR4.PKS, 'pks'],
];
const EFER_FEATURES: readonly (readonly [bit: number, feature: string])[] = [
  [EFER.SCE, 'syscall'],
  [EFER.LME, 'lm'],
  [EFER.NXE, 'nx'],
  [EFER.FFXSR, 'fxsr-opt'],
];
/** Components of XCR0 beyond x87 and SSE, which XSAVE keeps here (Intel SDM vol. 1, 13.3). */
const XCR0_FEATURES: readonly (readonly [bit: number, feature: string])[] = [
  [1 << 2, 'avx'],
  [3 << 3, 'mpx'],
  [7 << 5, 'avx512f'],
  [1 << 9, 'pku'],
  [3 << 17, 'amx-tile'],
];
const XCR0_HERE = 3n;

/**
 * Compares what was loaded into the state with what this processor has.
 *
 * @throws RangeError naming the features that the guest uses and that are missing here
 */
export function checkGuestFeatures(state: StateView): void {
  const missing = new Set<string>();
  const registers: string[] = [];
  const look = (register: string, value: bigint, features: typeof CR4_FEATURES): void => {
    if (value === 0n) return;
    registers.push(register);
    const before = missing.size;
    for (const [bits, feature] of features) if ((value & BigInt(bits)) !== 0n) missing.add(feature);
    if (missing.size === before) missing.add(`bits 0x${value.toString(16)} of ${register}`);
  };
  const cr4 = state.getBig('cr4');
  look('CR4', cr4 & ~state.getBig('cr4Valid'), CR4_FEATURES);
  // LMA follows from LME and the mode; SVM has a message of its own.
  const efer = state.getBig('efer') & ~BigInt(EFER.LMA | EFER.SVME);
  look('EFER', efer & ~state.getBig('eferValid'), EFER_FEATURES);
  look('XCR0', state.getBig('xcr0') & ~XCR0_HERE, XCR0_FEATURES);
  const msrs = state.get('msrFeatures');
  if (state.getBig('tscAdjust') !== 0n && (msrs & MsrFeature.TSC_ADJUST) === 0) {
    missing.add('tsc-adjust');
    registers.push('IA32_TSC_ADJUST');
  }
  if (state.getBig('tscDeadline') !== 0n && (msrs & MsrFeature.TSC_DEADLINE) === 0) {
    missing.add('tsc-deadline');
    registers.push('IA32_TSC_DEADLINE');
  }
  if (missing.size === 0) return;
  throw new RangeError(
    `the guest uses ${[...missing].join(', ')} (${registers.join(', ')}), which this processor does not have; ` +
      'start this side with the -cpu of the source',
  );
}
