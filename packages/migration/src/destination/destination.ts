/**
 * One incoming migration: the list of its phases.
 *
 *   readHeader -> setUpDevices -> readSections -> checkComplete -> takeOver -> skipDescription
 *
 * Nothing runs the guest before `takeOver`: up to there a failure leaves a stopped machine that says what was wrong,
 * and a source that listens is told.
 */
import type { Capabilities } from '../capabilities.ts';
import { deviceHook } from '../device-hook.ts';
import { messageOf, TransportError } from '../errors.ts';
import type { MigrationHost, StateSection } from '../host.ts';
import { MappedRamLoader } from '../mapped-ram/load.ts';
import { sendsDeviceState, stateTaker } from '../multifd/device-state.ts';
import { MultifdIncoming } from '../multifd/incoming-channels.ts';
import { LoadThreads } from '../multifd/load-threads.ts';
import type { MultifdCompression } from '../multifd/packets.ts';
import { MultifdReceiver, type StateTaker } from '../multifd/receiver.ts';
import type { Pace } from '../pace.ts';
import { RamArea } from '../ram/blocks.ts';
import { RamLoader } from '../ram/load.ts';
import { GlobalState } from '../sections/global-state.ts';
import type { StatusCell } from '../status.ts';
import { StreamReader } from '../stream/reader.ts';
import type { MigrationProbe } from '../trace/probe.ts';
import type { MigrationChannel } from '../transport/channel.ts';
import type { Rehearsal } from '../vmstate/rehearse.ts';
import type { WireProperties } from '../wire.ts';
import { checkComplete } from './check-complete.ts';
import type { DestinationContext } from './context.ts';
import { skipDescription } from './description.ts';
import { readHeader } from './header.ts';
import { readSections } from './sections.ts';
import { takeOver } from './take-over.ts';

/** Longest wait for the description, while the guest runs. */
const DESCRIPTION_MS = 1000;

/** What an incoming migration is made of. */
export interface DestinationOptions {
  readonly host: MigrationHost;
  /** With multifd all channels as one. */
  readonly channel: MigrationChannel;
  /** How multifd channels are compressed. */
  readonly compression?: MultifdCompression;
  readonly capabilities: Capabilities;
  /** What this side expects of framing. */
  readonly wire: WireProperties;
  readonly pace: Pace;
  readonly rehearsal?: Rehearsal;
  readonly status: StatusCell;
  /** Who measures this migration. */
  readonly probe?: MigrationProbe | undefined;
  /** Asked when all is loaded: may the guest run at once? */
  readonly autostart: () => boolean;
}

/**
 * Loads a stream and lets the guest run.
 *
 * @throws SternaError; the machine is stopped then, with some of the stream's state in it
 */
export async function runDestination(options: DestinationOptions): Promise<void> {
  const ctx = makeContext(options);
  const { status } = options;
  try {
    status.move('setup', 'active');
    await readHeader(ctx);
    setUpDevices(ctx);
    await readSections(ctx);
    await ctx.loadThreads?.all();
    checkComplete(ctx);
    options.probe?.point('loaded');
    await takeOver(ctx, options.autostart);
    status.move('active', 'completed');
    await ctx.returnPath?.shut(false);
  } catch (error) {
    ctx.loadThreads?.abort(error as Error);
    await ctx.returnPath?.shut(true);
    throw error;
  } finally {
    ctx.loadThreads?.abort(new TransportError('the load is over'));
    cleanUpDevices(ctx);
  }
  // A source that has fallen silent owes nothing but this.
  const skipped = new AbortController();
  await Promise.race([skipDescription(ctx), options.pace.sleep(DESCRIPTION_MS, skipped.signal)]);
  skipped.abort();
}

/** What all phases share, before the first of them. */
export function makeContext({
  host,
  channel,
  compression = 'none',
  capabilities,
  wire,
  probe,
  rehearsal,
  pace,
}: Omit<DestinationOptions, 'status' | 'autostart'>): DestinationContext {
  const area = new RamArea(host);
  const sections = host.sections();
  const asked = capabilities.has('switchover-ack')
    ? sections.filter(({ live, state }) => live?.switchoverAckNeeded?.(state) === true)
    : [];
  const multifd =
    channel instanceof MultifdIncoming
      ? new MultifdReceiver(host, channel.inputs, compression, takeState(channel, sections))
      : undefined;
  const threaded = sendsDeviceState(capabilities, { 'multifd-compression': compression });
  return {
    host,
    capabilities,
    wire,
    reader: new StreamReader(channel, area.stream),
    ram: new RamLoader(host, area, { multifd, mapped: mappedRam(host, channel, capabilities) }),
    sections,
    globalState: new GlobalState(),
    byId: new Map(),
    seen: new Set(),
    rehearsal,
    returnPath: undefined,
    probe,
    loadThreads: threaded && channel instanceof MultifdIncoming ? new LoadThreads(pace, channel.drained) : undefined,
    unapproved: new Set(asked.map(({ state }) => state)),
  };
}

/** A device that refuses a packet ends the migration: whoever reads the main channel learns it there. */
function takeState(channel: MigrationChannel, sections: readonly StateSection[]): StateTaker {
  const take = stateTaker(sections);
  return (header, state) =>
    take(header, state).catch((error: Error) => {
      channel.abort(error);
      throw error;
    });
}

/** @throws TransportError when pages are to have places, and the channel is no file */
function mappedRam(
  host: MigrationHost,
  channel: MigrationChannel,
  capabilities: Capabilities,
): MappedRamLoader | undefined {
  if (!capabilities.has('mapped-ram')) return undefined;
  if (channel.fileInput !== undefined) return new MappedRamLoader(host, channel.fileInput);
  throw new TransportError(`capability mapped-ram needs a file (file:NAME), ${channel.name} is none`);
}

/** Tells live devices that their state comes. */
export function setUpDevices({ sections }: DestinationContext): void {
  for (const section of sections) deviceHook(section, 'loadSetup', () => section.live?.loadSetup?.(section.state));
}

/** Tells live devices that the load is over, whatever its result. */
export function cleanUpDevices({ host, sections }: DestinationContext): void {
  for (const { idstr, live, state } of sections) {
    try {
      live?.loadCleanup?.(state);
    } catch (error) {
      host.report?.(`after the incoming migration, section '${idstr}': ${messageOf(error)}`);
    }
  }
}
