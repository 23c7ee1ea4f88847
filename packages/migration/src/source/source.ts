/**
 * One outgoing migration: the list of its phases.
 *
 *   prepare -> setup -> waitUnplug -> iterate -> switchover -> complete -> handOver -> finish
 *         \_______\__________\____________\____________\___________\________\__> rollBack on failure or cancel
 *
 * Until `handOver` sets `committed` any failure and any cancel leaves this side as the owner of the guest. After it,
 * this side takes the guest back only when the destination says that it has failed; if the destination cannot be
 * heard any more, the guest stays stopped here (`disown`).
 */
import { isVmStateTable, VM_PRIORITY } from '@sterna/core';
import type { Attempt } from '../attempt.ts';
import type { Capabilities } from '../capabilities.ts';
import type { DirtyLimits } from '../dirty-limit/dirty-limits.ts';
import { DestinationError, type MigrationCancelled, OwnershipUnknownError, TransportError } from '../errors.ts';
import type { MigrationHost, StateSection } from '../host.ts';
import type { MigrationCounters } from '../info.ts';
import type { Pace } from '../pace.ts';
import type { MigrationParameters } from '../parameters.ts';
import { RamArea } from '../ram/blocks.ts';
import { InlinePageSender } from '../ram/inline-sender.ts';
import { RAM_VERSION } from '../ram/load.ts';
import { RateLimit } from '../ram/rate-limit.ts';
import { RamSaver, type RamSaverOptions } from '../ram/save.ts';
import { GlobalState, globalStateTable } from '../sections/global-state.ts';
import type { StatusCell } from '../status.ts';
import { StreamWriter } from '../stream/writer.ts';
import type { MigrationProbe } from '../trace/probe.ts';
import type { MigrationChannel } from '../transport/channel.ts';
import type { Rehearsal } from '../vmstate/rehearse.ts';
import type { WireProperties } from '../wire.ts';
import { AutoConverge } from './auto-converge.ts';
import { cleanup, notifyEnd } from './cleanup.ts';
import { complete } from './complete.ts';
import type { FullEntry, LiveEntry, SourceContext } from './context.ts';
import { FairShares } from './fair-shares.ts';
import { finish } from './finish.ts';
import { handOver } from './hand-over.ts';
import { iterate } from './iterate.ts';
import { prepare } from './prepare.ts';
import { ReturnPathReader } from './return-path.ts';
import { disown, rollBack } from './roll-back.ts';
import { setup } from './setup.ts';
import { switchover } from './switchover.ts';
import { waitUnplug } from './wait-unplug.ts';

/** How long a broken migration listens for the destination's own word on it, in ms. */
const LAST_WORD_MS = 50;

/** What the phases of an outgoing migration need. */
export interface ContextOptions {
  readonly host: MigrationHost;
  readonly channel: MigrationChannel;
  readonly wire: WireProperties;
  readonly capabilities: Capabilities;
  readonly parameters: () => MigrationParameters;
  readonly pace: Pace;
  readonly status: StatusCell;
  readonly counters: MigrationCounters;
  readonly signal: AbortSignal;
  readonly continueSwitchover: Promise<void>;
  readonly rehearsal?: Rehearsal;
  /** Who measures this migration. */
  /** For capability `dirty-limit`. */
  readonly dirtyLimits?: DirtyLimits;
  readonly probe?: MigrationProbe;
  /** Gives the migration up; without it, only its channel. */
  readonly cancel?: (reason: MigrationCancelled) => void;
}

/** What an outgoing migration is made of. */
export interface SourceOptions
  extends Omit<ContextOptions, 'status' | 'counters' | 'signal' | 'continueSwitchover' | 'cancel'> {
  readonly attempt: Attempt;
}

/** A running outgoing migration. */
export class SourceMigration {
  readonly #attempt: Attempt;
  readonly #ctx: SourceContext;

  constructor(options: SourceOptions) {
    const { attempt, ...rest } = options;
    const { status, counters, signal, continueSwitchover } = attempt;
    this.#attempt = attempt;
    this.#ctx = makeContext({
      ...rest,
      status,
      counters,
      signal,
      continueSwitchover: continueSwitchover.promise,
      cancel: (reason) => {
        if (attempt.cancel(reason)) rest.channel.abort(reason);
      },
    });
  }

  /** True once the destination may own the guest; a cancel comes too late then. */
  get committed(): boolean {
    return this.#ctx.committed;
  }

  /**
   * Runs all phases, up to the final state.
   *
   * @throws whatever ended the migration, after the guest runs again as before
   */
  async run(): Promise<void> {
    const ctx = this.#ctx;
    try {
      await prepare(ctx);
      await setupAndWait(ctx);
      await iterate(ctx);
      await switchover(ctx);
      await complete(ctx);
      await handOver(ctx);
      finish(ctx);
    } catch (thrown) {
      const error = await this.#reason(thrown);
      this.#attempt.fail(error);
      if (error instanceof OwnershipUnknownError) disown(ctx);
      else await rollBack(ctx);
      throw error;
    } finally {
      cleanup(ctx);
      this.#attempt.end();
      await notifyEnd(ctx);
    }
  }

  /** What ended the migration: the first cause that is known, which need not be what was noticed first. */
  async #reason(thrown: unknown): Promise<unknown> {
    const { signal, returnPath, committed, pace } = this.#ctx;
    // A cancel breaks channels on purpose; what broke is not the news then.
    if (signal.aborted) return signal.reason;
    // A destination that fails closes its channel, which is often noticed before its message is read.
    const heard = new AbortController();
    const silence = pace.sleep(LAST_WORD_MS, heard.signal).then(() => undefined);
    const word = await Promise.race([returnPath?.ended, silence]);
    heard.abort();
    if (word instanceof DestinationError) return word;
    return committed ? new OwnershipUnknownError(thrown) : thrown;
  }
}

