import { isLive } from '@sterna/core';
import { messageOf } from '../errors.ts';
import type { SourceContext } from './context.ts';

/**
 * Phase 8, after a failure or cancel: everything is as if there had been no migration. Disks come back before
 * the guest runs; when they cannot, it stays stopped, since somebody else may be writing to them, and `cont` tries again.
 */
export async function rollBack(ctx: SourceContext): Promise<void> {
  const { host, stoppedFrom } = ctx;
  if (stoppedFrom === undefined) return;
  try {
    await host.activateDisks?.();
    // A guest that powered off or was stopped meanwhile stays so.
    if (host.runState !== 'finish-migrate') return;
    if (isLive(stoppedFrom)) host.start();
    else host.setRunState(stoppedFrom);
  } catch (error) {
    host.report?.(`the guest stays stopped, its disks could not be taken back: ${messageOf(error)}`);
    if (host.runState === 'finish-migrate') host.setRunState('paused');
  }
}

/**
 * Phase 8, when nobody here can know who owns the guest: it stays stopped, without its disks.
 * QUIRK: QEMU starts it again, and two of it may run.
 */
export function disown(ctx: SourceContext): void {
  ctx.host.setRunState('postmigrate');
}
