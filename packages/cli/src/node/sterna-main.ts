import { ConfigError, unknownNameHint } from '@sterna/core';
import { VERSION } from '../version.ts';
import type { Command } from './commands/command.ts';
import { reportError } from './report-error.ts';

/** The subcommands; each is loaded when it is used. */
const COMMANDS: Readonly<Record<string, { readonly help: string; load(): Promise<Command> }>> = {
  run: { help: 'runs a machine file', load: async () => (await import('./commands/run.ts')).runCommand },
  migrate: {
    help: 'moves a running machine to another process',
    load: async () => (await import('./commands/migrate.ts')).migrateCommand,
  },
  report: {
    help: 'says what a migration did, from its trace',
    load: async () => (await import('./commands/report.ts')).reportCommand,
  },
  stream: {
    help: 'looks into a migration stream',
    load: async () => (await import('./commands/stream.ts')).streamCommand,
  },
  vmstate: {
    help: 'shows what devices send when they migrate, and what of it has changed',
    load: async () => (await import('./commands/vmstate.ts')).vmstateCommand,
  },
  plugin: { help: 'lists and checks plugins', load: async () => (await import('./commands/plugin.ts')).pluginCommand },
  doctor: {
    help: 'says what this host offers',
    load: async () => (await import('./commands/doctor.ts')).doctorCommand,
  },
};

/** Runs `sterna` and answers its exit code. */
export async function sternaMain([name, ...args]: readonly string[]): Promise<number> {
  try {
    if (name === undefined || name === 'help' || name === '--help' || name === '-h') {
      process.stdout.write(usage());
      return name === undefined ? 2 : 0;
    }
    if (name === 'version' || name === '--version') {
      process.stdout.write(`sterna ${VERSION}\n`);
      return 0;
    }
    if (!Object.hasOwn(COMMANDS, name)) {
      throw new ConfigError(
        'STERNA_ERR_OPTION_UNKNOWN',
        `unknown command '${name}'; ${unknownNameHint(name, Object.keys(COMMANDS))}`,
      );
    }
    const command = await COMMANDS[name]!.load();
    if (args.includes('--help') || args.includes('-h')) {
      process.stdout.write(command.usage);
      return 0;
    }
    return await command.run(args);
  } catch (error) {
    return reportError('sterna', error);
  }
}

function usage(): string {
  const commands = Object.entries(COMMANDS).map(([name, { help }]) => `  ${name.padEnd(10)} ${help}`);
  return `usage: sterna COMMAND [options]\n\n${commands.join('\n')}\n\n'sterna COMMAND --help' says more; 'sterna-system-x86_64 -help' has QEMU's options.\n`;
}
