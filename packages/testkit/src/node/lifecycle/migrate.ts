import { Patience } from '../patience.ts';
import type { VmProcess } from '../vm-process.ts';
import type { ChannelUris } from './channel.ts';

/** Result of {@link migrate}, from the source's query-migrate. */
export interface MigrationOutcome {
  readonly status: string;
  readonly downtimeMs: number;
  readonly totalMs: number;
  readonly bytes: number;
  readonly errorDesc: string | undefined;
}

interface Info {
  readonly status?: string;
  readonly downtime?: number;
  readonly 'total-time'?: number;
  readonly ram?: { readonly transferred: number };
  readonly 'error-desc'?: string;
}

/**
 * Moves the guest of `source` into `destination`, which was started with `-incoming defer`. A migration that pauses before its
 * switchover is told to go on.
 *
 * @param uri - The address of both ends, or of each.
 * @throws Error when it does not end in time.
 */
export async function migrate(
  source: VmProcess,
  destination: VmProcess,
  uri: string | ChannelUris,
  limitMs = 60_000,
): Promise<MigrationOutcome> {
  const uris = typeof uri === 'string' ? { source: uri, destination: uri, stored: false } : uri;
  if (!uris.stored) await destination.qmp.executeAny('migrate-incoming', { uri: uris.destination });
  await source.qmp.executeAny('migrate', { uri: uris.source });
  const outcome = await migrationEnd(source, limitMs);
  if (uris.stored && outcome.status === 'completed')
    await destination.qmp.executeAny('migrate-incoming', { uri: uris.destination });
  return outcome;
}

async function migrationEnd(source: VmProcess, limitMs: number): Promise<MigrationOutcome> {
  const patience = new Patience(limitMs);
  for (;;) {
    const info = (await source.qmp.executeAny('query-migrate')) as Info;
    const { status = 'none' } = info;
    if (status === 'pre-switchover') await source.qmp.executeAny('migrate-continue', { state: 'pre-switchover' });
    if (['completed', 'failed', 'cancelled'].includes(status)) {
      return {
        status,
        downtimeMs: info.downtime ?? -1,
        totalMs: info['total-time'] ?? -1,
        bytes: info.ram?.transferred ?? -1,
        errorDesc: info['error-desc'],
      };
    }
    if (patience.over) throw new Error(`migration still ${JSON.stringify(info)}`);
    await patience.pause(20);
  }
}
