import { cells } from './cells.ts';

/** Most breakpoints that a debugger of the host can set. */
export const HOST_BREAKS = 128;
/** Most ranges that it can watch. */
export const HOST_WATCHES = 16;

/** Bits of cell hostDebug. */
export const HOST_DEBUG = {
  /** Breakpoints are set. */
  BREAK: 1,
  /** The slice ends after one instruction. */
  STEP: 2,
  /** Interrupts wait while stepping. */
  MASK: 4,
  /** Ranges are watched. */
  WATCH: 8,
} as const;

/** Why run() returned Exit.DEBUG: low byte of cell hostStop; above it is the number of the watched range. */
export const HOST_STOP = { BREAK: 1, STEP: 2, WATCH: 3 } as const;

/** What a debugger of the host wants of a vCPU. The guest's own debug registers have nothing to do with it. */
export const DEBUG_CELLS = cells({
  hostDebug: {
    type: 'u32',
    doc: 'Not 0: single instructions must be looked at, HOST_DEBUG bits. Changes between slices only',
  },
  hostNear: { type: 'u32', doc: '1: a breakpoint is in the page of code being executed' },
  hostStepped: { type: 'u32', doc: '1: the one instruction of a step has been begun' },
  hostStop: { type: 'u32', doc: 'Reason of the last Exit.DEBUG, see HOST_STOP' },
  hostBreaks: { type: 'u32', doc: 'Breakpoints in use' },
  hostWatches: { type: 'u32', doc: 'Watched ranges in use; not 0 makes tlbBase the TLB that stays empty' },
  hostWatchHit: { type: 'u32', doc: 'Number of the watched range that was met, plus 1' },
  hostBreak: { type: 'u64', count: HOST_BREAKS, doc: 'Linear addresses of breakpoints' },
  hostWatchFirst: { type: 'u64', count: HOST_WATCHES, doc: 'First bytes of watched ranges' },
  hostWatchLast: { type: 'u64', count: HOST_WATCHES, doc: 'Last bytes of watched ranges' },
  hostWatchKind: { type: 'u32', count: HOST_WATCHES, doc: 'Accesses watched: 1 writes, 2 reads, 3 both' },
});
