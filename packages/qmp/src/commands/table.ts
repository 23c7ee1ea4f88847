import { EVENTS } from '../events/events.ts';
import { runHmp } from '../hmp/run-hmp.ts';
import { introspect, type SchemaInfo } from '../schema/introspect.ts';
import { SCHEMA_INFO } from '../schema/schema-info.ts';
import { t } from '../schema/types.ts';
import type { MonitorCatalog } from '../target.ts';
import { absentCommands } from './absent-commands.ts';
import { blockCommands } from './block-commands.ts';
import { catalogCommands } from './catalog-commands.ts';
import { chardevCommands } from './chardev-commands.ts';
import {
  type AnyCommand,
  type ArgumentsOf,
  defineCommand,
  NOTHING,
  noArguments,
  nothing,
  type ResultOf,
} from './define-command.ts';
import { descriptorCommands } from './descriptor-commands.ts';
import { deviceCommands } from './device-commands.ts';
import { dirtyLimitCommands } from './dirty-limit-commands.ts';
import { dirtyRateCommands } from './dirty-rate-commands.ts';
import { jobCommands } from './job-commands.ts';
import { machineCommands } from './machine-commands.ts';
import { memoryCommands } from './memory-commands.ts';
import { migrationCommands } from './migration-commands.ts';
import { objectCommands } from './object-commands.ts';
import { qomCommands } from './qom-commands.ts';
import { snapshotCommands } from './snapshot-commands.ts';
import { tracingCommands } from './tracing-commands.ts';
import { yankCommands } from './yank-commands.ts';

/** Commands about the monitor itself. `qmp_capabilities` only stands here for its types: the session handles it. */
const monitorCommands = {
  qmp_capabilities: defineCommand({
    help: 'Ends the negotiation; must be the first command',
    arguments: t.object({ enable: t.optional(t.array(t.enum(['oob']))) }),
    returns: nothing,
    run: () => NOTHING,
  }),
  'query-commands': defineCommand({
    help: 'Names of all commands',
    arguments: noArguments,
    returns: t.array(t.object({ name: t.str })),
    run: () => commandNames().map((name) => ({ name })),
  }),
  'query-qmp-schema': defineCommand({
    help: 'All commands, events and their types',
    arguments: noArguments,
    returns: t.array(SCHEMA_INFO),
    run: ({ target }): readonly SchemaInfo[] => schemaOf(target.catalog),
  }),
  'human-monitor-command': defineCommand({
    help: 'Runs a command of the human monitor and answers its text',
    arguments: t.object({ 'command-line': t.str, 'cpu-index': t.optional(t.int) }),
    returns: t.str,
    features: ['savevm-monitor-nodes'],
    run: ({ target }, args) => runHmp(args['command-line'], { target, cpuIndex: args['cpu-index'] ?? 0 }),
  }),
};

/** All commands, by name. */
export const COMMANDS = {
  ...monitorCommands,
  ...machineCommands,
  ...catalogCommands,
  ...memoryCommands,
  ...qomCommands,
  ...deviceCommands,
  ...objectCommands,
  ...dirtyLimitCommands,
  ...dirtyRateCommands,
  ...migrationCommands,
  ...tracingCommands,
  ...chardevCommands,
  ...blockCommands,
  ...descriptorCommands,
  ...jobCommands,
  ...snapshotCommands,
  ...yankCommands,
  ...absentCommands,
};

/** Name of a command. */
export type CommandName = keyof typeof COMMANDS;
/** Arguments of a command. */
export type CommandArguments<N extends CommandName> = ArgumentsOf<(typeof COMMANDS)[N]>;
/** Result of a command. */
export type CommandResult<N extends CommandName> = ResultOf<(typeof COMMANDS)[N]>;

const schemas = new WeakMap<object, readonly SchemaInfo[]>();

/** The schema, with what plugins add to it. */
export function schemaOf(catalog: MonitorCatalog | undefined): readonly SchemaInfo[] {
  const key = catalog ?? COMMANDS;
  let schema = schemas.get(key);
  if (schema === undefined) {
    schema = introspect(COMMANDS, EVENTS, catalog);
    schemas.set(key, schema);
  }
  return schema;
}

function commandNames(): string[] {
  return Object.keys(COMMANDS);
}

/** The command of that name, or undefined. */
export function findCommand(name: string): AnyCommand | undefined {
  return Object.hasOwn(COMMANDS, name) ? COMMANDS[name as CommandName] : undefined;
}
