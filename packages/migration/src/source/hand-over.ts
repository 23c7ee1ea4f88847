import { SECTION } from '../stream/constants.ts';
import { type VmDescription, vmDescriptionJson } from '../vmstate/describe.ts';
import type { SourceContext } from './context.ts';

/**
 * Phase 7: the guest changes hands. Up to the marked line this side owns it, whatever breaks. From there on only the
 * destination may run it, and this side takes it back only if the destination says that it has failed.
 */
export async function handOver(ctx: SourceContext): Promise<void> {
  const { writer, probe } = ctx;
  probe?.point('saved');
  ctx.signal.throwIfAborted();
  ctx.returnPath?.check();
  const before = writer.taken();
  ctx.committed = true; // <- ownership changes hands here, with the end mark that lets the destination run the guest
  writer.u8(SECTION.eof);
  if (ctx.wire.sendVmDescription) writeDescription(ctx);
  const all = writer.flushed();
  all.catch(() => {});
  try {
    await before;
  } catch (error) {
    // The channel does not attempt the mark behind a write that failed.
    ctx.committed = false;
    throw error;
  }
  probe?.point('flushed');
  await all;
  await ctx.channel.end();
  probe?.point('committed');
  const error = await ctx.returnPath?.ended;
  if (error !== undefined) throw error;
  if (ctx.returnPath !== undefined) probe?.point('answered');
  ctx.counters.transferred = writer.transferred;
}

function writeDescription(ctx: SourceContext): void {
  const { writer, wire, devices } = ctx;
  const configuration = wire.describeConfiguration ? { configuration: ctx.configuration ?? {} } : {};
  const description: VmDescription = { ...configuration, page_size: 4096, devices };
  const json = new TextEncoder().encode(vmDescriptionJson(description));
  writer.u8(SECTION.vmdescription);
  writer.u32(json.length);
  writer.bytes(json);
}
