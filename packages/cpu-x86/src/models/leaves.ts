import { XSAVE_HEADER } from '../state/xsave-layout.ts';
import type { CpuidRow } from './cpuid-table.ts';
import { AMD, type CpuConfiguration } from './model.ts';
import { apicIdFields } from './topology.ts';

/** The model's place among the CPUs, for the topology leaves. */
export interface CpuPlace {
  readonly apicId: number;
  /** vCPUs of the socket. */
  readonly count: number;
  /** vCPUs of the core; 1 by default. */
  readonly threads?: number;
}

/** Four characters as a register. */
function packed(text: string, at: number): number {
  return [3, 2, 1, 0].reduce((acc, i) => (acc << 8) | (at + i < text.length ? text.charCodeAt(at + i) : 0), 0);
}

/** All CPUID answers of a configured model (`../shared` microvm reference, D1), with no SVM leaf content. */
export function cpuidRows(cpu: CpuConfiguration, place: CpuPlace): CpuidRow[] {
  const { words, modelId, signature } = cpu;
  const { apicId, count, threads = 1 } = place;
  const several = count > 1;
  const { coreShift, packageShift } = apicIdFields({ sockets: 1, cores: count / threads, threads });
  const vendor = { ebx: packed(cpu.vendor, 0), edx: packed(cpu.vendor, 4), ecx: packed(cpu.vendor, 8) };
  const brand = (leaf: number, at: number): CpuidRow => ({
    leaf,
    eax: packed(modelId, at),
    ebx: packed(modelId, at + 4),
    ecx: packed(modelId, at + 8),
    edx: packed(modelId, at + 12),
  });
  return [
    { leaf: 0, eax: 0xd, ...vendor },
    {
      leaf: 1,
      eax: signature,
      ebx: (apicId << 24) | (several ? count << 16 : 0) | 0x800,
      ecx: words['1.ecx'],
      edx: words['1.edx'] | (several ? 1 << 28 : 0),
    },
    { leaf: 5, ecx: 3 },
    ...(words['6.eax'] === 0 ? [] : [{ leaf: 6, eax: words['6.eax'] }]),
    ...extended(cpu),
    { leaf: 0xb, sub: 0, eax: coreShift, ebx: threads, ecx: 0x100, edx: apicId },
    { leaf: 0xb, sub: 1, eax: packageShift, ebx: count, ecx: 0x201, edx: apicId },
    { leaf: 0xb, edx: apicId, echo: true },
    { leaf: 0x4000_0000, eax: 0x4000_0001, ebx: 0x5447_4354, ecx: 0x4354_4743, edx: 0x4743_5447 },
    { leaf: 0x4000_0001 },
    { leaf: 0x8000_0000, eax: 0x8000_000a, ...vendor },
    {
      leaf: 0x8000_0001,
      eax: signature,
      ecx: words['80000001.ecx'] | (several && cpu.vendor === AMD ? 2 : 0),
      edx: words['80000001.edx'],
    },
    brand(0x8000_0002, 0),
    brand(0x8000_0003, 16),
    brand(0x8000_0004, 32),
    { leaf: 0x8000_0005, eax: 0x01ff_01ff, ebx: 0x01ff_01ff, ecx: 0x4002_0140, edx: 0x4002_0140 },
    { leaf: 0x8000_0006, ebx: 0x4200_4200, ecx: 0x0200_8140, edx: 0x0080_8140 },
    { leaf: 0x8000_0008, eax: 0x3028, ecx: several ? (packageShift << 12) | (count - 1) : 0 },
  ];
}

/** Leaves 7 and 0xD of models that have what they tell of. */
function extended({ words, features }: CpuConfiguration): CpuidRow[] {
  const seven = { ebx: words['7.0.ebx'], ecx: words['7.0.ecx'], edx: words['7.0.edx'] };
  const rows: CpuidRow[] = (seven.ebx | seven.ecx | seven.edx) === 0 ? [] : [{ leaf: 7, sub: 0, ...seven }];
  if (features.has('xsave')) {
    rows.push(
      { leaf: 0xd, sub: 0, eax: 3, ebx: XSAVE_HEADER.size, ecx: XSAVE_HEADER.size },
      { leaf: 0xd, sub: 1, eax: words['d.1.eax'] },
    );
  }
  return rows;
}

/** Bits of EFER that exist with these features. */
export function eferBits(words: CpuConfiguration['words']): number {
  const edx = words['80000001.edx'];
  return (edx & (1 << 11) ? 1 : 0) | (edx & (1 << 29) ? 0x100 : 0) | (edx & (1 << 20) ? 0x800 : 0);
}

/** MSR 0x35: threads in the low half, cores in the high half. */
export function coreCount(count: number, threads = 1): bigint {
  return BigInt(count) | (BigInt(count / threads) << 16n);
}
