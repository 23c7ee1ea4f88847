import { runHmp } from '../hmp/run-hmp.ts';
import { t } from '../schema/types.ts';
import { blockCommands } from './block-commands.ts';
import { chardevCommands } from './chardev-commands.ts';
import {
  type AnyCommand,
  type ArgumentsOf,
  defineCommand,
  NOTHING,
  type Nothing,
  type ResultOf,
} from './define-command.ts';
import { descriptorCommands } from './descriptor-commands.ts';
import { dirtyRateCommands } from './dirty-rate-commands.ts';
import { jobCommands } from './job-commands.ts';
import { machineCommands } from './machine-commands.ts';
import { memoryCommands } from './memory-commands.ts';
import { migrationCommands } from './migration-commands.ts';
import { objectCommands } from './object-commands.ts';
import { snapshotCommands } from './snapshot-commands.ts';
import { tracingCommands } from './tracing-commands.ts';
import { yankCommands } from './yank-commands.ts';

/** Commands about the monitor itself. `qmp_capabilities` only stands here for its types: the session handles it. */
const monitorCommands = {
  qmp_capabilities: defineCommand({
    help: 'Ends the negotiation; must be the first command',
    arguments: t.object({ enable: t.optional(t.array(t.str)) }),
    returns: t.typed<Nothing>('null'),
    run: () => NOTHING,
  }),
  'query-commands': defineCommand({
    help: 'Names of all commands',
    arguments: t.object({}),
    returns: t.typed<readonly { readonly name: string }[]>('[CommandInfo]'),
    run: () => commandNames().map((name) => ({ name })),
  }),
  'human-monitor-command': defineCommand({
    help: 'Runs a command of the human monitor and answers its text',
    arguments: t.object({ 'command-line': t.str, 'cpu-index': t.optional(t.int) }),
    returns: t.str,
    run: ({ target }, args) => runHmp(args['command-line'], { target, cpuIndex: args['cpu-index'] ?? 0 }),
  }),
};

/** All commands, by name. */
export const COMMANDS = {
  ...monitorCommands,
  ...machineCommands,
  ...memoryCommands,
  ...objectCommands,
  ...dirtyRateCommands,
  ...migrationCommands,
  ...tracingCommands,
  ...chardevCommands,
  ...blockCommands,
  ...descriptorCommands,
  ...jobCommands,
  ...snapshotCommands,
  ...yankCommands,
};

/** Name of a command. */
export type CommandName = keyof typeof COMMANDS;
/** Arguments of a command. */
export type CommandArguments<N extends CommandName> = ArgumentsOf<(typeof COMMANDS)[N]>;
/** Result of a command. */
export type CommandResult<N extends CommandName> = ResultOf<(typeof COMMANDS)[N]>;

function commandNames(): string[] {
  return Object.keys(COMMANDS);
}

/** The command of that name, or undefined. */
export function findCommand(name: string): AnyCommand | undefined {
  return Object.hasOwn(COMMANDS, name) ? COMMANDS[name as CommandName] : undefined;
}
