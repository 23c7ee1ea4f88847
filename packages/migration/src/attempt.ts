import { type MigrationCancelled, messageOf } from './errors.ts';
import { MigrationCounters } from './info.ts';
import { type MigrationStatus, StatusCell } from './status.ts';

/** One outgoing migration, from `migrate` to whatever it came to. */
export class Attempt {
  readonly status: StatusCell;
  readonly counters: MigrationCounters = new MigrationCounters();
  /** Ends a pause before the switchover. */
  readonly continueSwitchover: PromiseWithResolvers<void> = Promise.withResolvers<void>();
  readonly #abort = new AbortController();
  #error: string | undefined;

  /** @param changed told of every state, the first included */
  constructor(changed: (status: MigrationStatus) => void) {
    this.status = new StatusCell(changed);
  }

  /** Aborted by a cancel. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }
  /** The first error, for `error-desc`. */
  get error(): string | undefined {
    return this.#error;
  }

  /** Begins to fail. A cancelled migration does not: what breaks then was broken on purpose. */
  fail(error: unknown): void {
    if (this.status.stop('failing')) this.#error = messageOf(error);
  }
  /** Begins to be cancelled; tells whether it could be. */
  cancel(reason: MigrationCancelled): boolean {
    if (!this.status.stop('cancelling')) return false;
    this.#error = reason.why;
    this.#abort.abort(reason);
    return true;
  }
  /** Everything is as it was before the migration, or the destination owns the guest: the state is final from here on. */
  end(): void {
    if (!this.status.move('cancelling', 'cancelled')) this.status.move('failing', 'failed');
  }
}