/** As in QEMU a failed setup is told when the guest has given up what it was asked for: the migration is `active` then. */
async function setupAndWait(ctx: SourceContext): Promise<void> {
  const failure = await setup(ctx).then(
    () => undefined,
    (error: unknown) => ({ error }),
  );
  await waitUnplug(ctx);
  if (failure !== undefined) throw failure.error;
  ctx.signal.throwIfAborted();
}

/** What all phases share, before the first of them. @throws TransportError when the channel cannot do what is wanted */
export function makeContext(options: ContextOptions): SourceContext {
  const { host, channel, wire, capabilities, pace, counters } = options;
  const area = new RamArea(host);
  const globalState = new GlobalState();
  const { live, full } = entries(host, wire, globalState);
  const writer = new StreamWriter(channel, area.stream);
  writer.probe = options.probe;
  const ram = new RamSaver(host, area, counters, ramOptions(options));
  const now = pace.now();
  counters.startedAt = now;
  counters.expectedDowntime = options.parameters()['downtime-limit'];
  const ctx: SourceContext = {
    ...options,
    cancel: options.cancel ?? ((reason) => channel.abort(reason)),
    policy: { downtimeLimitMs: undefined },
    writer,
    ram,
    pages: channel.pageSender?.(ram.plan) ?? new InlinePageSender(area, ram.plan, pace),
    dirtying: { since: now, syncedAt: now, pages: 0, transferred: 0 },
    autoConverge: new AutoConverge(),
    shares: new FairShares(),
    ramHeader: { id: wire.ramSectionId, idstr: 'ram', instanceId: 0, version: RAM_VERSION },
    live,
    full,
    globalState,
    rate: new RateLimit(now, 0),
    returnPath: undefined,
    configuration: undefined,
    devices: [],
    notified: false,
    stoppedFrom: undefined,
    stoppedAt: 0,
    sentPagesAtWindow: 0,
    committed: false,
  };
  if (capabilities.has('return-path')) {
    if (!channel.bidirectional)
      throw new TransportError(`capability return-path needs a channel with two directions, ${channel.name} has one`);
    ctx.returnPath = new ReturnPathReader(channel, {
      mayEnd: () => ctx.committed,
      // Whoever writes, or waits to write, learns it now.
      failed: (error) => channel.abort(error),
      pong: (value) => options.probe?.pong(value),
    });
  }
  return ctx;
}

/** What the capabilities ask of RAM. @throws TransportError when the channel cannot do it */
function ramOptions({ channel, capabilities, parameters }: ContextOptions): RamSaverOptions {
  if (capabilities.has('xbzrle')) return { xbzrleCacheSize: () => parameters()['xbzrle-cache-size'] };
  if (!capabilities.has('mapped-ram')) return {};
  if (channel.fileOutput === undefined)
    throw new TransportError(`capability mapped-ram needs a file (file:NAME), ${channel.name} is none`);
  return { mapped: { file: channel.fileOutput, findZeroPages: parameters()['zero-page-detection'] !== 'none' } };
}

/** Numbers and orders the sections as the wire generation wants them. */
function entries(
  host: MigrationHost,
  wire: WireProperties,
  globalState: GlobalState,
): { live: LiveEntry[]; full: FullEntry[] } {
  const live: LiveEntry[] = [];
  const full: FullEntry[] = [];
  // The first registered section is number 0; `ram` and the (inactive) live entry behind it come next.
  const idOf = (index: number) => (index === 0 ? 0 : wire.ramSectionId + 1 + index);
  const sections: readonly StateSection[] = host.sections();
  for (const [index, { idstr, instanceId, vmstate, state, live: handlers }] of sections.entries()) {
    const id = idOf(index);
    if (handlers !== undefined && handlers.isActive?.(state) !== false) {
      live.push({ header: { id, idstr, instanceId, version: handlers.version }, handlers, state });
    }
    if (!isVmStateTable(vmstate)) continue;
    full.push({
      header: { id, idstr, instanceId, version: vmstate.version },
      table: vmstate,
      state,
    });
  }
  if (wire.storeGlobalState) {
    const table = globalStateTable(wire.globalStateFlags);
    full.push({
      header: { id: idOf(sections.length), idstr: 'globalstate', instanceId: 0, version: 1 },
      table,
      state: globalState,
    });
  }
  if (wire.raisedPriorities)
    full.sort((a, b) => VM_PRIORITY[b.table.priority ?? 'default'] - VM_PRIORITY[a.table.priority ?? 'default']);
  return { live, full };
}
