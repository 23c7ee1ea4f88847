import { PERIOD_MS } from './auto-converge.ts';
import type { SourceContext } from './context.ts';

/**
 * Starts a new round over RAM: what was written since the last sync is to be sent. Once a second it is also compared with
 * what was sent.
 */
export function syncRam(ctx: SourceContext): void {
  const { counters, dirtying, pace } = ctx;
  const fresh = ctx.ram.sync();
  dirtying.pages += fresh;
  ctx.probe?.pass(counters.syncCount, fresh, ctx.ram.remaining, ctx.writer.transferred);
  counters.dirtyBytesLastSync = ctx.ram.remaining;
  dirtying.syncedAt = pace.now();
  const period = dirtying.syncedAt - dirtying.since;
  if (period > PERIOD_MS) endPeriod(ctx, period);
  if (ctx.capabilities.has('events')) ctx.host.emit({ event: 'MIGRATION_PASS', data: { pass: counters.syncCount } });
}

function endPeriod(ctx: SourceContext, period: number): void {
  const { counters, dirtying, writer } = ctx;
  const parameters = ctx.parameters();
  const sent = writer.transferred - dirtying.transferred;
  const ended = { dirtied: dirtying.pages * 4096, sent };
  if (ctx.capabilities.has('auto-converge') && ctx.autoConverge.evaluate(ended, parameters))
    throttle(ctx, ctx.autoConverge.percentage);
  if (ctx.capabilities.has('dirty-limit') && ctx.autoConverge.violates(ended, parameters))
    ctx.dirtyLimits?.begin(parameters['vcpu-dirty-limit'], parameters['x-vcpu-dirty-limit-period']);
  counters.xbzrle.endPeriod(counters.sentPages);
  counters.dirtyPagesRate = Math.floor((dirtying.pages * 1000) / period);
  dirtying.pages = 0;
  dirtying.since = dirtying.syncedAt;
  dirtying.transferred = writer.transferred;
}

/** Keeps vCPUs from running in this percentage of the time; 0 lets them run freely again. */
export function throttle(ctx: SourceContext, percentage: number): void {
  if (percentage !== ctx.counters.throttlePercentage) ctx.probe?.throttle(percentage);
  ctx.counters.throttlePercentage = percentage;
  ctx.host.throttle?.(percentage);
}
