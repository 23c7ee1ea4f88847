import type { LiveHandlers, RunState, VmStateTable } from '@sterna/core';
import type { Capabilities } from '../capabilities.ts';
import type { DirtyLimits } from '../dirty-limit/dirty-limits.ts';
import type { MigrationCancelled } from '../errors.ts';
import type { MigrationHost } from '../host.ts';
import type { MigrationCounters } from '../info.ts';
import type { Pace } from '../pace.ts';
import type { MigrationParameters } from '../parameters.ts';
import type { PageSender } from '../ram/page-sender.ts';
import type { RateLimit } from '../ram/rate-limit.ts';
import type { RamSaver } from '../ram/save.ts';
import type { GlobalState } from '../sections/global-state.ts';
import type { StatusCell } from '../status.ts';
import type { SectionHeader } from '../stream/sections.ts';
import type { StreamWriter } from '../stream/writer.ts';
import type { MigrationProbe } from '../trace/probe.ts';
import type { MigrationChannel } from '../transport/channel.ts';
import type { DeviceDescription, StructDescription } from '../vmstate/describe.ts';
import type { Rehearsal } from '../vmstate/rehearse.ts';
import type { WireProperties } from '../wire.ts';
import type { AutoConverge } from './auto-converge.ts';
import type { FairShares } from './fair-shares.ts';
import type { ReturnPathReader } from './return-path.ts';

/** A live device of this migration with the header of its sections. */
export interface LiveEntry {
  readonly header: SectionHeader;
  // biome-ignore lint/suspicious/noExplicitAny: see StateSection.live
  readonly handlers: LiveHandlers<any>;
  readonly state: object;
}

/** A device that is sent whole. */
export interface FullEntry {
  readonly header: SectionHeader;
  // biome-ignore lint/suspicious/noExplicitAny: tables of every device share one list; the pair was checked where it was declared
  readonly table: VmStateTable<any>;
  readonly state: object;
}

/** What the guest has written since a period of measurement began. */
export interface Dirtying {
  /** Host time in ms: when the period began, and of the last sync. */
  since: number;
  syncedAt: number;
  /** Pages that were marked in it, and bytes of the stream when it began. */
  pages: number;
  transferred: number;
}

/** What all phases of one outgoing migration share. */
export interface SourceContext {
  readonly host: MigrationHost;
  readonly wire: WireProperties;
  readonly capabilities: Capabilities;
  /** Read anew whenever needed: parameters may change while a migration runs. */
  readonly parameters: () => MigrationParameters;
  readonly pace: Pace;
  readonly status: StatusCell;
  readonly counters: MigrationCounters;
  readonly signal: AbortSignal;
  /** Gives the migration up, as a cancel does. */
  readonly cancel: (reason: MigrationCancelled) => void;
  /** What the policy has set; it counts instead of `downtime-limit`. */
  readonly policy: { downtimeLimitMs: number | undefined };
  readonly channel: MigrationChannel;
  readonly writer: StreamWriter;
  readonly ram: RamSaver;
  /** Sends RAM's pages: in the channel's thread, or here. */
  readonly pages: PageSender;
  readonly dirtying: Dirtying;
  readonly autoConverge: AutoConverge;
  /** For capability `dirty-limit`. */
  readonly dirtyLimits?: DirtyLimits | undefined;
  readonly shares: FairShares;
  readonly ramHeader: SectionHeader;
  readonly live: readonly LiveEntry[];
  readonly full: readonly FullEntry[];
  readonly globalState: GlobalState;
  readonly rate: RateLimit;
  /** The guest is not stopped before it is over. */
  readonly rehearsal?: Rehearsal | undefined;
  returnPath: ReturnPathReader | undefined;
  /** Descriptions collected on the way. */
  configuration: StructDescription | undefined;
  readonly devices: DeviceDescription[];
  /** Notifiers were told that it begins. */
  notified: boolean;
  /** Where the machine was before the switchover, once it was stopped for it. */
  stoppedFrom: RunState | undefined;
  stoppedAt: number;
  /** Pages sent when the current window of measurement began. */
  sentPagesAtWindow: number;
  /** True from the moment the end mark is handed to the channel: from here on only the destination may run the guest. */
  committed: boolean;
  /** Who measures this migration, if anybody does. */
  readonly probe?: MigrationProbe;
  /** Resolves when `migrate-continue` ends a pause before the switchover. */
  readonly continueSwitchover: Promise<void>;
}
