import type { StateView } from '../state/view.ts';

/** What debuggers need of the processor. */
export interface DebuggedCpu {
  readonly state: StateView;
  /** RFLAGS, complete. */
  rflags: number;
  /** Task priority as CR8 shows it, 0-15. */
  cr8: number;
  /** Derives what depends on the mode, and drops translations. */
  stateChanged(): void;
  /** Reads 8 bytes at a linear address without side effects; undefined when unmapped. */
  peek(linear: bigint): bigint | undefined;
}
