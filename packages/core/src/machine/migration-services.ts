/**
 * What devices, plugins and the block layer have to do with a migration without importing it: they forbid it,
 * are told of it, and hand their disks over. `@sterna/migration` calls the other side of these services.
 */
import { type Service, service } from '../container/service.ts';
import type { MaybePromise } from '../vmstate/live.ts';

/** Migration modes, QMP's MigMode. */
export type MigrationMode = 'normal' | 'cpr-reboot' | 'cpr-transfer' | 'cpr-exec';

/** All modes. */
export const MIGRATION_MODES: readonly MigrationMode[] = ['normal', 'cpr-reboot', 'cpr-transfer', 'cpr-exec'];

/** Forbids migration while it is held; disposing takes it off the lists of all its modes. */
export interface MigrationBlocker extends Disposable {
  readonly reason: string;
}

/** Per-mode lists of reasons against migration. */
export interface MigrationBlockers {
  /**
   * Blocks the given modes (default: all) until disposed; a device's blockers end with it.
   *
   * @throws SternaError `STERNA_ERR_MIGRATION_BLOCKER` under `-only-migratable` when `normal` is among the modes, and
   *   while a migration or snapshot runs, which cannot take it into account any more
   */
  add(reason: string, modes?: readonly MigrationMode[]): MigrationBlocker;
  /** The same for something that lasts only as long as an operation, such as a dump: `-only-migratable` allows it. */
  addInternal(reason: string, modes?: readonly MigrationMode[]): MigrationBlocker;
  /** Reasons that block `mode` now, the oldest first. */
  reasons(mode: MigrationMode): readonly string[];
}
/** The machine's migration blockers. */
export const MigrationBlockers: Service<MigrationBlockers> = service('MigrationBlockers');

/** What a notifier is told of an outgoing migration (QEMU's MigrationEventType). */
export interface MigrationNotice {
  /**
   * `setup`: about to begin, the guest runs and nothing has been sent. `done` and `failed`: over; exactly one of the
   * two follows each `setup`, also when another notifier has refused. A cancelled migration has failed.
   */
  readonly type: 'setup' | 'done' | 'failed';
  readonly mode: MigrationMode;
}

/** Tells devices and plugins when a migration away from here begins and ends. */
export interface MigrationNotifiers {
  /**
   * Calls `listener` for migrations of the given modes (default: `normal`) until disposed; a device's notifiers end
   * with it. Notifiers are called and awaited in the order they were added.
   *
   * @param listener may throw on `setup`, and the migration fails with that error; later errors are only reported
   */
  add(
    name: string,
    listener: (notice: MigrationNotice) => MaybePromise<void>,
    modes?: readonly MigrationMode[],
  ): Disposable;
}
/** The machine's migration notifiers. */
export const MigrationNotifiers: Service<MigrationNotifiers> = service('MigrationNotifiers');

/**
 * Who owns the machine's disks. Images that two processes can open belong to one of them at a time: the owner is
 * the one whose nodes are active. The block layer provides this service in the machine's scope; a machine without
 * disks has none.
 *
 * A machine that waits for an incoming migration opens its nodes inactive. Both calls work on every node, are
 * idempotent (a node that is there already is left alone) and come one at a time.
 */
export interface BlockActivation {
  /**
   * True when every node is active. False from the moment `inactivateAll` begins, even if it fails, until
   * `activateAll` has succeeded: a machine never runs in between.
   */
  readonly active: boolean;
  /**
   * Drains and flushes every node, then gives up write access, so that the destination may open the images.
   *
   * @throws when a flush fails: some nodes may be inactive then, and `activateAll` makes the machine able to run again
   */
  inactivateAll(): Promise<void>;
  /**
   * Takes write access back and forgets whatever was cached of the images, since somebody else may have written them.
   *
   * @throws when a node cannot be taken: its image stays somebody else's, and the machine must not run
   */
  activateAll(): Promise<void>;
}
/** Activation of the machine's disks. */
export const BlockActivation: Service<BlockActivation> = service('BlockActivation');
