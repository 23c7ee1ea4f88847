import { deviceHook } from '../device-hook.ts';
import { unlessAborted } from '../pace.ts';
import { sendCommand } from '../stream/sections.ts';
import type { SourceContext } from './context.ts';
import { updateRates } from './iterate.ts';

/**
 * Phase 5: the guest stops here for good, unless the migration fails. The run state it had goes into
 * `globalstate`, and the disks are given up before the destination can take them.
 */
export async function switchover(ctx: SourceContext): Promise<void> {
  const { host, wire, signal } = ctx;
  updateRates(ctx);
  const stoppedFrom = host.runState;
  ctx.stoppedFrom = stoppedFrom;
  ctx.stoppedAt = ctx.pace.now();
  ctx.probe?.point('stop');
  ctx.globalState.store(stoppedFrom, host.wasSuspended ?? false, wire.globalStateFlags);
  await host.stop('finish-migrate');
  ctx.probe?.point('stopped');
  signal.throwIfAborted();
  if (ctx.capabilities.has('pause-before-switchover')) await waitForContinue(ctx);
  else move(ctx, 'active', 'device');
  await host.inactivateDisks?.();
  signal.throwIfAborted();
  for (const { header, handlers, state } of ctx.live)
    deviceHook(header, 'switchoverStart', () => handlers.switchoverStart?.(state));
  ctx.probe?.point('inactivated');
  if (wire.sendSwitchoverStart) sendCommand(ctx.writer, 'switchoverStart');
}

/** The guest is stopped and the disks are still here: whoever manages both sides may prepare the other one now. */
async function waitForContinue(ctx: SourceContext): Promise<void> {
  move(ctx, 'active', 'pre-switchover');
  await unlessAborted(Promise.race([ctx.continueSwitchover, broken(ctx)]), ctx.signal);
  move(ctx, 'pre-switchover', 'device');
}

/** Rejects when the destination is heard to be gone; without a return path it cannot be heard. */
async function broken({ returnPath }: SourceContext): Promise<never> {
  const error = await returnPath?.ended;
  return error === undefined ? new Promise<never>(() => {}) : Promise.reject(error);
}

function move(ctx: SourceContext, from: 'active' | 'pre-switchover', to: 'pre-switchover' | 'device'): void {
  // Only a cancel takes the state away from the phase that is in it.
  if (!ctx.status.move(from, to)) throw ctx.signal.reason;
}
