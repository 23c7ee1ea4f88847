import type { CpuidRow } from './cpuid-table.ts';
import { FEATURES, type FeatureWord, NO_FEATURES } from './features.ts';
import { type CpuPlace, cpuidRows } from './leaves.ts';
import { AMD, type CpuModel, configure, signatureOf } from './model.ts';

/** QEMU's `qemu64` without SVM. Its bits are a contract: guests that come from QEMU have seen them. */
export const QEMU64: CpuModel = {
  name: 'qemu64',
  description: 'QEMU Virtual CPU version 2.5+, x86-64 with SSE3 and CMPXCHG16B, without SVM',
  vendor: AMD,
  family: 15,
  model: 107,
  stepping: 1,
  modelId: 'QEMU Virtual CPU version 2.5+',
  words: {
    ...NO_FEATURES,
    '1.edx': 0x078b_fbfd,
    '1.ecx': 0x8000_2001,
    '80000001.edx': 0x2193_fbfd,
    '80000001.ecx': 0x0000_0001,
  },
};

/** CPUID.1:EAX of `qemu64`. */
export const QEMU64_SIGNATURE: number = signatureOf(QEMU64.family, QEMU64.model, QEMU64.stepping);

/** Features that `max` leaves out although they are implemented: QEMU's `max` under TCG does not have them either. */
const BY_NAME_ONLY: ReadonlySet<string> = new Set(['pcid', 'invpcid', 'tsc-deadline', 'tsc-adjust']);

function everything(): Record<FeatureWord, number> {
  const words = { ...NO_FEATURES };
  for (const [name, { word, bit }] of FEATURES) if (!BY_NAME_ONLY.has(name)) words[word] |= 1 << bit;
  return words;
}

/** QEMU's `max` as far as it is implemented: x86-64-v2 and what came with it. */
export const MAX: CpuModel = {
  name: 'max',
  description: 'everything that is implemented of what QEMU offers as max: x86-64-v2',
  vendor: AMD,
  family: 6,
  model: 6,
  stepping: 3,
  modelId: 'QEMU TCG CPU version 2.5+',
  words: everything(),
};

/** Feature words of `qemu64` with properties applied. */
export function featureWords(properties: Readonly<Record<string, unknown>>): Readonly<Record<FeatureWord, number>> {
  return configure(QEMU64, properties).words;
}

/** CPUID answers of `qemu64` with these feature words. */
export function qemu64Cpuid(words: Readonly<Record<FeatureWord, number>>, place: CpuPlace): CpuidRow[] {
  return cpuidRows({ ...configure(QEMU64, {}), words }, place);
}

export { coreCount, eferBits } from './leaves.ts';
