import { deviceHook } from '../device-hook.ts';
import type { SourceContext } from './context.ts';

/** Phase 1: everybody who may refuse is asked, while nothing has been sent. */
export async function prepare(ctx: SourceContext): Promise<void> {
  for (const { header, handlers, state } of ctx.live)
    deviceHook(header, 'savePrepare', () => handlers.savePrepare?.(state));
  ctx.notified = true;
  await ctx.host.notify?.({ type: 'setup', mode: 'normal' });
  ctx.signal.throwIfAborted();
}
