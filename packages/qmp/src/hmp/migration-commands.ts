import { SternaError } from '@sterna/core';
import { dirtyLimitsOf } from '../commands/dirty-limit-commands.ts';
import { dirtyRateOf } from '../commands/dirty-rate-commands.ts';
import { REFUSED_COMMANDS } from '../commands/refused-commands.ts';
import type { MonitorMigration } from '../target.ts';
import { type HmpCommand, hmpCommand, needed } from './define-hmp.ts';
import { dirtyLimitsText, dirtyRateText, migrationText, parametersText } from './migration-text.ts';

/** Commands of the human monitor about migration. */
export const HMP_MIGRATION_COMMANDS: readonly HmpCommand[] = [
  hmpCommand(
    ['migrate'],
    '[-d] [-r] uri',
    'migrates the running guest (-d: does not wait for the end; -r: goes on with a paused postcopy migration)',
    async ({ target }, args) => {
      const [detach, resume] = [args.includes('-d'), args.includes('-r')];
      const [uri, ...rest] = args.filter((arg) => arg !== '-d' && arg !== '-r');
      if (uri === undefined || rest.length > 0) throw new RangeError("'migrate' takes [-d] [-r] and a uri");
      if (resume) throw new RangeError('Cannot resume if there is no paused migration');
      await target.migration.migrate({ uri });
      if (!detach) await migrationEnd(target.migration);
    },
  ),
  hmpCommand(['migrate_cancel'], '', 'cancels the migration under way', ({ target }) => target.migration.cancel()),
  hmpCommand(['migrate_continue'], 'state', 'lets a migration that waits go on', ({ target }, [state]) =>
    target.migration.resumeSwitchover(needed(state, 'state')),
  ),
  hmpCommand(['migrate_incoming'], 'uri', 'waits for a guest to come in', ({ target }, [uri]) =>
    target.migration.incoming({ uri: needed(uri, 'uri') }, undefined),
  ),
  refused('migrate_recover', 'uri', 'migrate-recover'),
  refused('migrate_pause', '', 'migrate-pause'),
  refused('migrate_start_postcopy', '', 'migrate-start-postcopy'),
  refused('x_colo_lost_heartbeat', '', 'x-colo-lost-heartbeat'),
  refused('client_migrate_info', 'protocol hostname port tls-port cert-subject', 'client_migrate_info'),
  refused('announce_self', '[interfaces] [id]', 'announce-self'),
  hmpCommand(
    ['migrate_set_capability'],
    'capability state',
    'switches a capability on or off',
    ({ target }, [capability, state]) => {
      if (state !== 'on' && state !== 'off') throw new RangeError("the state is 'on' or 'off'");
      target.migration.setCapabilities([{ capability: needed(capability, 'capability'), state: state === 'on' }]);
    },
  ),
  hmpCommand(
    ['migrate_set_parameter'],
    'parameter value',
    'changes a migration parameter',
    ({ target }, [name, value]) => {
      const parameter = needed(name, 'parameter');
      target.migration.setParameters({ [parameter]: parameterValue(parameter, needed(value, 'value')) });
    },
  ),
  hmpCommand(
    ['calc_dirty_rate'],
    '[-r] [-b] second [sample_pages_per_GB]',
    'measures how fast the guest dirties its memory (-b: by the dirty bitmap, -r: by the dirty ring)',
    ({ target }, args) => {
      const [seconds, pages, ...rest] = args.filter((arg) => arg !== '-b' && arg !== '-r');
      const mode = args.includes('-r') ? 'dirty-ring' : args.includes('-b') ? 'dirty-bitmap' : 'page-sampling';
      if (rest.length > 0) throw new RangeError("'calc_dirty_rate' takes seconds and a number of pages");
      dirtyRateOf(target).start({
        'calc-time': numberOf(needed(seconds, 'second')),
        mode,
        ...(pages === undefined ? {} : { 'sample-pages': numberOf(pages) }),
      });
    },
  ),
  hmpCommand(
    ['set_vcpu_dirty_limit'],
    'dirty_rate [cpu_index]',
    'limits how fast a vCPU, or each of them, dirties memory, in MiB per second',
    ({ target }, [rate, cpu]) =>
      dirtyLimitsOf(target).set(numberOf(needed(rate, 'dirty_rate')), cpu === undefined ? undefined : numberOf(cpu)),
  ),
  hmpCommand(
    ['cancel_vcpu_dirty_limit'],
    '[cpu_index]',
    'takes the limit of a vCPU, or of all of them, away',
    ({ target }, [cpu]) => dirtyLimitsOf(target).cancel(cpu === undefined ? undefined : numberOf(cpu)),
  ),
];

