import { MigrationCancelled, MigrationStateError } from '../errors.ts';
import { sendCommand } from '../stream/sections.ts';
import type { SourceContext } from './context.ts';
import { updateRates } from './iterate.ts';

/**
 * Phase 3: the guest stops here for good, unless the migration fails. The run state it had goes into
 * `globalstate`, and the disks are given up before the destination can take them.
 */
export async function switchover(ctx: SourceContext): Promise<void> {
  const { host, status, wire, pace } = ctx;
  updateRates(ctx);
  ctx.globalState.store(host.runState, wire.globalStateFlags);
  ctx.stoppedFrom = host.runState;
  ctx.stoppedAt = pace.now();
  await host.stop('finish-migrate');
  let from: 'active' | 'pre-switchover' = 'active';
  if (ctx.capabilities.has('pause-before-switchover')) {
    move(ctx, 'active', 'pre-switchover');
    from = 'pre-switchover';
    await Promise.race([ctx.continueSwitchover, aborted(ctx.signal)]);
    ctx.signal.throwIfAborted();
  }
  await host.inactivateDisks?.();
  ctx.signal.throwIfAborted();
  if (status.value !== 'device') move(ctx, from, 'device');
  for (const { handlers, state } of ctx.live) handlers.switchoverStart?.(state);
  if (wire.sendSwitchoverStart) sendCommand(ctx.writer, 'switchoverStart');
}

function move(ctx: SourceContext, from: 'active' | 'pre-switchover', to: 'pre-switchover' | 'device'): void {
  if (ctx.status.move(from, to)) return;
  if (ctx.signal.aborted) throw new MigrationCancelled();
  throw new MigrationStateError(`the migration is ${ctx.status.value}, not ${from}`);
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
