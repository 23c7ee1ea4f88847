import { x86FeatureNames } from '@sterna/cpu-x86';
import { expect, it } from 'vitest';

it.each([
  ['1.edx', 0x0600_0001, ['fpu', 'sse', 'sse2']],
  ['7.0.ebx', 0x0000_00a1, ['fsgsbase', 'avx2', 'smep']],
  ['7.0.ecx', 0x0001_0000, ['la57']],
  ['80000001.ecx', 4, ['svm']],
  ['d.1.eax', 2, ['xsavec']],
  ['1.ecx', 0x8000_0000, ['hypervisor']],
  ['12.0.eax', 1, ['12.0.eax bit 0']],
  ['1.edx', 0, []],
] as const)('bits of %s have the names of QEMU', (word, bits, names) => {
  expect(x86FeatureNames(word, bits)).toEqual(names);
});
