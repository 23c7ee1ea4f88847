/** The vCPUs of a machine as far as their writing can be limited. */
export interface DirtyingCpus {
  readonly count: number;
  /** Pages that a vCPU was the first to write to since their flag PAGE_CLEAN_LIMIT was set; begins anew at 2^32. */
  dirtied(index: number): number;
  /** Undefined takes the limit away. */
  limit(index: number, pagesPerSecond: number | undefined): void;
  /** Longest time in ns that a vCPU had to rest since this was last asked. */
  takeLongestRest(): number;
}
