import { ConfigError, type Property, prop } from '@sterna/core';
import type { CpuidRow } from './cpuid-table.ts';
import { AMD_ALIASES, FEATURES, type FeatureWord, MISSING_FEATURES } from './features.ts';
import { apicIdFields } from './topology.ts';

/** Family 15, model 107, stepping 1: CPUID.1:EAX, and EDX after a reset. */
export const QEMU64_SIGNATURE = 0x0006_0fb1;

/** Feature words of `qemu64` without SVM. */
const DEFAULT_WORDS: Readonly<Record<FeatureWord, number>> = {
  '1.edx': 0x078b_fbfd,
  '1.ecx': 0x8000_2001,
  '80000001.edx': 0x2193_fbfd,
  '80000001.ecx': 0x0000_0001,
};

/** The model's place among the CPUs, for the topology leaves. */
export interface CpuPlace {
  readonly apicId: number;
  /** vCPUs of the socket. */
  readonly count: number;
  /** vCPUs of the core; 1 by default. */
  readonly threads?: number;
}

/** `-cpu qemu64` properties: the timestamp counter's rate and the features that can be switched. */
export const QEMU64_PROPERTIES: Readonly<Record<string, Property<number | undefined> | Property<boolean>>> = {
  'tsc-frequency': prop.optionalU64({
    help: 'Ticks of the timestamp counter per second; sent in the migration stream',
  }),
  ...Object.fromEntries(
    [...FEATURES.keys()].map((name) => [name, prop.bool({ help: `CPUID feature ${name}`, default: true })]),
  ),
  ...Object.fromEntries(
    MISSING_FEATURES.map((name) => [name, prop.bool({ help: `CPUID feature ${name}: not available`, default: false })]),
  ),
};

/** Feature words with the given properties applied. @throws ConfigError when a missing feature is asked for */
export function featureWords(properties: Readonly<Record<string, unknown>>): Record<FeatureWord, number> {
  for (const name of MISSING_FEATURES) {
    if (properties[name] === true) {
      throw new ConfigError('STERNA_ERR_UNSUPPORTED', `CPU feature '${name}' is not implemented; use ${name}=off`, {
        path: `-cpu ${name}`,
      });
    }
  }
  const words = { ...DEFAULT_WORDS };
  for (const [name, { word, bit }] of FEATURES) {
    if (properties[name] !== false) continue;
    words[word] &= ~(1 << bit);
    if (word === '1.edx' && (AMD_ALIASES >>> bit) & 1) words['80000001.edx'] &= ~(1 << bit);
  }
  return words;
}

function text(leaf: number, words: readonly number[]): CpuidRow {
  const [eax = 0, ebx = 0, ecx = 0, edx = 0] = words;
  return { leaf, eax, ebx, ecx, edx };
}

/** All CPUID answers of the model (`../shared` microvm reference, D1), with no SVM leaf content. */
export function qemu64Cpuid(words: Readonly<Record<FeatureWord, number>>, place: CpuPlace): CpuidRow[] {
  const { apicId, count, threads = 1 } = place;
  const several = count > 1;
  const { coreShift, packageShift } = apicIdFields({ sockets: 1, cores: count / threads, threads });
  const vendor = { ebx: 0x6874_7541, ecx: 0x444d_4163, edx: 0x6974_6e65 };
  return [
    { leaf: 0, eax: 0xd, ...vendor },
    {
      leaf: 1,
      eax: QEMU64_SIGNATURE,
      ebx: (apicId << 24) | (several ? count << 16 : 0) | 0x800,
      ecx: words['1.ecx'],
      edx: words['1.edx'] | (several ? 1 << 28 : 0),
    },
    { leaf: 5, ecx: 3 },
    { leaf: 0xb, sub: 0, eax: coreShift, ebx: threads, ecx: 0x100, edx: apicId },
    { leaf: 0xb, sub: 1, eax: packageShift, ebx: count, ecx: 0x201, edx: apicId },
    { leaf: 0xb, edx: apicId, echo: true },
    { leaf: 0x4000_0000, eax: 0x4000_0001, ebx: 0x5447_4354, ecx: 0x4354_4743, edx: 0x4743_5447 },
    { leaf: 0x4000_0001 },
    { leaf: 0x8000_0000, eax: 0x8000_000a, ...vendor },
    {
      leaf: 0x8000_0001,
      eax: QEMU64_SIGNATURE,
      ecx: words['80000001.ecx'] | (several ? 2 : 0),
      edx: words['80000001.edx'],
    },
    text(0x8000_0002, [0x554d_4551, 0x7269_5620, 0x6c61_7574, 0x5550_4320]),
    text(0x8000_0003, [0x7265_7620, 0x6e6f_6973, 0x352e_3220, 0x2b]),
    { leaf: 0x8000_0005, eax: 0x01ff_01ff, ebx: 0x01ff_01ff, ecx: 0x4002_0140, edx: 0x4002_0140 },
    { leaf: 0x8000_0006, ebx: 0x4200_4200, ecx: 0x0200_8140, edx: 0x0080_8140 },
    { leaf: 0x8000_0008, eax: 0x3028, ecx: several ? (packageShift << 12) | (count - 1) : 0 },
  ];
}

/** Bits of EFER that exist with these features. */
export function eferBits(words: Readonly<Record<FeatureWord, number>>): number {
  const edx = words['80000001.edx'];
  return (edx & (1 << 11) ? 1 : 0) | (edx & (1 << 29) ? 0x100 : 0) | (edx & (1 << 20) ? 0x800 : 0);
}

/** MSR 0x35: threads in the low half, cores in the high half. */
export function coreCount(count: number, threads = 1): bigint {
  return BigInt(count) | (BigInt(count / threads) << 16n);
}
