import { RAM_FLAG, SECTION } from '../stream/constants.ts';
import { beginSection, endSection } from '../stream/sections.ts';
import type { DeviceDescription, VmDescription } from '../vmstate/describe.ts';
import { vmDescriptionJson } from '../vmstate/describe.ts';
import { saveVmState } from '../vmstate/save.ts';
import type { SourceContext } from './context.ts';
import { liveContext } from './live.ts';
import { syncRam } from './sync.ts';

/** Phase 4: what is left of RAM and live devices, every other device whole, and the end. The guest stands still. */
export async function complete(ctx: SourceContext): Promise<void> {
  const { writer, wire } = ctx;
  const before = writer.transferred;
  syncRam(ctx);
  beginSection(writer, 'end', ctx.ramHeader);
  await ctx.ram.sendAll(ctx.pages, writer, ctx.signal);
  ctx.signal.throwIfAborted();
  writer.u64Number(RAM_FLAG.eos);
  endSection(writer, ctx.ramHeader.id, wire.sendSectionFooter);
  for (const { header, handlers, state } of ctx.live) {
    beginSection(writer, 'end', header);
    await handlers.saveComplete(state, writer, liveContext(ctx));
    endSection(writer, header.id, wire.sendSectionFooter);
  }
  const devices = saveDevices(ctx);
  ctx.signal.throwIfAborted();
  // Point of no return: the EOF byte is what lets the destination run the guest.
  ctx.committed = true;
  writer.u8(SECTION.eof);
  if (wire.sendVmDescription) writeDescription(ctx, devices);
  await writer.flushed();
  await ctx.writer.channel.end();
  await ctx.returnPath?.finished();
  ctx.counters.transferred = writer.transferred;
  ctx.counters.downtimeBytes = writer.transferred - before;
}

function saveDevices(ctx: SourceContext): DeviceDescription[] {
  const { writer, wire } = ctx;
  const devices: DeviceDescription[] = [];
  for (const { header, table, state } of ctx.full) {
    if (table.earlySetup === true || table.needed?.(state) === false) continue;
    beginSection(writer, 'full', header);
    const description = saveVmState(writer, table, state);
    endSection(writer, header.id, wire.sendSectionFooter);
    devices.push({ name: header.idstr, instance_id: header.instanceId, ...description });
  }
  return devices;
}

function writeDescription(ctx: SourceContext, devices: DeviceDescription[]): void {
  const configuration = ctx.wire.describeConfiguration ? { configuration: ctx.configuration ?? {} } : {};
  const description: VmDescription = { ...configuration, page_size: 4096, devices };
  const json = new TextEncoder().encode(vmDescriptionJson(description));
  ctx.writer.u8(SECTION.vmdescription);
  ctx.writer.u32(json.length);
  ctx.writer.bytes(json);
}
