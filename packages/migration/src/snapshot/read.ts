import { Capabilities } from '../capabilities.ts';
import { checkComplete } from '../destination/check-complete.ts';
import type { DestinationContext } from '../destination/context.ts';
import { skipDescription } from '../destination/description.ts';
import { readHeader } from '../destination/header.ts';
import { readSections } from '../destination/sections.ts';
import { RamArea } from '../ram/blocks.ts';
import { RamLoader } from '../ram/load.ts';
import { GlobalState } from '../sections/global-state.ts';
import { StreamReader } from '../stream/reader.ts';
import { wireProperties } from '../wire.ts';
import type { SnapshotHost } from './host.ts';
import { SourceChannel } from './state-channel.ts';
import type { VmStateSource } from './store.ts';

/**
 * Reads a saved state into a machine that stands still and was reset.
 *
 * @returns whether the guest slept
 * @throws StreamError; some of the state is in the machine then
 */
export async function readState({ migration: host }: SnapshotHost, source: VmStateSource): Promise<boolean> {
  const area = new RamArea(host);
  const sections = host.sections();
  const ctx: DestinationContext = {
    host,
    capabilities: new Capabilities(),
    wire: wireProperties('compat'),
    reader: new StreamReader(new SourceChannel(source), area.stream),
    ram: new RamLoader(host, area),
    sections,
    globalState: new GlobalState(),
    byId: new Map(),
    seen: new Set(),
    returnPath: undefined,
    unapproved: new Set(),
  };
  try {
    await readHeader(ctx);
    for (const { live, state } of sections) live?.loadSetup?.(state);
    await readSections(ctx);
    checkComplete(ctx);
    await skipDescription(ctx);
  } finally {
    for (const { live, state } of sections) live?.loadCleanup?.(state);
  }
  const { globalState } = ctx;
  return globalState.wasSuspended;
}
