import { messageOf } from '../errors.ts';
import type { SourceContext } from './context.ts';
import { throttle } from './sync.ts';

/** Last phase after success: the guest is the destination's now. */
export function finish(ctx: SourceContext): void {
  const now = ctx.pace.now();
  ctx.counters.downtime = Math.round(now - ctx.stoppedAt);
  ctx.counters.totalTime = Math.round(now - ctx.counters.startedAt);
  ctx.host.setRunState('postmigrate');
  ctx.status.move('device', 'completed');
}

/**
 * Last phase after a failure or cancel: everything is as if there had been no migration. Disks come back before
 * the guest runs; when they cannot, it stays stopped, since somebody else may be writing to them.
 */
export async function rollBack(ctx: SourceContext): Promise<void> {
  const from = ctx.stoppedFrom;
  if (from === undefined) return;
  try {
    await ctx.host.activateDisks?.();
  } catch (error) {
    ctx.host.report?.(`the guest stays stopped, its disks could not be taken back: ${messageOf(error)}`);
    ctx.host.setRunState('paused');
    return;
  }
  // A guest that powered off or was stopped meanwhile stays so.
  if (ctx.host.runState !== 'finish-migrate') return;
  if (from === 'running') ctx.host.start();
  else ctx.host.setRunState(from);
}

/** Runs whatever the result. A device that fails here must not keep the others from cleaning up. */
export function cleanup(ctx: SourceContext): void {
  throttle(ctx, 0);
  for (const { handlers, state } of ctx.live) {
    try {
      handlers.saveCleanup?.(state);
    } catch (error) {
      ctx.host.report?.(`after the migration: ${messageOf(error)}`);
    }
  }
}
