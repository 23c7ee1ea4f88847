import type { SourceContext } from './context.ts';

/** Phase 8, after success: the guest is the destination's now. */
export function finish(ctx: SourceContext): void {
  const now = ctx.pace.now();
  ctx.counters.downtime = Math.round(now - ctx.stoppedAt);
  ctx.counters.totalTime = Math.round(now - ctx.counters.startedAt);
  ctx.host.setRunState('postmigrate');
  ctx.status.move('device', 'completed');
}
