import type { MigrationBlocker, MigrationBlockers, MigrationMode } from './services.ts';

const ALL_MODES: readonly MigrationMode[] = ['normal', 'cpr-reboot', 'cpr-transfer', 'cpr-exec'];

/** Reasons against migration, per mode. */
export class BlockerList implements MigrationBlockers {
  readonly #held = new Set<{ readonly reason: string; readonly modes: readonly MigrationMode[] }>();

  add(reason: string, modes: readonly MigrationMode[] = ALL_MODES): MigrationBlocker {
    const entry = { reason, modes };
    this.#held.add(entry);
    return { reason, [Symbol.dispose]: () => void this.#held.delete(entry) };
  }

  reasons(mode: MigrationMode): readonly string[] {
    return [...this.#held].filter((entry) => entry.modes.includes(mode)).map((entry) => entry.reason);
  }
}
