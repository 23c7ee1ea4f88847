import { QmpError } from '../errors.ts';
import { t } from '../schema/types.ts';
import type { MigrationDestination } from '../target.ts';
import {
  CAPABILITY_STATUS,
  MIGRATION_CHANNEL,
  MIGRATION_INFO,
  MIGRATION_PARAMETERS,
  MIGRATION_STATUS,
  PARAMETER_CHANGES,
} from '../types/migration-types.ts';
import { defineCommand, NOTHING, noArguments, nothing } from './define-command.ts';

const channels = t.optional(t.array(MIGRATION_CHANNEL));

function destination(args: MigrationDestination): MigrationDestination {
  if ((args.uri === undefined) === (args.channels === undefined)) {
    throw new QmpError('GenericError', "need either 'uri' or 'channels' argument", 'STERNA_ERR_OPTION_VALUE');
  }
  return args;
}

/** Commands about migration. */
export const migrationCommands = {
  migrate: defineCommand({
    help: 'Starts to migrate the running guest to an address',
    arguments: t.object({ uri: t.optional(t.str), channels, detach: t.optional(t.bool), resume: t.optional(t.bool) }),
    returns: nothing,
    async run({ target }, args) {
      if (args.resume === true) {
        // Only postcopy pauses, and it has not landed yet.
        throw new QmpError(
          'GenericError',
          'Cannot resume if there is no paused migration',
          'STERNA_ERR_MIGRATION_STATE',
        );
      }
      await target.migration.migrate(destination(args));
      return NOTHING;
    },
  }),
  'migrate-incoming': defineCommand({
    help: 'Waits for a guest to come in, after -incoming defer',
    arguments: t.object({ uri: t.optional(t.str), channels, 'exit-on-error': t.optional(t.bool) }),
    returns: nothing,
    async run({ target }, args) {
      await target.migration.incoming(destination(args), args['exit-on-error']);
      return NOTHING;
    },
  }),
  migrate_cancel: defineCommand({
    help: 'Cancels the migration under way, if there is one',
    arguments: noArguments,
    returns: nothing,
    async run({ target }) {
      await target.migration.cancel();
      return NOTHING;
    },
  }),
  'migrate-continue': defineCommand({
    help: 'Lets a migration that waits before its switchover go on',
    arguments: t.object({ state: MIGRATION_STATUS }),
    returns: nothing,
    async run({ target }, { state }) {
      await target.migration.resumeSwitchover(state);
      return NOTHING;
    },
  }),
  'migrate-set-parameters': defineCommand({
    help: 'Changes migration parameters; the rest keeps its value',
    // The names are in the migration package's own table, which checks them.
    arguments: PARAMETER_CHANGES,
    returns: nothing,
    run({ target }, args) {
      target.migration.setParameters(args);
      return NOTHING;
    },
  }),
  'query-migrate-parameters': defineCommand({
    help: 'All migration parameters',
    arguments: noArguments,
    returns: MIGRATION_PARAMETERS,
    run: ({ target }) => target.migration.parameters(),
  }),
  'migrate-set-capabilities': defineCommand({
    help: 'Switches migration capabilities on and off, all or none',
    arguments: t.object({ capabilities: t.array(CAPABILITY_STATUS) }),
    returns: nothing,
    run({ target }, { capabilities }) {
      target.migration.setCapabilities(capabilities);
      return NOTHING;
    },
  }),
  'query-migrate-capabilities': defineCommand({
    help: 'All migration capabilities',
    arguments: noArguments,
    returns: t.array(CAPABILITY_STATUS),
    run: ({ target }) => target.migration.capabilities(),
  }),
  'query-migrate': defineCommand({
    help: 'State and figures of the last migration',
    arguments: noArguments,
    returns: MIGRATION_INFO,
    run: ({ target }) => target.migration.info(),
  }),
};
