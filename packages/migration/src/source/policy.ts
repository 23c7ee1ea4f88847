/**
 * The policy of a migration: whether it goes on, and on which terms. Asked ten times a second while rounds are made,
 * also when the channel is stuck. The machine's own policy (hook `migrationRound`) is asked first; without its answer
 * the deadline of the parameters counts.
 */
import { type MigrationDecision, type MigrationEstimate, SternaError } from '@sterna/core';
import { MigrationCancelled } from '../errors.ts';
import type { MigrationParameters } from '../parameters.ts';
import type { SourceContext } from './context.ts';
import { throttle } from './sync.ts';

/** Time between two questions. */
const ROUND_MS = 100;

/**
 * Asks until disposed.
 *
 * @param remaining bytes that wait to be sent
 */
export function followPolicy(ctx: SourceContext, remaining: () => number): Disposable {
  const ended = new AbortController();
  const nobody = ctx.host.decide === undefined && ctx.parameters()['x-deadline'] === 0;
  if (!nobody) void ask(ctx, remaining, ended.signal);
  return { [Symbol.dispose]: () => ended.abort() };
}

async function ask(ctx: SourceContext, remaining: () => number, ended: AbortSignal): Promise<void> {
  for (;;) {
    await ctx.pace.sleep(ROUND_MS, ended);
    if (ended.aborted || ctx.signal.aborted) return;
    try {
      const estimate = estimateOf(ctx, remaining());
      obey(ctx, ctx.host.decide?.(estimate) ?? deadlineDecision(estimate, ctx.parameters()));
    } catch (error) {
      // The phase that waits for the channel learns it there.
      ctx.channel.abort(error instanceof Error ? error : new TypeError(String(error)));
      return;
    }
  }
}

function estimateOf(ctx: SourceContext, remainingBytes: number): MigrationEstimate {
  const { counters, pace, rate, writer, policy } = ctx;
  const now = pace.now();
  return {
    elapsedMs: now - counters.startedAt,
    pass: counters.syncCount,
    remainingBytes,
    dirtyBytesPerSecond: counters.dirtyPagesRate * 4096,
    bytesPerSecond: rate.measured(now, writer.transferred) * 1000,
    expectedDowntimeMs: counters.expectedDowntime,
    downtimeLimitMs: policy.downtimeLimitMs ?? ctx.parameters()['downtime-limit'],
    throttlePercentage: counters.throttlePercentage,
  };
}

/** What `x-deadline` and `x-on-timeout` ask for. */
export function deadlineDecision(
  estimate: MigrationEstimate,
  parameters: Pick<MigrationParameters, 'x-deadline' | 'x-on-timeout'>,
): MigrationDecision {
  const deadline = parameters['x-deadline'];
  if (deadline === 0 || estimate.elapsedMs < deadline) return { action: 'continue' };
  if (parameters['x-on-timeout'] === 'pause') return { action: 'pause' };
  const mib = (bytes: number) => `${(bytes / 2 ** 20).toPrecision(3)} MiB`;
  const { remainingBytes, dirtyBytesPerSecond, bytesPerSecond } = estimate;
  return {
    action: 'cancel',
    reason:
      `it has not converged within its deadline of ${deadline} ms: ${mib(remainingBytes)} are left, the guest writes ` +
      `${mib(dirtyBytesPerSecond)}/s, the channel takes ${mib(bytesPerSecond)}/s`,
  };
}

function obey(ctx: SourceContext, decision: MigrationDecision): void {
  switch (decision.action) {
    case 'continue':
      return;
    case 'switchover':
      ctx.policy.downtimeLimitMs = checked(decision.downtimeLimitMs, Number.MAX_VALUE, 'a downtime limit in ms');
      return;
    case 'throttle':
      if (decision.percentage !== ctx.counters.throttlePercentage)
        throttle(ctx, checked(decision.percentage, 99, 'a percentage up to 99'));
      return;
    case 'cancel':
      ctx.cancel(new MigrationCancelled(decision.reason));
      return;
    case 'pause':
      ctx.policy.downtimeLimitMs = Number.POSITIVE_INFINITY;
      return;
    case 'postcopy':
      throw new SternaError(
        'STERNA_ERR_UNSUPPORTED',
        "the migration's policy asks for postcopy, which has not landed yet",
      );
  }
}

function checked(value: number, most: number, what: string): number {
  if (value >= 0 && value <= most) return value;
  throw new SternaError('STERNA_ERR_CAPABILITY', `the migration's policy gives ${value} instead of ${what}`);
}
