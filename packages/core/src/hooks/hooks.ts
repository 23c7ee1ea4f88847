import { AsyncSeriesHook, SyncBailHook, SyncHook, SyncWaterfallHook } from 'tapable';
import { type Service, service } from '../container/service.ts';
import type { MigrationDecision, MigrationEstimate } from '../machine/migration-policy.ts';
import type { RunState, ShutdownCause } from '../machine/run-state.ts';

/** Adds a listener; the name appears in traces and errors. */
export interface SyncTap<T extends readonly unknown[]> {
  tap(name: string, listener: (...args: T) => void): void;
}
/** Adds a listener that may answer a promise; listeners run one after the other. */
export interface AsyncTap<T extends readonly unknown[]> extends SyncTap<T> {
  tapPromise(name: string, listener: (...args: T) => Promise<void>): void;
}
/** Adds a contributor that gets the value so far and answers the next one. */
export interface WaterfallTap<V> {
  tap(name: string, contribute: (value: V) => V): void;
}

/** Adds a listener that may answer; the first answer counts, and later listeners are not asked. */
export interface BailTap<V, R> {
  tap(name: string, answer: (value: V) => R | undefined): void;
}

/** What devices and plugins may listen to. Taps of a device end with it. */
export interface Hooks {
  /** The run state has changed. */
  readonly runState: SyncTap<[state: RunState, previous: RunState]>;
  /** All devices were reset and vCPUs are about to start. */
  readonly reset: SyncTap<[cause: ShutdownCause]>;
  /** A device has been realized. */
  readonly realized: SyncTap<[id: string]>;
  /** The guest powered off or the host ends the machine. */
  readonly shutdown: SyncTap<[cause: ShutdownCause]>;
  /** Every device exists; the machine has not run yet. */
  readonly ready: SyncTap<[]>;
  /** Contributes to the kernel command line of a direct boot. */
  readonly kernelCmdline: WaterfallTap<string>;
  /** A migration away from here is under way: its policy, see `MigrationDecision`. Without an answer it goes on as set. */
  readonly migrationRound: BailTap<MigrationEstimate, MigrationDecision>;
  /** The machine is about to be closed; async listeners are awaited. */
  readonly close: AsyncTap<[]>;
}
/** The machine's hooks, as seen by one owner. */
export const Hooks: Service<Hooks> = service('Hooks');

/** The hooks with their `call` sides, for the machine. */
export class MachineHooks {
  readonly runState: SyncHook<[RunState, RunState]> = new SyncHook(['state', 'previous'], 'runState');
  readonly reset: SyncHook<[ShutdownCause]> = new SyncHook(['cause'], 'reset');
  readonly realized: SyncHook<[string]> = new SyncHook(['id'], 'realized');
  readonly shutdown: SyncHook<[ShutdownCause]> = new SyncHook(['cause'], 'shutdown');
  readonly ready: SyncHook<[]> = new SyncHook([], 'ready');
  readonly kernelCmdline: SyncWaterfallHook<[string]> = new SyncWaterfallHook(['cmdline'], 'kernelCmdline');
  readonly migrationRound: SyncBailHook<[MigrationEstimate], MigrationDecision | undefined> = new SyncBailHook(
    ['estimate'],
    'migrationRound',
  );
  readonly close: AsyncSeriesHook<[]> = new AsyncSeriesHook([], 'close');

  /**
   * The hooks for one owner. tapable has no untap, so every listener is wrapped to do nothing once `isAlive`
   * answers false: the owner's scope and its taps end together.
   */
  ownedBy(isAlive: () => boolean): Hooks {
    const sync = <T extends readonly unknown[]>(hook: {
      tap(name: string, fn: (...args: T) => void): void;
    }): SyncTap<T> => ({
      tap: (name, listener) => hook.tap(name, (...args) => (isAlive() ? listener(...args) : undefined)),
    });
    return {
      runState: sync(this.runState),
      reset: sync(this.reset),
      realized: sync(this.realized),
      shutdown: sync(this.shutdown),
      ready: sync(this.ready as unknown as { tap(name: string, fn: () => void): void }),
      kernelCmdline: {
        tap: (name, contribute) => this.kernelCmdline.tap(name, (value) => (isAlive() ? contribute(value) : value)),
      },
      migrationRound: {
        tap: (name, answer) => this.migrationRound.tap(name, (estimate) => (isAlive() ? answer(estimate) : undefined)),
      },
      close: {
        tap: (name, listener) => this.close.tap(name, () => (isAlive() ? listener() : undefined)),
        tapPromise: (name, listener) => this.close.tapPromise(name, () => (isAlive() ? listener() : Promise.resolve())),
      },
    };
  }
}
