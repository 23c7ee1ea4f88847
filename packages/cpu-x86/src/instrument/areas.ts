import { CPU_MAP } from '../state/memory-map.ts';

/** What a module's code tells of the guest's: how often each instruction is executed, or each instruction and access in order. */
export type InstrumentMode = 'count' | 'trace';

/** Layout of the memory for counts, which is memory 1 of modules that count. */
export const COUNTS = {
  /** u32 for each record, at its address divided by 4: executions by the interpreter. */
  records: CPU_MAP.records >>> 2,
  /** What regions count: for each block a u64, then for each step a u32 of how often the block was left before it. */
  regions: CPU_MAP.recordsEnd >>> 2,
  end: 0x0100_0000,
} as const;

/** Layout of the memory for traced events, which is memory 1 of modules that trace. */
export const TRACE = {
  /** u32: address of the next event. */
  next: 0,
  /** Events of 16 bytes: u32 record, or size of the access; u32 {@link TRACE.access} for the latter; u64 linear address (page). */
  first: 16,
  end: 0x0010_0000,
  access: 1,
  /** In the size of an access: it writes. */
  write: 0x1_0000,
} as const;

/** Pages of such a memory. */
export const INSTRUMENT_PAGES: number = COUNTS.end / 65_536;
