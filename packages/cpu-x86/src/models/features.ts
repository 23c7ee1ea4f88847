/** A CPUID register that holds feature bits: leaf, subleaf where there are several, register. */
export type FeatureWord =
  | '1.edx'
  | '1.ecx'
  | '7.0.ebx'
  | '7.0.ecx'
  | '7.0.edx'
  | '6.eax'
  | 'd.1.eax'
  | '80000001.edx'
  | '80000001.ecx';

/** All words, every bit clear. */
export const NO_FEATURES: Readonly<Record<FeatureWord, number>> = {
  '1.edx': 0,
  '1.ecx': 0,
  '7.0.ebx': 0,
  '7.0.ecx': 0,
  '7.0.edx': 0,
  '6.eax': 0,
  'd.1.eax': 0,
  '80000001.edx': 0,
  '80000001.ecx': 0,
};

/** Where a feature's bit is. */
export interface Feature {
  readonly word: FeatureWord;
  readonly bit: number;
}

const word = (name: FeatureWord, bits: Readonly<Record<string, number>>): [string, Feature][] =>
  Object.entries(bits).map(([feature, bit]) => [feature, { word: name, bit }]);

/** Features of this processor by QEMU's property names. */
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
    acpi: 22,
    mmx: 23,
    fxsr: 24,
    sse: 25,
    sse2: 26,
    ss: 27,
  }),
  ...word('1.ecx', {
    pni: 0,
    monitor: 3,
    ssse3: 9,
    cx16: 13,
    pcid: 17,
    'sse4.1': 19,
    'sse4.2': 20,
    x2apic: 21,
    movbe: 22,
    popcnt: 23,
    'tsc-deadline': 24,
    xsave: 26,
    hypervisor: 31,
  }),
  ...word('7.0.ebx', {
    fsgsbase: 0,
    'tsc-adjust': 1,
    smep: 7,
    erms: 9,
    invpcid: 10,
    adx: 19,
    smap: 20,
    clflushopt: 23,
    clwb: 24,
  }),
  ...word('7.0.ecx', { umip: 2, pku: 3, rdpid: 22, pks: 31 }),
  ...word('7.0.edx', { fsrm: 4 }),
  ...word('6.eax', { arat: 2 }),
  ...word('d.1.eax', { xsaveopt: 0, xgetbv1: 2 }),
  ...word('80000001.edx', { syscall: 11, nx: 20, mmxext: 22, pdpe1gb: 26, rdtscp: 27, lm: 29 }),
  ...word('80000001.ecx', { 'lahf-lm': 0, abm: 5, '3dnowprefetch': 8 }),
]);

/** Other names of features. Underscores may stand for dashes in any name. */
export const ALIASES: ReadonlyMap<string, string> = new Map([
  ['sse3', 'pni'],
  ['sse4-1', 'sse4.1'],
  ['sse4-2', 'sse4.2'],
  ['xd', 'nx'],
  ['i64', 'lm'],
  ['pclmuldq', 'pclmulqdq'],
  ['ffxsr', 'fxsr-opt'],
]);

/** Features that mean nothing without another one. */
export const DEPENDS: readonly (readonly [feature: string, on: string])[] = [
  ['xsaveopt', 'xsave'],
  ['xgetbv1', 'xsave'],
  ['invpcid', 'pcid'],
  ['sse2', 'sse'],
];

/**
 * Features that QEMU knows by name and that are not implemented here, with their places: turning one on is answered as QEMU
 * answers for features its accelerator lacks.
 */
export const MISSING_FEATURES: ReadonlyMap<string, string> = new Map(
  Object.entries({
    'CPUID[eax=01h].EDX': { vme: 1, pn: 18, ds: 21, ht: 28, tm: 29, ia64: 30, pbe: 31 },
    'CPUID[eax=01h].ECX': {
      pclmulqdq: 1,
      dtes64: 2,
      'ds-cpl': 4,
      vmx: 5,
      smx: 6,
      est: 7,
      tm2: 8,
      cid: 10,
      fma: 12,
      xtpr: 14,
      pdcm: 15,
      dca: 18,
      aes: 25,
      avx: 28,
      f16c: 29,
      rdrand: 30,
    },
    'CPUID[eax=07h,ecx=00h].EBX': {
      bmi1: 3,
      hle: 4,
      avx2: 5,
      bmi2: 8,
      rtm: 11,
      mpx: 14,
      avx512f: 16,
      avx512dq: 17,
      rdseed: 18,
      avx512ifma: 21,
      avx512cd: 28,
      'sha-ni': 29,
      avx512bw: 30,
      avx512vl: 31,
    },
    'CPUID[eax=07h,ecx=00h].ECX': {
      avx512vbmi: 1,
      waitpkg: 5,
      avx512vbmi2: 6,
      gfni: 8,
      vaes: 9,
      vpclmulqdq: 10,
      avx512vnni: 11,
      avx512bitalg: 12,
      'avx512-vpopcntdq': 14,
      la57: 16,
    },
    'CPUID[eax=07h,ecx=00h].EDX': { 'spec-ctrl': 26, stibp: 27, 'arch-capabilities': 29, ssbd: 31 },
    'CPUID[eax=0dh,ecx=01h].EAX': { xsavec: 1, xsaves: 3 },
    'CPUID[eax=80000001h].EDX': { 'fxsr-opt': 25, '3dnowext': 30, '3dnow': 31 },
    'CPUID[eax=80000001h].ECX': {
      svm: 2,
      extapic: 3,
      cr8legacy: 4,
      sse4a: 6,
      misalignsse: 7,
      osvw: 9,
      ibs: 10,
      xop: 11,
      fma4: 16,
      topoext: 22,
    },
  }).flatMap(([where, bits]) => Object.entries(bits).map(([name, bit]) => [name, `${where}.${name} [bit ${bit}]`])),
);

/** Bits of 8000_0001:EDX that AMD repeats from 1:EDX. */
export const AMD_ALIASES = 0x0183_f3ff;
