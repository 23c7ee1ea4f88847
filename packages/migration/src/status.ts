/** QEMU's migration states (QAPI MigrationStatus) as far as they can be reached here. */
export type MigrationStatus =
  | 'none'
  | 'setup'
  | 'active'
  | 'pre-switchover'
  | 'device'
  | 'cancelling'
  | 'cancelled'
  | 'failed'
  | 'completed';

const RUNNING: ReadonlySet<MigrationStatus> = new Set(['setup', 'active', 'pre-switchover', 'device', 'cancelling']);

/** Whether a migration is under way in this state. */
export function isMigrating(status: MigrationStatus): boolean {
  return RUNNING.has(status);
}

/** A state that changes by compare-and-swap, so that a cancel and a failure cannot overwrite each other. */
export class StatusCell {
  #status: MigrationStatus = 'none';
  readonly #changed: (status: MigrationStatus) => void;

  /** @param changed told of every change that happened */
  constructor(changed: (status: MigrationStatus) => void) {
    this.#changed = changed;
  }
  get value(): MigrationStatus {
    return this.#status;
  }
  /** Moves on if the state is what the caller believes; tells whether it was. */
  move(from: MigrationStatus, to: MigrationStatus): boolean {
    if (this.#status !== from) return false;
    this.#status = to;
    this.#changed(to);
    return true;
  }
}
