/** Snapshots of one machine: saved, loaded, deleted and listed by name. */
import { isLive, type RunState, SternaError } from '@sterna/core';
import { MigrationCancelled, messageOf } from '../errors.ts';
import type { WireProperties } from '../wire.ts';
import type { SnapshotHost } from './host.ts';
import { readState } from './read.ts';
import type { SnapshotInfo, SnapshotStore, VmStateSource } from './store.ts';
import { writeState } from './write.ts';

/** What an operation may be told. */
export interface SnapshotOptions {
  /** Name of the store that holds the machine's state; by default the machine's only one. */
  readonly store?: string | undefined;
  /** Names of everything that takes part; all of them when absent. */
  readonly devices?: readonly string[] | undefined;
  /** Aborts a save. A load has no way back. */
  readonly signal?: AbortSignal | undefined;
  /** Told how much of how much is done. */
  readonly progress?: ((current: number, total: number) => void) | undefined;
}

/** How to save. */
export interface SaveOptions extends SnapshotOptions {
  /** Replaces a snapshot of that name; the old one goes when the new one is complete. */
  readonly overwrite?: boolean;
}

const NOWHERE =
  'no block device can store vmstate for snapshot: there is no place for snapshots; start the machine with -snapshot-store dir=PATH';

/** Run states in which the guest is not here, or not yet: there is nothing to save, and nothing may run it. */
const ELSEWHERE: Readonly<Partial<Record<RunState, string>>> = {
  inmigrate: 'this machine waits for an incoming migration',
  'finish-migrate': 'the guest of this machine is moving away',
  postmigrate: 'the guest of this machine has moved away',
};

/** States from which only a reset leads, and so does a load. */
const WRECKED: readonly RunState[] = [
  'restore-vm',
  'shutdown',
  'internal-error',
  'io-error',
  'guest-panicked',
  'watchdog',
];

/** Saves, loads, deletes and lists a machine's snapshots. One operation at a time. */
export class Snapshots {
  readonly #host: SnapshotHost;
  readonly #stores: readonly SnapshotStore[];
  readonly #wire: WireProperties;
  #busy: 'saved' | 'loaded' | 'deleted' | undefined;
  /** Whether a guest that ran goes on when the operation is over. */
  #goesOn = true;

  /** @param stores places for snapshots; the first is the one that is meant when none is named */
  constructor(host: SnapshotHost, stores: readonly SnapshotStore[], wire: WireProperties) {
    this.#host = host;
    this.#stores = stores;
    this.#wire = wire;
  }

  /** What happens to a snapshot now; undefined when nothing does. */
  get busy(): 'saved' | 'loaded' | 'deleted' | undefined {
    return this.#busy;
  }

  /** Says during a save or load whether the guest runs afterwards: what `stop` and `cont` mean then. */
  goOn(wanted: boolean): void {
    this.#goesOn = wanted;
  }

  /** Complete snapshots of a store, oldest first. @throws SternaError when there is no store */
  async list(store?: string): Promise<readonly SnapshotInfo[]> {
    return this.#store(store).list();
  }

  /**
   * Saves the machine. The guest stands still meanwhile and goes on afterwards, whatever the result; one that slept
   * sleeps on.
   *
   * @throws SternaError `STERNA_ERR_SNAPSHOT` when there is a snapshot of that name, no place, or a disk that cannot
   *   take part; `STERNA_ERR_MIGRATION_BLOCKED` when a device forbids it
   */
  async save(name: string, options: SaveOptions = {}): Promise<SnapshotInfo> {
    const { signal = new AbortController().signal, progress = () => {}, overwrite = false } = options;
    const store = this.#place(options);
    checkName(name);
    this.#checkMigratable();
    using _ = this.#begin('saved');
    this.#checkPlace();
    const replaced = (await store.list()).filter((snapshot) => snapshot.name === name);
    if (replaced.length > 0 && !overwrite) throw refused(`Snapshot '${name}' already exists in one or more devices`);
    const info = await this.#write(store, name, signal, progress);
    for (const { id } of replaced) await store.remove(id);
    return info;
  }

