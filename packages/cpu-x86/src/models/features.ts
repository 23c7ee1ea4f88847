/** A CPUID register that holds feature bits. */
export type FeatureWord = '1.edx' | '1.ecx' | '80000001.edx' | '80000001.ecx';

/** Where a feature's bit is. */
export interface Feature {
  readonly word: FeatureWord;
  readonly bit: number;
}

const word = (name: FeatureWord, bits: Readonly<Record<string, number>>): [string, Feature][] =>
  Object.entries(bits).map(([feature, bit]) => [feature, { word: name, bit }]);

/** Features of this processor by QEMU's property names. What is not here cannot be turned on. */
export const FEATURES: ReadonlyMap<string, Feature> = new Map([
  ...word('1.edx', {
    fpu: 0,
    de: 2,
    pse: 3,
    tsc: 4,
    msr: 5,
    pae: 6,
    mce: 7,
    cx8: 8,
    apic: 9,
    sep: 11,
    mtrr: 12,
    pge: 13,
    mca: 14,
    cmov: 15,
    pat: 16,
    pse36: 17,
    clflush: 19,
    mmx: 23,
    fxsr: 24,
    sse: 25,
    sse2: 26,
  }),
  ...word('1.ecx', { pni: 0, cx16: 13, hypervisor: 31 }),
  ...word('80000001.edx', { syscall: 11, nx: 20, lm: 29 }),
  ...word('80000001.ecx', { 'lahf-lm': 0 }),
]);

/** Features of QEMU's models that are not implemented; naming them with `off` is allowed, `on` is refused. */
export const MISSING_FEATURES: readonly string[] = ['svm'];

/** Bits of 8000_0001:EDX that AMD repeats from 1:EDX. */
export const AMD_ALIASES = 0x0183_f3ff;
