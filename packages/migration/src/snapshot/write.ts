import type { RunState } from '@sterna/core';
import { Capabilities } from '../capabilities.ts';
import { MigrationCounters } from '../info.ts';
import { defaultParameters } from '../parameters.ts';
import { cleanup } from '../source/cleanup.ts';
import { complete } from '../source/complete.ts';
import { handOver } from '../source/hand-over.ts';
import { setup } from '../source/setup.ts';
import { makeContext } from '../source/source.ts';
import { StatusCell } from '../status.ts';
import type { WireProperties } from '../wire.ts';
import type { SnapshotHost } from './host.ts';
import { SinkChannel } from './state-channel.ts';
import type { VmStateSink } from './store.ts';

/** How to write. */
export interface WriteOptions {
  readonly wire: WireProperties;
  readonly signal: AbortSignal;
  /** Told of bytes so far, and of the most there can be. */
  readonly progress: (written: number, total: number) => void;
}

/**
 * Writes a machine that stands still: a migration stream of two phases, since nothing changes any more between the
 * first round over RAM and the last.
 *
 * @param from the run state that it goes on from
 */
export async function writeState(
  host: SnapshotHost,
  from: RunState,
  sink: VmStateSink,
  { wire, signal, progress }: WriteOptions,
): Promise<void> {
  const { migration, pace } = host;
  const total = migration.ramBlocks().reduce((sum, { usedLength }) => sum + usedLength, 0);
  const ctx = makeContext({
    host: migration,
    channel: new SinkChannel(sink, (written) => progress(Math.min(written, total), total)),
    wire,
    capabilities: new Capabilities(),
    parameters: defaultParameters,
    pace,
    status: new StatusCell(() => {}),
    counters: new MigrationCounters(),
    signal,
    continueSwitchover: Promise.resolve(),
  });
  ctx.globalState.store(from, host.wasSuspended, wire.globalStateFlags);
  try {
    await setup(ctx);
    await complete(ctx);
    await handOver(ctx);
  } finally {
    cleanup(ctx);
  }
}
