/**
 * Phase 2: rounds over RAM and the other live devices while the guest runs,
 * until little enough is left.
 *
 * Devices are served round-robin and unserialized: each turn starts at the
 * next one, and `FairShares` divides the bandwidth. Between two turns the loop
 * turns too: vCPUs run, sockets send, QMP answers.
 */
import { beginSection, endSection } from '../stream/sections.ts';
import { tellWindow } from '../trace/window.ts';
import { FORCED_SYNC_MS } from './auto-converge.ts';
import type { LiveEntry, SourceContext } from './context.ts';
import { Convergence } from './convergence.ts';
import { liveContext } from './live.ts';
import { followPolicy } from './policy.ts';
import { syncRam } from './sync.ts';

/** Longest turn of RAM or a device before the others are looked at again, in ms (QEMU's MAX_WAIT). */
const TURN_MS = 50;
/** Time between two looks at RAM while only an acknowledgement is missing: each look costs the guest its write tags. */
const WAITING_SYNC_MS = 100;
/** Time after which a changed bandwidth limit is noticed. */
const LIMIT_POLL_MS = 10;

/** Runs until the switchover may happen. */
export async function iterate(ctx: SourceContext): Promise<void> {
  const convergence = new Convergence();
  using _policy = followPolicy(ctx, () => pendingEstimate(ctx));
  for (let first = 0; ; first++) {
    ctx.signal.throwIfAborted();
    ctx.writer.check();
    updateRates(ctx);
    if (decide(ctx, convergence) && ctx.rehearsal?.over !== false) return;
    await serveDevices(ctx, first);
    await ctx.pace.turn();
    await holdRate(ctx);
  }
}

/** Whether to switch over now. Looks closely (and starts a new round) only when the cheap estimate is promising. */
function decide(ctx: SourceContext, convergence: Convergence): boolean {
  forceSync(ctx);
  const { downtimeLimitMs } = ctx.policy;
  // The guest is to stop now, whatever is left.
  if (downtimeLimitMs === Number.POSITIVE_INFINITY) return maySwitchOver(ctx);
  const threshold = thresholdBytes(ctx);
  // A policy that allows a longer pause wants no rounds that make it shorter.
  if (downtimeLimitMs !== undefined)
    return pendingEstimate(ctx) < threshold && maySwitchOver(ctx) && pendingExact(ctx) < threshold;
  if (!convergence.worthLooking(pendingEstimate(ctx), threshold)) return false;
  const allowed = maySwitchOver(ctx);
  if (!allowed && ctx.pace.now() - ctx.dirtying.syncedAt < WAITING_SYNC_MS) return false;
  return convergence.decide(pendingExact(ctx), threshold) && allowed;
}

/** While a guest is throttled, long rounds are no reason to look away. The first round is: it sends everything anyway. */
function forceSync(ctx: SourceContext): void {
  if (!ctx.capabilities.has('auto-converge') || ctx.counters.syncCount <= 1) return;
  if (ctx.pace.now() - ctx.dirtying.syncedAt >= FORCED_SYNC_MS) syncRam(ctx);
}

/** Bytes that fit the allowed downtime. */
function thresholdBytes(ctx: SourceContext): number {
  return switchoverRate(ctx) * (ctx.policy.downtimeLimitMs ?? ctx.parameters()['downtime-limit']);
}

/** Bytes per ms to expect at the switchover: what the user says, else what the channel has shown. */
function switchoverRate(ctx: SourceContext): number {
  const available = ctx.parameters()['avail-switchover-bandwidth'] / 1000;
  return available > 0 ? available : ctx.rate.measured(ctx.pace.now(), ctx.writer.transferred);
}

function maySwitchOver(ctx: SourceContext): boolean {
  if (!ctx.capabilities.has('switchover-ack') || ctx.host.runState !== 'running') return true;
  return (ctx.returnPath?.switchoverAcks ?? 0) >= acksWanted(ctx);
}

/** Approvals to wait for: one for all devices of the destination, or one for each of ours that wants it. */
function acksWanted({ wire, live }: SourceContext): number {
  if (wire.switchoverAckLegacy) return 1;
  return live.filter(({ handlers, state }) => handlers.switchoverAckNeeded?.(state) === true).length;
}

function pendingEstimate(ctx: SourceContext): number {
  let sum = ctx.ram.remaining;
  for (const { handlers, state } of active(ctx)) {
    const pending = handlers.statePendingEstimate?.(state);
    if (pending !== undefined) sum += pending.mustPrecopy + pending.canPostcopy;
  }
  ctx.counters.pending = sum;
  return sum;
}

function pendingExact(ctx: SourceContext): number {
  syncRam(ctx);
  let sum = ctx.ram.remaining;
  for (const { handlers, state } of active(ctx)) {
    const pending = (handlers.statePendingExact ?? handlers.statePendingEstimate)?.(state);
    if (pending !== undefined) sum += pending.mustPrecopy + pending.canPostcopy;
  }
  return sum;
}

