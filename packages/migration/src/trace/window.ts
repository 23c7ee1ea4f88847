import type { SourceContext } from '../source/context.ts';
import { sendCommand } from '../stream/sections.ts';
import type { MigrationProbe } from './probe.ts';

/** Pings of ours begin here; QEMU gives the low numbers a meaning. */
export const FIRST_PING = 0x1000;

/** Tells of a window that has ended, between two sections. Where it is wanted the destination is asked for an answer. */
export function tellWindow(ctx: SourceContext, probe: MigrationProbe, ms: number): void {
  probe.window(ms);
  if (probe.pings !== true || ctx.returnPath === undefined) return;
  const value = FIRST_PING + Math.round(ctx.pace.now() - ctx.counters.startedAt);
  sendCommand(ctx.writer, 'ping', Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value));
  probe.ping(value);
}
