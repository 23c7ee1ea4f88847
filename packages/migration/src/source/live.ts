import type { SaveContext } from '@sterna/core';
import type { SourceContext } from './context.ts';

/** Bytes a live device is asked to send in one call, so that no device holds the loop or the channel for long. */
const LIVE_BUDGET = 2 ** 20;

/** What live hooks are told. @param share bytes that this device may send now */
export function liveContext(ctx: SourceContext, share: number = LIVE_BUDGET): SaveContext {
  return {
    budget: Math.min(LIVE_BUDGET, share),
    signal: ctx.signal,
    switchoverAck: ctx.capabilities.has('switchover-ack'),
  };
}
