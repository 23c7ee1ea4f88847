import type { Capabilities } from '../capabilities.ts';
import type { MigrationHost, StateSection } from '../host.ts';
import type { LoadThreads } from '../multifd/load-threads.ts';
import type { RamLoader } from '../ram/load.ts';
import type { GlobalState } from '../sections/global-state.ts';
import type { StreamReader } from '../stream/reader.ts';
import type { MigrationProbe } from '../trace/probe.ts';
import type { Rehearsal } from '../vmstate/rehearse.ts';
import type { WireProperties } from '../wire.ts';
import type { ReturnPathWriter } from './return-path.ts';

/** What all phases of one incoming migration share. */
export interface DestinationContext {
  readonly host: MigrationHost;
  readonly capabilities: Capabilities;
  readonly wire: WireProperties;
  readonly reader: StreamReader;
  readonly ram: RamLoader;
  readonly sections: readonly StateSection[];
  readonly globalState: GlobalState;
  /** Sections by the number the source gave them. */
  readonly byId: Map<number, LoadedSection>;
  /** Names of sections seen, `idstr/instance`. */
  readonly seen: Set<string>;
  /** Ends with the first device that is sent whole: the guest has stopped, or is about to. */
  readonly rehearsal: Rehearsal | undefined;
  returnPath: ReturnPathWriter | undefined;
  /** Who measures this migration, if anybody does. */
  readonly probe: MigrationProbe | undefined;
  /** Devices that load beside the main stream; absent where no channel carries device state. */
  readonly loadThreads: LoadThreads | undefined;
  /** Devices whose approval of the switchover is still missing. */
  readonly unapproved: Set<object>;
}

/** A section whose START or FULL was seen. */
export interface LoadedSection {
  readonly idstr: string;
  readonly instanceId: number;
  readonly version: number;
  /** Undefined for `ram` and `globalstate`. */
  readonly section: StateSection | undefined;
}
