import type { DeviceStateChannels, SaveContext } from '@sterna/core';
import { sendsDeviceState } from '../multifd/device-state.ts';
import type { SectionHeader } from '../stream/sections.ts';
import type { SourceContext } from './context.ts';

/** Bytes a live device is asked to send in one call, so that no device holds the loop or the channel for long. */
const LIVE_BUDGET = 2 ** 20;

/** What live hooks are told. @param share bytes that this device may send now */
export function liveContext(ctx: SourceContext, header: SectionHeader, share: number = LIVE_BUDGET): SaveContext {
  return {
    budget: Math.min(LIVE_BUDGET, share),
    signal: ctx.signal,
    switchoverAck: ctx.capabilities.has('switchover-ack'),
    stateChannels: stateChannels(ctx, header),
  };
}

function stateChannels(ctx: SourceContext, { idstr, instanceId }: SectionHeader): DeviceStateChannels | undefined {
  const { pages, writer, wire, capabilities } = ctx;
  // As in QEMU: the destination has to be told when to begin.
  if (!wire.sendSwitchoverStart || !sendsDeviceState(capabilities, ctx.parameters())) return undefined;
  return { send: async (state) => pages.sendState?.(writer, { idstr, instanceId, state }) };
}
