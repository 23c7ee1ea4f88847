/**
 * Live sections: state that is too large to be sent while the guest stands
 * still. The hooks carry QEMU's names (SaveVMHandlers); a device implements
 * those it needs. RAM is such a section inside `@sterna/migration`.
 */
import type { LoadStream, SaveStream } from './stream.ts';

/** State not yet sent, in bytes. */
export interface PendingState {
  /** Must be sent before the destination may run. */
  readonly mustPrecopy: number;
  /** May be sent after the switchover, when postcopy is on. */
  readonly canPostcopy: number;
}

/** A result, or a promise of one. */
export type MaybePromise<T> = T | Promise<T>;

/** Channels beside the main one that carry device state (multifd). */
export interface DeviceStateChannels {
  /**
   * Sends a packet to this device on the other side. Packets may overtake each other, so each says where it belongs.
   *
   * @throws the channel's error
   */
  send(packet: Uint8Array): Promise<void>;
}

/** What the migration tells a saving device beside the stream. */
export interface SaveContext {
  /** Bytes the device should write at most in this call; a guide, not a limit. */
  readonly budget: number;
  /** Aborted when the migration is cancelled or has failed. */
  readonly signal: AbortSignal;
  /** Whether the switchover waits for the destination's devices (capability switchover-ack). */
  readonly switchoverAck: boolean;
  /** Absent when the migration has no channels for device state. */
  readonly stateChannels?: DeviceStateChannels | undefined;
}

/** What the migration tells a loading device beside the stream. */
export interface LoadContext {
  /** Version in the section's header. */
  readonly version: number;
  /** Kind of section the bytes are in. */
  readonly phase: 'setup' | 'iterate' | 'complete';
  /** Says that the initial data has arrived and the source may switch over (capability switchover-ack). */
  approveSwitchover(): void;
}

/**
 * Live phases (QEMU's SaveVMHandlers) of a device of type `D`. Saving hooks up to
 * {@link LiveHandlers.saveComplete} run while the guest runs; they must leave the
 * device unchanged for the guest, since the migration may still fail.
 */
export interface LiveHandlers<D> {
  /** Version written in the section header, and the newest accepted. */
  readonly version: number;
  /** Refuses a migration by throwing, before anything has been sent. */
  savePrepare?(dev: D): void;
  /** False takes the device out of this migration altogether. */
  isActive?(dev: D): boolean;
  /** Starts over: forgets any earlier attempt and writes what the destination must know first. */
  saveSetup?(dev: D, stream: SaveStream, context: SaveContext): MaybePromise<void>;
  /** False skips the device in this round of iteration. */
  isActiveIterate?(dev: D): boolean;
  /** Sends a part. `'done'` when nothing is left at the moment. */
  saveLiveIterate?(dev: D, stream: SaveStream, context: SaveContext): MaybePromise<'more' | 'done'>;
  /** What is left, cheap and possibly out of date. Called in every turn. */
  statePendingEstimate?(dev: D): PendingState;
  /** What is left, after looking. Called when the estimate is below the switchover's budget. */
  statePendingExact?(dev: D): PendingState;
  /** The guest has stopped for good on this side: hooks that prepare for the final part. */
  switchoverStart?(dev: D): void;
  /** Sends everything that is left. The guest is stopped. */
  saveComplete(dev: D, stream: SaveStream, context: SaveContext): MaybePromise<void>;
  /**
   * Sends what is left over {@link SaveContext.stateChannels}, while others do the same and the main channel goes on. Called
   * when the guest has stopped, before `saveComplete`, and only where there are such channels.
   */
  saveCompleteThread?(dev: D, context: SaveContext): Promise<void>;
  /** The attempt is over, whatever its result. */
  saveCleanup?(dev: D): void;
  /** Whether the device can finish after the switchover. */
  hasPostcopy?(dev: D): boolean;
  /** Last call before the guest moves while this device still has data. */
  savePostcopyPrepare?(dev: D, stream: SaveStream): void;
  /** A broken postcopy migration is about to go on. */
  resumePrepare?(dev: D): MaybePromise<void>;
  /** Before the first section is loaded. */
  loadSetup?(dev: D): void;
  /** Reads one section's data. Must be restartable, or await `stream.ready`; see {@link LoadStream}. */
  loadState(dev: D, stream: LoadStream, context: LoadContext): MaybePromise<void>;
  /** Takes one packet of `saveCompleteThread`, in whatever order they come. */
  loadStateBuffer?(dev: D, data: Uint8Array): void;
  /**
   * Loads what `loadStateBuffer` has taken. Begins with the switchover, where there are channels for device state, and resolves
   * when the device has everything, also if that came over the main channel. The device's whole state is loaded afterwards.
   *
   * @param signal - Aborted when the load has failed.
   */
  loadThread?(dev: D, signal: AbortSignal): Promise<void>;
  /** The load is over, whatever its result. */
  loadCleanup?(dev: D): void;
  /** Must the source wait until the destination has called `approveSwitchover`? Asked on both sides. */
  switchoverAckNeeded?(dev: D): boolean;
}
