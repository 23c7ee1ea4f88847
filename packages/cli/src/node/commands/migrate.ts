import { resolve } from 'node:path';
import { ConfigError, parseSize, SternaError } from '@sterna/core';
import type { MigrationInfo, MigrationParameters } from '@sterna/migration';
import { type QmpClient, QmpError } from '@sterna/qmp';
import { connectQmp } from '@sterna/qmp/node';
import { parseDuration } from '../../system/duration.ts';
import { checkMigration, refuseWhenBlocked, socketOf } from '../check/check-migration.ts';
import { ProgressLine, summary } from '../migration-progress.ts';
import { type Command, type ParsedOptions, parseOptions, printJson, single } from './command.ts';

const POLL_MS = 200;
/** States after which nothing changes any more. */
const ENDED: readonly string[] = ['completed', 'failed', 'cancelled'];
/** How long beyond its deadline a migration may still look for its destination before it is cancelled from here. */
const CONNECT_GRACE_MS = 1000;

/** `sterna migrate`. */
export const migrateCommand: Command = {
  usage: `usage: sterna migrate MACHINE --to URI [options]
       sterna migrate MACHINE --check [--to VERSION|DESTINATION]

Moves a running machine to where URI leads (unix:PATH, tcp:HOST:PORT, exec:COMMAND, file:PATH). MACHINE is the name
'sterna run' shows, or the path of a QMP socket. Ctrl-C cancels; the guest then runs on here. On a terminal the progress
is shown; elsewhere only how it ended.

  --to URI               where to
  --max-downtime TIME    longest pause of the guest, e.g. 50ms
  --deadline TIME        time in which the migration has to converge, e.g. 60s
  --on-timeout ACTION    what happens when it has not: cancel (default), the guest stays; or pause, the guest stops and
                         moves with all that is left
  --max-bandwidth SIZE   bytes per second, with suffix K, M or G; 0: unlimited
  --destination MACHINE  name or QMP socket of the machine that waits: both sides are compared first, and nothing moves
                         when the guest would be refused
  --trace FILE           writes what the migration does into a file for 'sterna report'; with --destination of Sterna also
                         FILE.destination
  --check                says what forbids the migration or is worth knowing, and moves nothing: --to is a version
                         (qemu-7.2, qemu-10.0, qemu-11.1), or the name or QMP socket of a machine that waits
  --keep                 leaves the source process running, paused, when the guest has moved
  --json                 prints one line of JSON at the end and no progress

Exit codes: 0 moved, 2 wrong usage, 3 blocked, 4 failed or cancelled and the guest is here, 5 unknown who owns the guest.
`,
  async run(args) {
    const options = parseOptions(args, {
      to: 'value',
      'max-downtime': 'value',
      deadline: 'value',
      'on-timeout': 'value',
      'max-bandwidth': 'value',
      destination: 'value',
      trace: 'value',
      check: 'switch',
      keep: 'switch',
      json: 'switch',
    });
    const [machine, ...rest] = options.positionals;
    const uri = single(options, 'to');
    const [check, json] = [options.switches.has('check'), options.switches.has('json')];
    const destination = single(options, 'destination');
    if (machine === undefined || rest.length > 0 || (uri === undefined && !check)) {
      throw new ConfigError('STERNA_ERR_OPTION_VALUE', 'usage: sterna migrate MACHINE --to URI');
    }
    const goals = goalsOf(options);
    const client = await connectQmp(socketOf(machine));
    try {
      if (check || uri === undefined) return await checkMigration(client, destination ?? uri, json);
      if (destination !== undefined) await refuseWhenBlocked(client, destination);
      await setParameters(client, goals);
      const endTrace = await traceInto(single(options, 'trace'), client, destination);
      const progress = json ? undefined : new ProgressLine(process.stderr);
      const info = await migrate(client, uri, goals.deadline, progress).finally(endTrace);
      if (json) printJson({ uri, ...info });
      else process.stderr.write(`${summary(info, info.status === 'completed' ? '' : await runStateOf(client))}\n`);
      if (info.status !== 'completed') return 4;
      if (!options.switches.has('keep')) await client.execute('quit').catch(() => {});
      return 0;
    } catch (error) {
      if (json && error instanceof SternaError)
        printJson({ uri, status: 'failed', code: error.code, 'error-desc': error.message });
      throw error;
    } finally {
      client.close();
    }
  },
};

/** What the user wants of a migration; times in ms. */
interface Goals {
  readonly maxDowntime: number | undefined;
  readonly maxBandwidth: number | undefined;
  readonly deadline: number | undefined;
  readonly onTimeout: string;
}

