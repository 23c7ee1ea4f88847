import { isLive, type RunState } from '@sterna/core';
import { messageOf } from '../errors.ts';
import type { DestinationContext } from './context.ts';

/**
 * Phase 4: this side owns the guest, which goes on as it was on the source: one that ran or slept does so again,
 * unless `autostart` says no, also while the disks are being taken over. That comes at the last moment, when the guest
 * starts; a machine that stays stopped takes them at `cont`.
 */
export async function takeOver(
  { host, globalState, seen, probe }: DestinationContext,
  autostart: () => boolean,
): Promise<void> {
  // A source that does not say was running.
  const known = seen.has('globalstate/0');
  const state: RunState = known ? globalState.runState : 'running';
  if (host.wasSuspended !== undefined) host.wasSuspended = known && globalState.wasSuspended;
  if (!isLive(state)) host.setRunState(landed(state));
  else if (!autostart()) host.setRunState('paused');
  else {
    probe?.point('activate');
    await start(host, autostart);
  }
  probe?.point('started');
}

/** Without its disks the guest is here and stopped; `cont` tries again. */
async function start(host: DestinationContext['host'], autostart: () => boolean): Promise<void> {
  try {
    await host.activateDisks?.();
    if (autostart()) host.start();
    else host.setRunState('paused');
  } catch (error) {
    host.report?.(`the guest has arrived and stays stopped: ${messageOf(error)}`);
    host.setRunState('paused');
  }
}

/** States that only make sense on the source become `paused`. */
function landed(state: RunState): RunState {
  return state === 'finish-migrate' || state === 'inmigrate' || state === 'postmigrate' ? 'paused' : state;
}
