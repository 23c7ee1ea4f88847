import { type Service, service } from '../container/service.ts';

/** A guest-physical range that a device will touch. */
export interface DmaRange {
  readonly address: number;
  readonly length: number;
  readonly write: boolean;
}

/**
 * A device's way to guest memory. Accesses see the address space as the CPU does (RAM, ROM, nested MMIO),
 * keep dirty tracking and code caches right, and never fail: unassigned memory reads as zero and swallows writes.
 */
export interface Dma {
  read(address: number, into: Uint8Array): void;
  write(address: number, bytes: Uint8Array): void;
  readU8(address: number): number;
  readU16(address: number): number;
  readU32(address: number): number;
  writeU8(address: number, value: number): void;
  writeU16(address: number, value: number): void;
  writeU32(address: number, value: number): void;
  /** Calls `fn` in the turn in which every range is resident: at once in the normal case. */
  run(ranges: readonly DmaRange[], fn: () => void): void;
}
/** The machine's physical memory for devices. */
export const Dma: Service<Dma> = service('Dma');
