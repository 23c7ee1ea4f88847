/** The page of QEMU's interface to migrations, row by row. */
import { CAPABILITY_NAMES, CAPABILITY_OBSTACLES, describeParameters } from '@sterna/migration';
import { COMMANDS, completeHmp, REFUSED_COMMANDS } from '@sterna/qmp';

/** QEMU's commands about migration (qapi/migration.json, 7.2 to 11.1), by what they are about. */
export const MIGRATION_COMMANDS: Readonly<Record<string, readonly string[]>> = {
  'A migration': [
    'migrate',
    'migrate-incoming',
    'migrate_cancel',
    'migrate-continue',
    'migrate-start-postcopy',
    'migrate-recover',
    'migrate-pause',
    'query-migrate',
    'query-migrationthreads',
  ],
  Settings: [
    'migrate-set-capabilities',
    'query-migrate-capabilities',
    'migrate-set-parameters',
    'query-migrate-parameters',
  ],
  'Dirty rate': [
    'calc-dirty-rate',
    'query-dirty-rate',
    'set-vcpu-dirty-limit',
    'cancel-vcpu-dirty-limit',
    'query-vcpu-dirty-limit',
  ],
  'What belongs to it': [
    'object-add',
    'object-del',
    'announce-self',
    'client_migrate_info',
    'yank',
    'query-yank',
    'snapshot-save',
    'snapshot-load',
    'snapshot-delete',
  ],
  'COLO and Xen': [
    'x-colo-lost-heartbeat',
    'query-colo-status',
    'xen-save-devices-state',
    'xen-load-devices-state',
    'xen-set-global-dirty-log',
    'xen-set-replication',
    'query-xen-replication-status',
    'xen-colo-do-checkpoint',
  ],
};

/** QEMU's commands of the human monitor about migration (hmp-commands.hx and hmp-commands-info.hx, 11.1). */
export const MIGRATION_HMP: readonly string[] = [
  'migrate',
  'migrate_cancel',
  'migrate_continue',
  'migrate_incoming',
  'migrate_recover',
  'migrate_pause',
  'migrate_set_capability',
  'migrate_set_parameter',
  'migrate_start_postcopy',
  'savevm',
  'loadvm',
  'delvm',
  'announce_self',
  'calc_dirty_rate',
  'set_vcpu_dirty_limit',
  'cancel_vcpu_dirty_limit',
  'object_add',
  'object_del',
  'x_colo_lost_heartbeat',
  'client_migrate_info',
  'info migrate',
  'info migrate_capabilities',
  'info migrate_parameters',
  'info dirty_rate',
  'info vcpu_dirty_limit',
  'info snapshots',
];

/** QEMU's events of migrations. */
export const MIGRATION_EVENTS: Readonly<Record<string, string>> = {
  MIGRATION: 'sent, with capability `events`',
  MIGRATION_PASS: 'sent, with capability `events`',
  STOP: 'sent',
  RESUME: 'sent',
  JOB_STATUS_CHANGE: 'sent, by `snapshot-save` and the like',
  UNPLUG_PRIMARY: 'never: there are no network devices that a standby could replace',
  COLO_EXIT: 'never: COLO has not landed yet',
  VFIO_MIGRATION: 'never: there are no VFIO devices on this host',
};

/** The refusal of a command, or undefined when there is one of that name. */
export function refusal(command: string): string | undefined {
  if (Object.hasOwn(COMMANDS, command)) return undefined;
  return REFUSED_COMMANDS[command] ?? 'missing';
}

/** Names of all commands of the human monitor here. */
export function hmpNames(): ReadonlySet<string> {
  const names = [...completeHmp(''), ...completeHmp('info ')].map((name) => name.trim());
  return new Set(names);
}

function commandRows(names: readonly string[]): string[] {
  return names.map((name) => {
    const why = refusal(name);
    const help = Object.hasOwn(COMMANDS, name) ? COMMANDS[name as keyof typeof COMMANDS].help : '';
    return `| \`${name}\` | ${why === undefined ? help : `not available: ${why}`} |`;
  });
}

function hmpRow(name: string): string {
  const known = hmpNames().has(name);
  const qmp = name === 'info vcpu_dirty_limit' ? 'query-vcpu-dirty-limit' : name.replaceAll('_', '-');
  const why = refusal(qmp) === undefined ? undefined : (REFUSED_COMMANDS[qmp] ?? REFUSED_COMMANDS[name]);
  return `| \`${name}\` | ${why !== undefined ? `not available: ${why}` : known ? 'yes' : 'not available: missing'} |`;
}

/** The whole page. */
export function migrationQmpPage(): string {
  return [
    "# QEMU's interface to migrations",
    '',
    "Every command, capability, parameter and event of QEMU's about migration (7.2 to 11.1, as `query-qmp-schema` of 11.1",
    'names them), and what becomes of it here. Generated from the tables that the monitor itself uses;',
    '`tests/interop/migration-qmp.test.ts` asks a QEMU for its own list and fails when something is forgotten. What is not',
    'available answers with its reason: a command as QEMU answers those it was built without (`CommandNotFound`), a capability',
    'or value with `GenericError`.',
    '',
    ...Object.entries(MIGRATION_COMMANDS).flatMap(([title, names]) => [
      `## ${title}`,
      '',
      '| command | what it does |',
      '|---|---|',
      ...commandRows(names),
      '',
    ]),
    '## Human monitor',
    '',
    '| command | available |',
    '|---|---|',
    ...MIGRATION_HMP.map(hmpRow),
    '',
    '## Capabilities',
    '',
    'In the order of `query-migrate-capabilities`; all are off at first.',
    '',
    '| capability | available |',
    '|---|---|',
    ...CAPABILITY_NAMES.map((name) => {
      const why = CAPABILITY_OBSTACLES[name];
      return `| \`${name}\` | ${why === undefined ? 'yes' : `no: ${why}`} |`;
    }),
    '',
    '## Parameters',
    '',
    'In the order of `query-migrate-parameters`. The last two are ours.',
    '',
    '| parameter | default | takes |',
    '|---|---|---|',
    ...describeParameters().map(
      ({ name, default: preset, takes }) =>
        `| \`${name}\` | ${preset === undefined ? 'absent' : `\`${JSON.stringify(preset)}\``} | ${takes} |`,
    ),
    '',
    '## Events',
    '',
    '| event | here |',
    '|---|---|',
    ...Object.entries(MIGRATION_EVENTS).map(([name, here]) => `| \`${name}\` | ${here} |`),
    '',
    '## Answer of query-migrate',
    '',
    'Members and their presence are those of QEMU 11.1 (`tests/interop/query-migrate.test.ts` compares them with a QEMU that',
    'migrates in the same way). Never present: `vfio` (there are no VFIO devices on this host), `postcopy-...` (postcopy has',
    'not landed yet).',
    '',
  ].join('\n');
}
