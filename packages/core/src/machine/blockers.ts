import { SternaError } from '../errors.ts';
import {
  MIGRATION_MODES,
  type MigrationBlocker,
  type MigrationBlockers,
  type MigrationMode,
} from './migration-services.ts';

/** Reasons against migration, per mode (QEMU migration/migration.c migrate_add_blocker_modes). */
export class BlockerList implements MigrationBlockers {
  /** `-only-migratable`: whatever would block a normal migration is refused instead. */
  readonly onlyMigratable: boolean;
  /** Answers whether a migration or snapshot is under way; set by whoever drives them. */
  busy: () => boolean = () => false;
  readonly #held = new Set<{ readonly reason: string; readonly modes: readonly MigrationMode[] }>();

  constructor(onlyMigratable = false) {
    this.onlyMigratable = onlyMigratable;
  }

  add(reason: string, modes: readonly MigrationMode[] = MIGRATION_MODES): MigrationBlocker {
    if (this.onlyMigratable && modes.includes('normal'))
      throw refused('disallowing migration blocker (--only-migratable) for', reason);
    return this.addInternal(reason, modes);
  }

  addInternal(reason: string, modes: readonly MigrationMode[] = MIGRATION_MODES): MigrationBlocker {
    if (this.busy()) throw refused('disallowing migration blocker (migration/snapshot in progress) for', reason);
    // One entry that every list of its modes shows: disposing it takes it off all of them.
    const entry = { reason, modes };
    this.#held.add(entry);
    return { reason, [Symbol.dispose]: () => void this.#held.delete(entry) };
  }

  reasons(mode: MigrationMode): readonly string[] {
    return [...this.#held].filter((entry) => entry.modes.includes(mode)).map((entry) => entry.reason);
  }
}

function refused(why: string, reason: string): SternaError {
  return new SternaError('STERNA_ERR_MIGRATION_BLOCKER', `${why}: ${reason}`);
}
