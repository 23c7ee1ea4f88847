import { deviceHook } from '../device-hook.ts';
import { beginSection, endSection } from '../stream/sections.ts';
import { saveVmState } from '../vmstate/save.ts';
import type { SourceContext } from './context.ts';
import { liveContext } from './live.ts';
import { syncRam } from './sync.ts';

/** Phase 6: what is left of RAM and live devices, and every other device whole. The guest stands still. */
export async function complete(ctx: SourceContext): Promise<void> {
  const { writer, wire } = ctx;
  const before = writer.transferred;
  syncRam(ctx);
  beginSection(writer, 'end', ctx.ramHeader);
  await ctx.ram.sendAll(ctx.pages, writer, ctx.signal);
  ctx.signal.throwIfAborted();
  await ctx.ram.endSection(ctx.pages, writer, 'end');
  endSection(writer, ctx.ramHeader.id, wire.sendSectionFooter);
  const threads = startThreads(ctx);
  threads.catch(() => {});
  for (const { header, handlers, state } of ctx.live) {
    beginSection(writer, 'end', header);
    await deviceHook(header, 'saveComplete', () => handlers.saveComplete(state, writer, liveContext(ctx, header)));
    endSection(writer, header.id, wire.sendSectionFooter);
  }
  await threads;
  // A cancel is in time until the rest is handed over: that should not be much.
  if (ctx.live.length > 0) await writer.flushed();
  saveDevices(ctx);
  if (ctx.pages.settled !== undefined) {
    writer.flush();
    // A channel that has broken must be known before the guest changes hands.
    await ctx.pages.settled();
  }
  ctx.counters.downtimeBytes = writer.transferred - before;
}

/** Devices that send over channels of their own do so at the same time. Resolves when all have. */
async function startThreads(ctx: SourceContext): Promise<void> {
  const threads = ctx.live.map(async ({ header, handlers, state }) => {
    const context = liveContext(ctx, header);
    if (context.stateChannels === undefined || handlers.saveCompleteThread === undefined) return;
    await deviceHook(header, 'saveCompleteThread', () => handlers.saveCompleteThread?.(state, context));
  });
  await Promise.all(threads);
}

function saveDevices(ctx: SourceContext): void {
  const { writer, wire } = ctx;
  for (const { header, table, state } of ctx.full) {
    if (table.earlySetup === true || table.needed?.(state) === false) continue;
    beginSection(writer, 'full', header);
    const description = deviceHook(header, 'its state', () => saveVmState(writer, table, state));
    endSection(writer, header.id, wire.sendSectionFooter);
    ctx.devices.push({ name: header.idstr, instance_id: header.instanceId, ...description });
  }
}
