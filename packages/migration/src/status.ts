/** QEMU's migration states (QAPI MigrationStatus, v11.1) as far as they can be reached here. */
export type MigrationStatus =
  | 'none'
  | 'setup'
  | 'wait-unplug'
  | 'active'
  | 'pre-switchover'
  | 'device'
  | 'cancelling'
  | 'cancelled'
  | 'failing'
  | 'failed'
  | 'completed';

/** States in which an outgoing migration can fail or be cancelled. */
const CANCELLABLE = ['setup', 'wait-unplug', 'active', 'pre-switchover', 'device'] as const;

const RUNNING: ReadonlySet<MigrationStatus> = new Set([...CANCELLABLE, 'cancelling', 'failing']);

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
  /** Leaves whatever state a migration can be stopped in; tells whether it was in one. */
  stop(to: 'cancelling' | 'failing'): boolean {
    return CANCELLABLE.some((from) => this.move(from, to));
  }
}