function active(ctx: SourceContext): readonly LiveEntry[] {
  return ctx.live.filter(({ handlers, state }) => handlers.isActive?.(state) !== false);
}

/** One turn for RAM and each live device, beginning with another one each time. */
async function serveDevices(ctx: SourceContext, first: number): Promise<void> {
  const { shares, writer } = ctx;
  const devices = active(ctx).filter(iterates);
  const turns: (LiveEntry | 'ram')[] = ctx.ram.remaining > 0 ? ['ram', ...devices] : [...devices];
  for (let i = 0; i < turns.length; i++) {
    const left = rateLeft(ctx);
    if (left <= 0) return;
    const entry = turns[(first + i) % turns.length]!;
    const before = writer.transferred;
    if (entry === 'ram' && turns.length === 1) await iterateRam(ctx, left);
    else {
      const key = entry === 'ram' ? ctx.ram : entry;
      const share = shares.grant(key, left, turns.length - i);
      if (share <= 0) continue;
      if (entry === 'ram') await iterateRam(ctx, share);
      else await iterateDevice(ctx, entry, share);
      shares.used(key, writer.transferred - before);
    }
    await writer.drain();
  }
}

function iterates({ handlers, state }: LiveEntry): boolean {
  return handlers.saveLiveIterate !== undefined && handlers.isActiveIterate?.(state) !== false;
}

async function iterateRam(ctx: SourceContext, bytes: number): Promise<void> {
  const { writer } = ctx;
  beginSection(writer, 'part', ctx.ramHeader);
  await ctx.ram.send(ctx.pages, writer, { bytes, ms: TURN_MS });
  await ctx.ram.endSection(ctx.pages, writer, 'part');
  endSection(writer, ctx.ramHeader.id, ctx.wire.sendSectionFooter);
  writer.flush();
}

/**
 * Asks a device until its share is used, its hook has taken a turn's time, or it has nothing more for now; between two parts
 * the loop turns. Waiting for a slow channel is nobody's time: shares are of bytes.
 */
async function iterateDevice(ctx: SourceContext, { header, handlers, state }: LiveEntry, share: number): Promise<void> {
  const { writer, pace } = ctx;
  let ms = 0;
  for (const end = writer.transferred + share; ; ) {
    const before = writer.transferred;
    beginSection(writer, 'part', header);
    const asked = pace.now();
    const result = await handlers.saveLiveIterate!(state, writer, liveContext(ctx, header, end - before));
    ms += pace.now() - asked;
    endSection(writer, header.id, ctx.wire.sendSectionFooter);
    writer.flush();
    if (result === 'done' || writer.transferred >= end || ms >= TURN_MS) return;
    await writer.drain();
    await pace.turn();
    ctx.signal.throwIfAborted();
  }
}

/** Bytes that may still be sent in this window. */
function rateLeft(ctx: SourceContext): number {
  return ctx.rate.bytesLeft(ctx.writer.transferred, ctx.parameters()['max-bandwidth']);
}

async function holdRate(ctx: SourceContext): Promise<void> {
  for (;;) {
    const left = ctx.rate.left(ctx.pace.now());
    if (rateLeft(ctx) > 0 || left <= 0) break;
    await ctx.pace.sleep(Math.min(left, LIMIT_POLL_MS), ctx.signal);
    ctx.signal.throwIfAborted();
  }
  // With nothing to send, syncing over and over would only drop the guest's write tags.
  if (ctx.ram.remaining === 0) await ctx.pace.sleep(1, ctx.signal);
}

/** Closes a window of measurement and publishes its rates. */
export function updateRates(ctx: SourceContext): void {
  const { counters, writer, rate, pace } = ctx;
  counters.transferred = writer.transferred;
  counters.precopyBytes = writer.transferred - counters.multifdBytes;
  const pagesBefore = ctx.sentPagesAtWindow;
  const windowBytes = rate.sent(writer.transferred);
  const lasted = rate.turn(pace.now(), writer.transferred);
  if (lasted === undefined) return;
  const pages = counters.sentPages;
  ctx.sentPagesAtWindow = pages;
  counters.mbps = (windowBytes * 8) / lasted / 1000;
  counters.pagesPerSecond = Math.round(((pages - pagesBefore) * 1000) / lasted);
  // A window with next to nothing in it says nothing about the channel.
  if (counters.dirtyPagesRate > 0 && windowBytes > 10_000)
    counters.expectedDowntime = Math.round(counters.dirtyBytesLastSync / switchoverRate(ctx));
  if (ctx.probe !== undefined) tellWindow(ctx, ctx.probe, lasted);
}
