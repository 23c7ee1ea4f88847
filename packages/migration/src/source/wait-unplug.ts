import type { SourceContext } from './context.ts';

/** Time between two looks, and how often is looked after a cancel (QEMU migration/migration.c qemu_savevm_wait_unplug). */
const LOOK_MS = 250;
const LOOKS_AFTER_CANCEL = 120;

/**
 * Phase 3: devices that cannot move with the guest leave it first, such as the primary of a failover pair. The guest
 * was asked by a notifier; here the migration waits until it has let go, then it is `active`.
 */
export async function waitUnplug(ctx: SourceContext): Promise<void> {
  const { status, signal, pace } = ctx;
  if (!pending(ctx)) {
    status.move('setup', 'active');
    return;
  }
  status.move('setup', 'wait-unplug');
  while (!signal.aborted && pending(ctx)) await pace.sleep(LOOK_MS, signal);
  if (signal.aborted) await settle(ctx);
  status.move('wait-unplug', 'active');
}

/** After a cancel the guest should finish what it was asked, or the device comes back half removed. */
async function settle(ctx: SourceContext): Promise<void> {
  const never = new AbortController().signal;
  for (let look = 0; look < LOOKS_AFTER_CANCEL && pending(ctx); look++) await ctx.pace.sleep(LOOK_MS, never);
  if (pending(ctx)) ctx.host.report?.('the migration was cancelled while a device was partly unplugged');
}

function pending({ full }: SourceContext): boolean {
  return full.some(({ table, state }) => table.unplugPending?.(state) === true);
}
