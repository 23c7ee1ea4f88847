/**
 * Phase 2: rounds over RAM and the other live devices while the guest runs,
 * until little enough is left.
 *
 * All of this happens on the guest's own event loop. A long stretch of page
 * copying would be a pause the guest sees, so work is done in slices of a
 * millisecond, and between two slices the loop turns: vCPUs run, sockets send,
 * QMP answers.
 *
 * Devices are served round-robin and unserialized: each turn starts at the
 * next one and gives each a slice. QEMU up to 8.2 went on to the second device
 * only when the first had nothing left; a RAM that is dirtied faster than it
 * is sent then starved everybody behind it.
 */
import { RAM_FLAG } from '../stream/constants.ts';
import { beginSection, endSection } from '../stream/sections.ts';
import type { LiveEntry, SourceContext } from './context.ts';
import { Convergence } from './convergence.ts';
import { liveContext } from './live.ts';
import { emitPass } from './setup.ts';

/** Longest stretch of copying between two turns of the loop, in ms. */
const SLICE_MS = 1;

/** Runs until the switchover may happen. */
export async function iterate(ctx: SourceContext): Promise<void> {
  const convergence = new Convergence();
  for (let first = 0; ; first++) {
    ctx.signal.throwIfAborted();
    ctx.writer.check();
    updateRates(ctx);
    if (decide(ctx, convergence)) return;
    await serveDevices(ctx, first);
    await ctx.pace.turn();
    await holdRate(ctx);
  }
}

/** Whether to switch over now. Looks closely (and starts a new round) only when the cheap estimate is promising. */
function decide(ctx: SourceContext, convergence: Convergence): boolean {
  const threshold = thresholdBytes(ctx);
  // Before the first measured rate nobody knows what fits; QEMU waits for its first window too.
  if (ctx.rate.rate === 0) return false;
  if (!convergence.worthLooking(pendingEstimate(ctx), threshold)) return false;
  const pending = pendingExact(ctx);
  return maySwitchOver(ctx) && convergence.decide(pending, threshold);
}

/** Bytes that fit the allowed downtime at the rate the channel has shown. */
function thresholdBytes(ctx: SourceContext): number {
  const parameters = ctx.parameters();
  const available = parameters['avail-switchover-bandwidth'] / 1000;
  return (available > 0 ? available : ctx.rate.rate) * parameters['downtime-limit'];
}

function maySwitchOver(ctx: SourceContext): boolean {
  if (!ctx.capabilities.has('switchover-ack') || ctx.host.runState !== 'running') return true;
  return ctx.returnPath?.switchoverAcked === true;
}

function pendingEstimate(ctx: SourceContext): number {
  let sum = ctx.ram.remaining;
  for (const { handlers, state } of active(ctx)) {
    const pending = handlers.statePendingEstimate?.(state);
    if (pending !== undefined) sum += pending.mustPrecopy + pending.canPostcopy;
  }
  return sum;
}

function pendingExact(ctx: SourceContext): number {
  ctx.ram.sync(ctx.pace.now());
  emitPass(ctx);
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

/** One slice for RAM and each live device, beginning with another one each time. */
async function serveDevices(ctx: SourceContext, first: number): Promise<void> {
  const devices: (LiveEntry | undefined)[] = [undefined, ...active(ctx)];
  for (let i = 0; i < devices.length; i++) {
    if (rateExceeded(ctx)) return;
    const entry = devices[(first + i) % devices.length];
    if (entry === undefined) await iterateRam(ctx);
    else await iterateDevice(ctx, entry);
    await ctx.writer.drain();
  }
}

async function iterateRam(ctx: SourceContext): Promise<void> {
  if (ctx.ram.remaining === 0) return;
  const { writer, pace } = ctx;
  beginSection(writer, 'part', ctx.ramHeader);
  const end = pace.now() + SLICE_MS;
  await ctx.ram.send(writer, () => pace.now() >= end || writer.congested || rateExceeded(ctx));
  writer.u64Number(RAM_FLAG.eos);
  endSection(writer, ctx.ramHeader.id, ctx.wire.sendSectionFooter);
  writer.flush();
}

async function iterateDevice(ctx: SourceContext, { header, handlers, state }: LiveEntry): Promise<void> {
  if (handlers.saveLiveIterate === undefined || handlers.isActiveIterate?.(state) === false) return;
  beginSection(ctx.writer, 'part', header);
  await handlers.saveLiveIterate(state, ctx.writer, liveContext(ctx));
  endSection(ctx.writer, header.id, ctx.wire.sendSectionFooter);
  ctx.writer.flush();
}

function rateExceeded(ctx: SourceContext): boolean {
  return ctx.rate.exceeded(ctx.writer.transferred, ctx.parameters()['max-bandwidth']);
}

async function holdRate(ctx: SourceContext): Promise<void> {
  if (rateExceeded(ctx)) await ctx.pace.sleep(ctx.rate.left(ctx.pace.now()), ctx.signal);
  // With nothing to send, syncing over and over would only drop the guest's write tags.
  else if (ctx.ram.remaining === 0) await ctx.pace.sleep(1, ctx.signal);
}

/** Closes a window of measurement and publishes its rates. */
export function updateRates(ctx: SourceContext): void {
  const { counters, writer, rate, pace } = ctx;
  counters.transferred = writer.transferred;
  counters.precopyBytes = writer.transferred;
  const pagesBefore = ctx.sentPagesAtWindow;
  const lasted = rate.turn(pace.now(), writer.transferred);
  if (lasted === undefined) return;
  const pages = counters.zeroPages + counters.normalPages;
  ctx.sentPagesAtWindow = pages;
  counters.mbps = (rate.rate * 8) / 1000;
  counters.pagesPerSecond = Math.round(((pages - pagesBefore) * 1000) / lasted);
  if (rate.rate > 0) counters.expectedDowntime = Math.round(ctx.ram.remaining / rate.rate);
}
