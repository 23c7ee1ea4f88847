import type { MappedPlace } from './save.ts';

/** How pages get to their places in a file. */
export interface MappedPlan {
  /** By block, in the order of the plan; complete before the first page is sent. */
  readonly places: readonly MappedPlace[];
  /** Whether zero pages are looked for. Without that all pages are written. */
  readonly findZeroPages: boolean;
}

/** Where pages go that have places in a file, for a thread that writes them. */
export interface FileTarget {
  readonly kind: 'file';
  /** By block, in the order of the plan. */
  readonly places: readonly MappedPlace[];
}
