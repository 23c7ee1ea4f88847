/** How a dirty rate is found (QAPI DirtyRateMeasureMode). */
export const DIRTY_RATE_MODES = ['page-sampling', 'dirty-ring', 'dirty-bitmap'] as const;
/** A mode of {@link DIRTY_RATE_MODES}. */
export type DirtyRateMode = (typeof DIRTY_RATE_MODES)[number];
/** Units of times (QAPI TimeUnit). */
export const TIME_UNITS = ['second', 'millisecond'] as const;
/** A unit of {@link TIME_UNITS}. */
export type TimeUnit = (typeof TIME_UNITS)[number];

/** Arguments of `calc-dirty-rate`. */
export interface DirtyRateRequest {
  /** How long to measure, in `calc-time-unit`s. */
  readonly 'calc-time': number;
  /** `second` by default. */
  readonly 'calc-time-unit'?: TimeUnit | undefined;
  /** Pages looked at in each GiB; only for `page-sampling`. */
  readonly 'sample-pages'?: number | undefined;
  /** `page-sampling` by default. */
  readonly mode?: DirtyRateMode | undefined;
}

/** Answer of `query-dirty-rate` (QAPI DirtyRateInfo). */
export interface DirtyRateInfo {
  readonly status: 'unstarted' | 'measuring' | 'measured';
  /** MiB per second, once measured. */
  readonly 'dirty-rate'?: number;
  /** When the measurement began, in seconds since 1970. */
  readonly 'start-time': number;
  /** How long it takes, or has taken, in `calc-time-unit`s. */
  readonly 'calc-time': number;
  readonly 'calc-time-unit': TimeUnit;
  /** Pages looked at in each GiB. */
  readonly 'sample-pages': number;
  readonly mode: DirtyRateMode;
  /** MiB per second of each vCPU; of mode `dirty-ring`. */
  readonly 'vcpu-dirty-rate'?: readonly { readonly id: number; readonly 'dirty-rate': number }[];
}
