import type { MaybePromise } from '../vmstate/live.ts';
import type { MigrationMode, MigrationNotice, MigrationNotifiers } from './migration-services.ts';

interface Entry {
  readonly name: string;
  readonly listener: (notice: MigrationNotice) => MaybePromise<void>;
  readonly modes: readonly MigrationMode[];
}

/** Listeners to the beginning and end of migrations, per mode (QEMU migration/migration.c migration_add_notifier). */
export class NotifierList implements MigrationNotifiers {
  readonly #entries = new Set<Entry>();

  add(name: string, listener: Entry['listener'], modes: readonly MigrationMode[] = ['normal']): Disposable {
    const entry: Entry = { name, listener, modes };
    this.#entries.add(entry);
    return { [Symbol.dispose]: () => void this.#entries.delete(entry) };
  }

  /**
   * Calls the listeners of the notice's mode in the order they were added.
   *
   * @throws for `setup` what the first listener that refuses has thrown; the later ones are not called
   * @param report told of errors of the other notices, which change nothing
   */
  async notify(notice: MigrationNotice, report: (text: string) => void): Promise<void> {
    for (const { name, listener, modes } of [...this.#entries]) {
      if (!modes.includes(notice.mode)) continue;
      try {
        await listener(notice);
      } catch (error) {
        if (notice.type === 'setup') throw error;
        report(`${name}, told that the migration is ${notice.type}: ${error instanceof Error ? error.message : error}`);
      }
    }
  }
}
