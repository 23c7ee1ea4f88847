import { messageOf } from '../errors.ts';
import type { SourceContext } from './context.ts';
import { throttle } from './sync.ts';

/** Last phase, whatever the result. A device that fails here must not keep the others from cleaning up. */
export function cleanup(ctx: SourceContext): void {
  throttle(ctx, 0);
  ctx.dirtyLimits?.end();
  for (const { header, handlers, state } of ctx.live) {
    try {
      handlers.saveCleanup?.(state);
    } catch (error) {
      ctx.host.report?.(`after the migration, section '${header.idstr}': ${messageOf(error)}`);
    }
  }
}

/** Tells everybody who was told of the beginning how it ended. */
export async function notifyEnd(ctx: SourceContext): Promise<void> {
  if (!ctx.notified) return;
  const type = ctx.status.value === 'completed' ? 'done' : 'failed';
  await ctx.host.notify?.({ type, mode: 'normal' });
}
