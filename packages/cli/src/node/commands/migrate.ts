import { existsSync } from 'node:fs';
import { ConfigError, parseSize, SternaError } from '@sterna/core';
import type { MigrationInfo } from '@sterna/migration';
import { type QmpClient, QmpError } from '@sterna/qmp';
import { connectQmp } from '@sterna/qmp/node';
import { ProgressLine, summary } from '../migration-progress.ts';
import { publishedSocket } from '../runtime-directory.ts';
import { type Command, parseOptions, printJson, single } from './command.ts';

const POLL_MS = 200;
/** States after which nothing changes any more. */
const ENDED: readonly string[] = ['completed', 'failed', 'cancelled'];

/** `sterna migrate`. */
export const migrateCommand: Command = {
  usage: `usage: sterna migrate MACHINE --to URI [options]

Moves a running machine to where URI leads (unix:PATH, tcp:HOST:PORT, exec:COMMAND, file:PATH). MACHINE is the name
'sterna run' shows, or the path of a QMP socket. Ctrl-C cancels; the guest then runs on here.

  --to URI               where to
  --downtime-limit MS    longest pause of the guest
  --max-bandwidth SIZE   bytes per second, with suffix K, M or G; 0: unlimited
  --keep                 leaves the source process running, paused, when the guest has moved
  --json                 prints one line of JSON at the end and no progress

Exit codes: 0 moved, 3 blocked, 4 failed and running here, 5 unknown who owns the guest.
`,
  async run(args) {
    const options = parseOptions(args, {
      to: 'value',
      'downtime-limit': 'value',
      'max-bandwidth': 'value',
      keep: 'switch',
      json: 'switch',
    });
    const [machine, ...rest] = options.positionals;
    const uri = single(options, 'to');
    if (machine === undefined || rest.length > 0 || uri === undefined) {
      throw new ConfigError('STERNA_ERR_OPTION_VALUE', 'usage: sterna migrate MACHINE --to URI');
    }
    const json = options.switches.has('json');
    const client = await connectQmp(socketOf(machine));
    try {
      await setParameters(client, single(options, 'downtime-limit'), single(options, 'max-bandwidth'));
      const info = await migrate(client, uri, json ? undefined : new ProgressLine(process.stderr));
      if (json) printJson({ uri, ...info });
      else process.stderr.write(`${summary(info)}\n`);
      if (info.status !== 'completed') return 4;
      if (!options.switches.has('keep')) await client.execute('quit').catch(() => {});
      return 0;
    } finally {
      client.close();
    }
  },
};

function socketOf(machine: string): string {
  if (machine.includes('/') || machine.startsWith('tcp:') || machine.startsWith('unix:')) return machine;
  const path = publishedSocket(machine);
  if (existsSync(path)) return path;
  throw new ConfigError('STERNA_ERR_OPTION_VALUE', `no machine '${machine}' is running (there is no ${path})`);
}

async function setParameters(
  client: QmpClient,
  downtime: string | undefined,
  bandwidth: string | undefined,
): Promise<void> {
  const parameters: Record<string, number> = {};
  if (downtime !== undefined) parameters['downtime-limit'] = Number(downtime);
  if (bandwidth !== undefined) parameters['max-bandwidth'] = parseSize(bandwidth);
  if (Object.keys(parameters).length > 0) await client.executeAny('migrate-set-parameters', parameters);
}

/** Follows a migration to its end. @throws SternaError with exit code 5 when the source is lost at the switchover. */
async function migrate(client: QmpClient, uri: string, progress: ProgressLine | undefined): Promise<MigrationInfo> {
  try {
    await client.execute('migrate', { uri });
  } catch (error) {
    if (error instanceof QmpError && error.code !== undefined)
      throw new SternaError(error.code, error.message, { cause: error });
    throw error;
  }
  const cancel = () => void client.execute('migrate_cancel').catch(() => {});
  process.on('SIGINT', cancel);
  let last: MigrationInfo = {};
  try {
    for (;;) {
      last = await client.execute('query-migrate');
      progress?.show(last);
      if (ENDED.includes(last.status ?? 'none')) return last;
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  } catch (cause) {
    throw new SternaError(
      'STERNA_ERR_OWNERSHIP_UNKNOWN',
      `the source was lost in state '${last.status ?? 'none'}' (${(cause as Error).message}); look at the destination before starting the guest anywhere`,
      { cause },
    );
  } finally {
    process.off('SIGINT', cancel);
    progress?.end();
  }
}
