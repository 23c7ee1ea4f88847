/** What is known of a migration that is under way, told to its policy ten times a second. */
export interface MigrationEstimate {
  /** Since the migration was started, in ms. */
  readonly elapsedMs: number;
  /** Rounds over RAM so far. */
  readonly pass: number;
  /** Bytes of RAM and devices that wait to be sent. */
  readonly remainingBytes: number;
  /** Bytes of RAM that the guest writes per second. */
  readonly dirtyBytesPerSecond: number;
  /** Bytes per second that the channel takes; 0 before anything was measured. */
  readonly bytesPerSecond: number;
  /** The pause of the guest to expect if it moved after this round, in ms. */
  readonly expectedDowntimeMs: number;
  /** The pause that is allowed now, in ms. */
  readonly downtimeLimitMs: number;
  /** Share of the time in which vCPUs are kept from running, 0 to 99. */
  readonly throttlePercentage: number;
}

/** What a policy wants. */
export type MigrationDecision =
  /** Nothing changes. */
  | { readonly action: 'continue' }
  /** From now on this pause is allowed: the guest moves as soon as what is left fits it. */
  | { readonly action: 'switchover'; readonly downtimeLimitMs: number }
  /** vCPUs run less, so that they write less: share of the time in which they do not, 0 to 99. */
  | { readonly action: 'throttle'; readonly percentage: number }
  /** The guest stays here. */
  | { readonly action: 'cancel'; readonly reason: string }
  /** The guest is stopped now and moves with all that is left, however long that takes; it runs on there. */
  | { readonly action: 'pause' }
  /** The guest moves now and what is left follows. Refused until postcopy has landed: the migration fails. */
  | { readonly action: 'postcopy' };