/** What comes after `info`, about migration. */
export const INFO_MIGRATION_COMMANDS: readonly HmpCommand[] = [
  {
    names: ['migrate'],
    usage: '[-a]',
    help: 'state and figures of the migration (-a: and of how streams are written)',
    run: ({ target }, args) => {
      const globals = args.includes('-a') ? target.migration.globals?.() : undefined;
      const lines = Object.entries(globals ?? {}).map(([name, on]) => `  ${name}: ${on ? 'on' : 'off'}\n`);
      return migrationText(target.migration.info()) + (lines.length === 0 ? '' : `Globals:\n${lines.join('')}`);
    },
  },
  {
    names: ['migrate_capabilities'],
    usage: '',
    help: 'migration capabilities',
    run: ({ target }) =>
      target.migration
        .capabilities()
        .map(({ capability, state }) => `${capability}: ${state ? 'on' : 'off'}\n`)
        .join(''),
  },
  {
    names: ['migrate_parameters'],
    usage: '',
    help: 'migration parameters',
    run: ({ target }) => parametersText(target.migration.parameters()),
  },
  {
    names: ['dirty_rate'],
    usage: '',
    help: 'the dirty rate that was measured',
    run: ({ target }) => dirtyRateText(dirtyRateOf(target).query()),
  },
  {
    names: ['vcpu_dirty_limit'],
    usage: '',
    help: 'limits of vCPUs, and how fast they dirty memory now',
    run: ({ target }) => dirtyLimitsText(target.dirtyLimits?.query() ?? []),
  },
];

/** A command that is not here, and says why. */
function refused(name: string, usage: string, qmp: string): HmpCommand {
  const reason = REFUSED_COMMANDS[qmp]!;
  return {
    names: [name],
    usage,
    help: `not available here: ${reason}`,
    run: () => {
      throw new SternaError('STERNA_ERR_UNSUPPORTED', `'${name}' is not available here: ${reason}`);
    },
  };
}

const UNITS: Readonly<Record<string, number>> = { b: 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30, t: 2 ** 40 };
/** Parameters whose plain number means MiB, as QEMU's monitor has it. */
const MIB_BY_DEFAULT: readonly string[] = ['max-bandwidth', 'avail-switchover-bandwidth', 'max-postcopy-bandwidth'];
/** Parameters that are text, whatever the text looks like. */
const TEXTS: readonly string[] = ['tls-creds', 'tls-hostname', 'tls-authz'];

function parameterValue(name: string, text: string): unknown {
  if (TEXTS.includes(name)) return text;
  if (name === 'block-bitmap-mapping') throw new RangeError(`the parameter '${name}' can only be set through QMP`);
  if (name === 'cpr-exec-command') return text.split(' ');
  if (text === 'on' || text === 'off') return text === 'on';
  const match = /^([0-9]+(?:\.[0-9]+)?)([bkmgt])?$/i.exec(text);
  if (match === null) return text;
  const unit = match[2] === undefined ? (MIB_BY_DEFAULT.includes(name) ? 'm' : 'b') : match[2].toLowerCase();
  return Math.round(Number(match[1]) * UNITS[unit]!);
}

function numberOf(text: string): number {
  if (!/^[0-9]+$/.test(text)) throw new RangeError(`'${text}' is no number`);
  return Number(text);
}

/** States in which no migration is under way. */
const ENDED: readonly string[] = ['none', 'completed', 'failed', 'cancelled'];

/** Resolves when no migration is under way; rejects when it has failed. */
async function migrationEnd(migration: MonitorMigration): Promise<void> {
  for (;;) {
    const { status, 'error-desc': reason } = migration.info();
    if (ENDED.includes(status ?? 'none')) {
      if (status === 'failed') throw new RangeError(reason ?? 'the migration failed');
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
