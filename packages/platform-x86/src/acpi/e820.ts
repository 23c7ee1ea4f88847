import { u32, u64 } from './bytes.ts';

/** Types of memory map entries (ACPI 6.1 §15.1). */
export const E820 = { RAM: 1, RESERVED: 2, ACPI: 3, NVS: 4 } as const;

/** A range of the BIOS memory map. */
export interface E820Entry {
  readonly base: number;
  readonly length: number;
  readonly type: number;
}

/** Bytes of a memory map: 20 for each entry. */
export function e820Table(entries: readonly E820Entry[]): Uint8Array {
  return Uint8Array.from(entries.flatMap(({ base, length, type }) => [...u64(base), ...u64(length), ...u32(type)]));
}

/**
 * The file `etc/e820`: all RAM, the part below 3 GiB at 0 and the rest at 4 GiB.
 *
 * @param ramSize Bytes.
 * @param lowLimit Most RAM below 4 GiB.
 */
export function ramE820(ramSize: number, lowLimit = 3 * 2 ** 30): Uint8Array {
  const low = Math.min(ramSize, lowLimit);
  const entries: E820Entry[] = [{ base: 0, length: low, type: E820.RAM }];
  if (ramSize > low) entries.push({ base: 2 ** 32, length: ramSize - low, type: E820.RAM });
  return e820Table(entries);
}
