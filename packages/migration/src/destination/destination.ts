/**
 * One incoming migration: the list of its phases.
 *
 *   readHeader -> readSections -> checkComplete -> skipDescription -> activate
 *
 * Nothing runs the guest before `activate`; a failure anywhere before leaves a stopped machine that says what was wrong.
 */
import type { Capabilities } from '../capabilities.ts';
import { messageOf } from '../errors.ts';
import type { MigrationHost } from '../host.ts';
import { RamArea } from '../ram/blocks.ts';
import { RamLoader } from '../ram/load.ts';
import { GlobalState } from '../sections/global-state.ts';
import type { StatusCell } from '../status.ts';
import { StreamReader } from '../stream/reader.ts';
import type { MigrationChannel } from '../transport/channel.ts';
import type { DestinationContext } from './context.ts';
import { activate, checkComplete, skipDescription } from './finish.ts';
import { readHeader } from './header.ts';
import { readSections } from './sections.ts';

/** What an incoming migration is made of. */
export interface DestinationOptions {
  readonly host: MigrationHost;
  readonly channel: MigrationChannel;
  readonly capabilities: Capabilities;
  readonly status: StatusCell;
  /** Asked when all is loaded: may the guest run at once? */
  readonly autostart: () => boolean;
}

/**
 * Loads a stream and lets the guest run.
 *
 * @throws StreamError or TransportError; the machine is stopped then, with some of the stream's state in it
 */
export async function runDestination({
  host,
  channel,
  capabilities,
  status,
  autostart,
}: DestinationOptions): Promise<void> {
  const area = new RamArea(host);
  const sections = host.sections();
  const ctx: DestinationContext = {
    host,
    capabilities,
    reader: new StreamReader(channel, area.stream),
    ram: new RamLoader(host, area),
    sections,
    globalState: new GlobalState(),
    byId: new Map(),
    seen: new Set(),
    returnPath: undefined,
    unapproved: new Set(),
  };
  for (const { live, state } of sections) if (live?.switchoverAckNeeded?.(state) === true) ctx.unapproved.add(state);
  try {
    status.move('setup', 'active');
    await readHeader(ctx);
    for (const { live, state } of sections) live?.loadSetup?.(state);
    await readSections(ctx);
    checkComplete(ctx);
    await skipDescription(ctx);
    await ctx.returnPath?.shut(false);
    await activate(ctx, autostart());
  } catch (error) {
    await ctx.returnPath?.shut(true);
    throw error;
  } finally {
    loadCleanup(ctx);
  }
}

function loadCleanup({ host, sections }: DestinationContext): void {
  for (const { live, state } of sections) {
    try {
      live?.loadCleanup?.(state);
    } catch (error) {
      host.report?.(`after the incoming migration: ${messageOf(error)}`);
    }
  }
}
