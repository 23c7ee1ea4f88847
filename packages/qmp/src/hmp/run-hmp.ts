import { HMP_COMMANDS } from './commands.ts';
import type { HmpCommand, HmpContext } from './define-hmp.ts';
import { INFO_COMMANDS } from './info-commands.ts';

/** Runs one line of the human monitor. Answers its text with CR LF line ends; errors are text too. */
export async function runHmp(line: string, context: HmpContext): Promise<string> {
  const words = line
    .trim()
    // A format follows its command without a space: `xp/4xb`.
    .replace(/^(\w+)\//, '$1 /')
    .split(/\s+/)
    .filter((word) => word !== '');
  if (words.length === 0) return '';
  return (await run(words, context)).replaceAll('\n', '\r\n');
}

async function run(words: readonly string[], context: HmpContext): Promise<string> {
  const [name = '', ...args] = words;
  if (name === 'help' || name === '?') return help(args);
  const isInfo = name === 'info';
  if (isInfo && args.length === 0) return help(['info']);
  const command = isInfo ? find(INFO_COMMANDS, args[0]!) : find(HMP_COMMANDS, name);
  if (command === undefined) return `unknown command: '${words.join(' ')}'\n`;
  try {
    return await command.run(context, isInfo ? args.slice(1) : args);
  } catch (error) {
    return `Error: ${error instanceof Error ? error.message : String(error)}\n`;
  }
}

function find(commands: readonly HmpCommand[], name: string): HmpCommand | undefined {
  return commands.find((command) => command.names.includes(name));
}

function help([topic]: readonly string[]): string {
  const main = HMP_COMMANDS.map((command) => describe(command));
  const infos = INFO_COMMANDS.map((command) => `info ${describe(command)}`);
  if (topic === 'info') return infos.join('');
  const lines = [...main, ...infos, 'help|? [command] -- this list\n'];
  if (topic === undefined) return lines.join('');
  const found = lines.filter((line) => line.split(' ')[0]!.split('|').includes(topic));
  return found.length > 0 ? found.join('') : `unknown command: '${topic}'\n`;
}

function describe({ names, usage, help: text }: HmpCommand): string {
  return `${names.join('|')}${usage === '' ? '' : ` ${usage}`} -- ${text}\n`;
}

/** Ways to go on from what was typed so far, for the Tab key. */
export function completeHmp(text: string): readonly string[] {
  const [first = '', second] = text.trimStart().split(/\s+/);
  if (second === undefined) {
    const names = ['help', 'info', ...HMP_COMMANDS.flatMap((command) => command.names)];
    return names.filter((name) => name.startsWith(first)).map((name) => `${name} `);
  }
  if (first !== 'info') return [];
  return INFO_COMMANDS.map((command) => command.names[0]!)
    .filter((name) => name.startsWith(second))
    .map((name) => `info ${name}`);
}
