/**
 * One outgoing migration: the list of its phases.
 *
 *   setup -> iterate -> switchover -> complete -> finish
 *                 \________\____________\__> rollBack on failure or cancel
 *
 * Until `complete` sets `committed` any failure and any cancel leaves this side as the owner of the guest.
 */
import { isVmStateTable, VM_PRIORITY } from '@sterna/core';
import type { Capabilities } from '../capabilities.ts';
import type { MigrationHost, StateSection } from '../host.ts';
import type { MigrationCounters } from '../info.ts';
import type { Pace } from '../pace.ts';
import type { MigrationParameters } from '../parameters.ts';
import { RamArea } from '../ram/blocks.ts';
import { InlinePageSender } from '../ram/inline-sender.ts';
import { RAM_VERSION } from '../ram/load.ts';
import { RateLimit } from '../ram/rate-limit.ts';
import { RamSaver } from '../ram/save.ts';
import { GlobalState, globalStateTable } from '../sections/global-state.ts';
import type { StatusCell } from '../status.ts';
import { StreamReader } from '../stream/reader.ts';
import { StreamWriter } from '../stream/writer.ts';
import type { MigrationChannel } from '../transport/channel.ts';
import type { WireProperties } from '../wire.ts';
import { AutoConverge } from './auto-converge.ts';
import { complete } from './complete.ts';
import type { FullEntry, LiveEntry, SourceContext } from './context.ts';
import { FairShares } from './fair-shares.ts';
import { cleanup, finish, rollBack } from './finish.ts';
import { iterate } from './iterate.ts';
import { ReturnPathReader } from './return-path.ts';
import { setup } from './setup.ts';
import { switchover } from './switchover.ts';

/** What an outgoing migration is made of. */
export interface SourceOptions {
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
}

/** A running outgoing migration. */
export class SourceMigration {
  readonly #ctx: SourceContext;

  constructor(options: SourceOptions) {
    this.#ctx = makeContext(options);
  }

  /** True once the destination may own the guest; a cancel comes too late then. */
  get committed(): boolean {
    return this.#ctx.committed;
  }

  /**
   * Runs all phases. The state is left at `device`'s successor on success, and to the caller otherwise.
   *
   * @throws whatever ended the migration, after the guest runs again as before
   */
  async run(): Promise<void> {
    const ctx = this.#ctx;
    try {
      await setup(ctx);
      ctx.status.move('setup', 'active');
      await iterate(ctx);
      await switchover(ctx);
      await complete(ctx);
      finish(ctx);
    } catch (error) {
      await rollBack(ctx);
      // A cancel breaks channels on purpose; what broke is not the news then.
      ctx.signal.throwIfAborted();
      throw error;
    } finally {
      cleanup(ctx);
    }
  }
}

function makeContext(options: SourceOptions): SourceContext {
  const { host, channel, wire, capabilities, pace, counters } = options;
  const area = new RamArea(host);
  const globalState = new GlobalState();
  const { live, full } = entries(host, wire, globalState);
  const writer = new StreamWriter(channel, area.stream);
  const ram = new RamSaver(host, area, counters);
  const now = pace.now();
  counters.startedAt = now;
  counters.expectedDowntime = options.parameters()['downtime-limit'];
  return {
    ...options,
    writer,
    ram,
    pages: channel.pageSender?.(ram.plan) ?? new InlinePageSender(area, ram.plan.blocks, pace),
    dirtying: { since: now, syncedAt: now, pages: 0, transferred: 0 },
    autoConverge: new AutoConverge(),
    shares: new FairShares(),
    ramHeader: { id: wire.ramSectionId, idstr: 'ram', instanceId: 0, version: RAM_VERSION },
    live,
    full,
    globalState,
    rate: new RateLimit(now, 0),
    returnPath: capabilities.has('return-path') ? new ReturnPathReader(new StreamReader(channel)) : undefined,
    configuration: undefined,
    stoppedFrom: undefined,
    stoppedAt: 0,
    sentPagesAtWindow: 0,
    committed: false,
  };
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
      header: { id: handlers === undefined ? id : id + 0x1_0000, idstr, instanceId, version: vmstate.version },
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
