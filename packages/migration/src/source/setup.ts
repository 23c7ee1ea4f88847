import { deviceHook } from '../device-hook.ts';
import { writeConfiguration } from '../sections/configuration.ts';
import { beginSection, endSection, sendCommand, writeHeader } from '../stream/sections.ts';
import { saveVmState } from '../vmstate/save.ts';
import type { SourceContext } from './context.ts';
import { liveContext } from './live.ts';
import { COMMAND_PING_SETUP } from './ping.ts';
import { syncRam } from './sync.ts';

/**
 * Phase 2: header, configuration, and the START sections of everything that is sent while the guest runs.
 * Dirty tracking begins here.
 */
export async function setup(ctx: SourceContext): Promise<void> {
  const { writer, wire, host, capabilities } = ctx;
  writeHeader(writer);
  if (wire.sendConfiguration) ctx.configuration = writeConfiguration(writer, host, capabilities);
  if (ctx.returnPath !== undefined) {
    sendCommand(writer, 'openReturnPath');
    sendCommand(writer, 'ping', COMMAND_PING_SETUP);
    ctx.probe?.ping(1);
  }
  for (const { header, table, state } of ctx.full) {
    if (table.earlySetup !== true || table.needed?.(state) === false) continue;
    beginSection(writer, 'full', header);
    const description = deviceHook(header, 'its state', () => saveVmState(writer, table, state));
    ctx.devices.push({ name: header.idstr, instance_id: header.instanceId, ...description });
    endSection(writer, header.id, wire.sendSectionFooter);
  }
  beginSection(writer, 'start', ctx.ramHeader);
  ctx.ram.mark();
  syncRam(ctx);
  ctx.ram.list(writer);
  await ctx.ram.endSection(ctx.pages, writer, 'start');
  endSection(writer, ctx.ramHeader.id, wire.sendSectionFooter);
  for (const { header, handlers, state } of ctx.live) {
    beginSection(writer, 'start', header);
    await deviceHook(header, 'saveSetup', () => handlers.saveSetup?.(state, writer, liveContext(ctx, header)));
    endSection(writer, header.id, wire.sendSectionFooter);
  }
  writer.flush();
  await writer.drain();
  ctx.counters.setupTime = ctx.pace.now() - ctx.counters.startedAt;
}