function goalsOf(options: ParsedOptions): Goals {
  const time = (name: string) => {
    const text = single(options, name);
    return text === undefined ? undefined : parseDuration(text, `--${name}`);
  };
  const bandwidth = single(options, 'max-bandwidth');
  const [deadline, onTimeout] = [time('deadline'), single(options, 'on-timeout')];
  if (deadline === 0) throw new ConfigError('STERNA_ERR_OPTION_VALUE', '--deadline: a migration takes some time');
  if (onTimeout !== undefined && deadline === undefined)
    throw new ConfigError('STERNA_ERR_OPTION_VALUE', '--on-timeout needs --deadline');
  if (onTimeout === 'postcopy')
    throw new ConfigError(
      'STERNA_ERR_UNSUPPORTED',
      '--on-timeout postcopy: postcopy has not landed yet; there is pause',
    );
  if (onTimeout !== undefined && onTimeout !== 'cancel' && onTimeout !== 'pause')
    throw new ConfigError('STERNA_ERR_OPTION_VALUE', `--on-timeout: '${onTimeout}' is neither cancel nor pause`);
  return {
    maxDowntime: time('max-downtime'),
    maxBandwidth: bandwidth === undefined ? undefined : parseSize(bandwidth),
    deadline,
    onTimeout: onTimeout ?? 'cancel',
  };
}

/**
 * Traces both sides, as far as they can. Answers what ends that; it resolves when everything is in its file, and only
 * tells of what went wrong, since how the migration has ended matters more.
 */
async function traceInto(
  file: string | undefined,
  source: QmpClient,
  destination: string | undefined,
): Promise<() => Promise<void>> {
  const traces = new AsyncDisposableStack();
  const start = async (client: QmpClient, filename: string) => {
    await coded(client.execute('x-migrate-trace', { filename }));
    traces.defer(() => client.execute('x-migrate-trace').then(() => {}));
  };
  if (file !== undefined) {
    await start(source, resolve(file));
    if (destination !== undefined) {
      const client = await connectQmp(socketOf(destination));
      traces.defer(() => client.close());
      // A QEMU writes none.
      await start(client, `${resolve(file)}.destination`).catch(() => {});
    }
  }
  return () =>
    traces
      .disposeAsync()
      .catch((error: Error) => void process.stderr.write(`sterna: the trace is not complete: ${error.message}\n`));
}

async function setParameters(client: QmpClient, goals: Goals): Promise<void> {
  const { maxDowntime, maxBandwidth, deadline, onTimeout } = goals;
  const parameters: Record<string, unknown> = {};
  if (maxDowntime !== undefined) parameters['downtime-limit'] = maxDowntime;
  if (maxBandwidth !== undefined) parameters['max-bandwidth'] = maxBandwidth;
  const current: Partial<MigrationParameters> = await client.execute('query-migrate-parameters');
  if (current['x-deadline'] === undefined && deadline !== undefined)
    throw new SternaError('STERNA_ERR_UNSUPPORTED', '--deadline: this machine knows no deadlines, it is not of Sterna');
  // That of an earlier migration must not count for this one.
  if (current['x-deadline'] !== undefined && (deadline ?? 0) !== current['x-deadline'])
    parameters['x-deadline'] = deadline ?? 0;
  if (deadline !== undefined) parameters['x-on-timeout'] = onTimeout;
  if (Object.keys(parameters).length > 0) await coded(client.executeAny('migrate-set-parameters', parameters));
}

/**
 * Follows a migration to its end.
 *
 * @throws SternaError with exit code 3 when it is blocked, 5 when nobody can know who owns the guest
 */
async function migrate(
  client: QmpClient,
  uri: string,
  deadline: number | undefined,
  progress: ProgressLine | undefined,
): Promise<MigrationInfo> {
  await coded(client.execute('migrate', { uri }));
  const cancel = () => void client.execute('migrate_cancel').catch(() => {});
  const started = performance.now();
  process.on('SIGINT', cancel);
  let last: MigrationInfo = {};
  try {
    for (;;) {
      last = await client.execute('query-migrate');
      progress?.show(last);
      if (ENDED.includes(last.status ?? 'none')) break;
      const late = deadline !== undefined && performance.now() - started > deadline + CONNECT_GRACE_MS;
      // The deadline is the source's business once there is a destination.
      if (late && last.status === 'setup') cancel();
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
    if (last.status === 'failed' && (await runStateOf(client)) === 'postmigrate')
      throw new SternaError('STERNA_ERR_OWNERSHIP_UNKNOWN', last['error-desc'] ?? 'the destination may run the guest');
    return last;
  } catch (cause) {
    if (cause instanceof SternaError && cause.code === 'STERNA_ERR_OWNERSHIP_UNKNOWN') throw cause;
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

async function runStateOf(client: QmpClient): Promise<string> {
  return (await client.execute('query-status')).status;
}

/** An error of the other side with its code, and so with its exit code. */
async function coded<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof QmpError && error.code !== undefined)
      throw new SternaError(error.code, error.message, { cause: error });
    throw error;
  }
}
