import { Capabilities } from '../capabilities.ts';
import { checkComplete } from '../destination/check-complete.ts';
import { skipDescription } from '../destination/description.ts';
import { cleanUpDevices, makeContext, setUpDevices } from '../destination/destination.ts';
import { readHeader } from '../destination/header.ts';
import { readSections } from '../destination/sections.ts';
import type { WireProperties } from '../wire.ts';
import type { SnapshotHost } from './host.ts';
import { SourceChannel } from './state-channel.ts';
import type { VmStateSource } from './store.ts';

/**
 * Reads a saved state into a machine that stands still and was reset: a migration up to the point where the guest
 * would be taken over.
 *
 * @returns whether the guest slept
 * @throws StreamError; some of the state is in the machine then
 */
export async function readState(
  { migration: host, pace }: SnapshotHost,
  source: VmStateSource,
  wire: WireProperties,
): Promise<boolean> {
  const ctx = makeContext({ host, channel: new SourceChannel(source), capabilities: new Capabilities(), wire, pace });
  try {
    await readHeader(ctx);
    setUpDevices(ctx);
    await readSections(ctx);
    checkComplete(ctx);
    await skipDescription(ctx);
  } finally {
    cleanUpDevices(ctx);
  }
  return ctx.seen.has('globalstate/0') && ctx.globalState.wasSuspended;
}