  async #write(
    store: SnapshotStore,
    name: string,
    signal: AbortSignal,
    progress: (current: number, total: number) => void,
  ): Promise<SnapshotInfo> {
    const { migration } = this.#host;
    const sink = await store.begin();
    const from = migration.runState;
    try {
      if (isLive(from)) await migration.stop('save-vm');
      const facts = { name, dateNs: this.#host.wallNs(), vmClockNs: this.#host.vmClockNs() };
      const icount = this.#host.icount();
      await writeState(this.#host, from, sink, { wire: this.#wire, signal, progress });
      return await sink.commit(icount === undefined ? facts : { ...facts, icount });
    } catch (error) {
      await sink.abort().catch((failure) => migration.report?.(`after a failed save: ${messageOf(failure)}`));
      if (signal.aborted) throw new MigrationCancelled();
      throw failed(`snapshot '${name}' was not saved`, error);
    } finally {
      this.#resume(from, 'save-vm');
    }
  }

  /**
   * Loads a snapshot: the machine is reset and becomes what it was then. It runs afterwards if it ran before; a guest
   * that slept then is woken if this one ran.
   *
   * QUIRK: QEMU stops the machine before it looks for the snapshot. Here one that is missing or damaged is noticed
   * before, and the guest does not feel the attempt.
   *
   * @throws SternaError `STERNA_ERR_SNAPSHOT` or `STERNA_ERR_SNAPSHOT_CORRUPT` before anything has happened; later, when
   *   the state does not fit this machine, the machine is left in `restore-vm`: it has to be reset or load another one
   */
  async load(name: string, options: SnapshotOptions = {}): Promise<SnapshotInfo> {
    const store = this.#place(options);
    using _ = this.#begin('loaded');
    this.#checkPlace();
    const snapshot = await this.#find(store, name);
    if (snapshot.vmStateSize === 0)
      throw refused(
        `snapshot '${name}' holds only a disk: This is a disk-only snapshot. Revert to it offline using qemu-img`,
      );
    const source = await store.open(snapshot.id);
    try {
      await this.#read(name, source);
    } finally {
      await source.close();
    }
    return snapshot;
  }

  async #read(name: string, source: VmStateSource): Promise<void> {
    const { migration } = this.#host;
    const from = migration.runState;
    if (isLive(from)) await migration.stop('restore-vm');
    this.#host.reset();
    let slept: boolean;
    try {
      slept = await readState(this.#host, source, this.#wire);
    } catch (error) {
      migration.setRunState('restore-vm');
      throw failed(`snapshot '${name}' was not loaded; reset the machine or load another one`, error);
    }
    this.#host.wasSuspended = slept;
    if (isLive(from)) this.#resume(from, 'restore-vm');
    else migration.setRunState(WRECKED.includes(from) ? 'paused' : from);
    if (from === 'running' && migration.runState === 'suspended') this.#host.wakeUp();
  }

  /** Deletes a snapshot. As on QEMU, one that is not there is no error. */
  async remove(name: string, options: SnapshotOptions = {}): Promise<void> {
    const store = this.#place(options);
    using _ = this.#begin('deleted');
    for (const snapshot of await store.list()) if (snapshot.name === name) await store.remove(snapshot.id);
  }

  /** Lets the guest go on, unless something else has stopped it meanwhile. */
  #resume(from: RunState, during: RunState): void {
    const { migration } = this.#host;
    if (!isLive(from) || migration.runState !== during) return;
    if (this.#goesOn) migration.start();
    else migration.setRunState('paused');
  }

  #begin(what: 'saved' | 'loaded' | 'deleted'): Disposable {
    if (this.#busy !== undefined) throw refused(`a snapshot is being ${this.#busy}; wait for its end`);
    const blocker = this.#host.block(`a snapshot is being ${what}`);
    this.#busy = what;
    this.#goesOn = true;
    return {
      [Symbol.dispose]: () => {
        this.#busy = undefined;
        blocker[Symbol.dispose]();
      },
    };
  }

  #place({ store: name, devices }: SnapshotOptions): SnapshotStore {
    const store = this.#store(name ?? devices?.[0]);
    if (devices?.length === 0) throw refused('At least one device is required for snapshot');
    for (const device of devices ?? []) this.#store(device);
    return store;
  }

  #store(name: string | undefined): SnapshotStore {
    const [first] = this.#stores;
    if (first === undefined) throw refused(NOWHERE);
    if (name === undefined) return first;
    const store = this.#stores.find((candidate) => candidate.name === name);
    if (store !== undefined) return store;
    const names = this.#stores.map((candidate) => candidate.name).join(', ');
    throw refused(
      `vmstate block device '${name}' does not exist: no place for snapshots has that name; there is ${names}`,
    );
  }

  async #find(store: SnapshotStore, name: string): Promise<SnapshotInfo> {
    const found = (await store.list()).findLast((snapshot) => snapshot.name === name);
    if (found !== undefined) return found;
    const damaged = (await store.damaged?.()) ?? [];
    const hint = damaged.length === 0 ? '' : `; cannot be read: ${damaged.join('; ')}`;
    throw refused(`Snapshot '${name}' does not exist in one or more devices${hint}`);
  }

  /** What stands in the way of a save and of a load. */
  #checkPlace(): void {
    const elsewhere = ELSEWHERE[this.#host.migration.runState];
    if (elsewhere !== undefined) throw new SternaError('STERNA_ERR_MIGRATION_STATE', elsewhere);
    const [disk] = this.#host.unsupportedDisks();
    if (disk !== undefined) throw refused(`Device '${disk}' is writable but does not support snapshots`);
  }

  #checkMigratable(): void {
    const reasons = this.#host.migration.blockedReasons('normal');
    if (reasons.length > 0)
      throw new SternaError('STERNA_ERR_MIGRATION_BLOCKED', `snapshots are blocked: ${reasons.join('; ')}`);
  }
}

function checkName(name: string): void {
  const { length } = new TextEncoder().encode(name);
  if (length === 0 || length > 255) throw refused(`the name of a snapshot has 1 to 255 bytes, not ${length}`);
  if (!name.isWellFormed()) throw refused('the name of a snapshot has to be Unicode text');
}

function refused(message: string): SternaError {
  return new SternaError('STERNA_ERR_SNAPSHOT', message);
}

/** Keeps a code that says more. */
function failed(what: string, cause: unknown): SternaError {
  const code = cause instanceof SternaError ? cause.code : 'STERNA_ERR_SNAPSHOT';
  return new SternaError(code, `${what}: ${messageOf(cause)}`, { cause });
}
