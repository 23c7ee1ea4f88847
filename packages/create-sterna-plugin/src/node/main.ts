import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { parseArgs } from 'node:util';
import { kindOf, PLUGIN_KINDS, UsageError } from '../kinds.ts';
import { nameFromPath, pluginNames } from '../names.ts';
import { type PluginOptions, packageNameOf, pluginFiles } from '../plugin-files.ts';
import { ownVersion, readTemplates } from './templates.ts';

const USAGE = `usage: npm create sterna-plugin@latest [FOLDER] -- [options]

Writes a small complete plugin into FOLDER, with its conformance test. On a terminal it asks for what is not given.

  --kind KIND           ${PLUGIN_KINDS.filter(({ missing }) => missing === undefined)
    .map(({ name }) => name)
    .join(', ')}
  --name NAME           driver name, such as blink-led; default: the folder's
  --package NAME        npm name; default: sterna-plugin-NAME
  --description TEXT    one line
  --author TEXT         for the licence
  --force               also writes into a folder that is not empty; files of the same name are kept
  --yes                 asks nothing
`;

/** What the program reads and writes; injected for tests. */
export interface CreateHost {
  readonly cwd: string;
  /** Asks on the terminal; undefined where there is none. */
  readonly ask: ((question: string, preset: string) => Promise<string>) | undefined;
  write(text: string): void;
  error(text: string): void;
}

/**
 * Runs `create-sterna-plugin`.
 *
 * @returns the exit code: 0, or 2 when something that was asked for cannot be done
 */
export async function createMain(args: readonly string[], host: CreateHost = processHost()): Promise<number> {
  try {
    return await create(args, host);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    host.error(`create-sterna-plugin: ${error.message}\n`);
    return 2;
  }
}

async function create(args: readonly string[], host: CreateHost): Promise<number> {
  const { values, positionals } = parsed(args);
  if (values.help === true) {
    host.write(USAGE);
    return 0;
  }
  if (positionals.length > 1) throw new UsageError(`one folder is enough, not also '${positionals[1]}'`);
  const ask = values.yes === true ? undefined : host.ask;
  const kind = values.kind ?? (await ask?.(kindQuestion(), 'device'));
  if (kind === undefined) throw new UsageError(`which kind? Give --kind; ${kindList()}`);
  kindOf(kind);
  const given =
    values.name ?? (positionals[0] === undefined ? undefined : nameFromPath(resolve(host.cwd, positionals[0])));
  const name = given ?? (await ask?.('Name of the plugin', `my-${kind}`));
  if (name === undefined) throw new UsageError('which name? Give a folder or --name');
  pluginNames(name);
  const folder = resolve(
    host.cwd,
    positionals[0] ?? packageNameOf({ name, ...optional('packageName', values.package) }),
  );
  const description = values.description ?? (await ask?.('What it does, in one line', ''));
  const options: PluginOptions = {
    kind,
    name,
    year: new Date().getFullYear(),
    sternaVersion: ownVersion(),
    ...optional('packageName', values.package),
    ...optional('description', description === '' ? undefined : description),
    ...optional('author', values.author),
  };
  checkEmpty(folder, values.force === true);
  const files = pluginFiles(options, readTemplates());
  const written = writeFiles(folder, files);
  host.write(
    `${written} files (${kind}) are in ${folder}\n\n  cd ${positionals[0] ?? basename(folder)}\n  npm install\n  npm test\n`,
  );
  return 0;
}

function parsed(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        kind: { type: 'string' },
        name: { type: 'string' },
        package: { type: 'string' },
        description: { type: 'string' },
        author: { type: 'string' },
        force: { type: 'boolean' },
        yes: { type: 'boolean', short: 'y' },
        help: { type: 'boolean', short: 'h' },
      },
    });
  } catch (cause) {
    throw new UsageError(`${(cause as Error).message}\n\n${USAGE}`, { cause });
  }
}

function optional<K extends string, V>(key: K, value: V | undefined): { [P in K]?: V } {
  return value === undefined ? {} : ({ [key]: value } as { [P in K]: V });
}

function kindList(): string {
  return PLUGIN_KINDS.map(({ name, summary, missing }) => `${name} (${missing ?? summary})`).join('; ');
}

function kindQuestion(): string {
  const lines = PLUGIN_KINDS.map(
    ({ name, summary, missing }) =>
      `  ${name.padEnd(16)} ${summary}${missing === undefined ? '' : ` - not yet: ${missing}`}`,
  );
  return `${lines.join('\n')}\nKind of plugin`;
}

/** @throws UsageError when something is there that is not ours to mix with */
function checkEmpty(folder: string, force: boolean): void {
  if (force || !existsSync(folder)) return;
  const others = readdirSync(folder).filter((name) => name !== '.git');
  if (others.length > 0)
    throw new UsageError(`${folder} is not empty (it has ${others[0]}); take another folder or give --force`);
}

/** Answers how many were written; a file that is there already is kept. */
function writeFiles(folder: string, files: ReadonlyMap<string, string>): number {
  let written = 0;
  for (const [path, text] of files) {
    const target = join(folder, path);
    if (existsSync(target)) continue;
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, text);
    written++;
  }
  return written;
}

function processHost(): CreateHost {
  const { stdin, stdout, stderr } = process;
  return {
    cwd: process.cwd(),
    ask: stdin.isTTY && stdout.isTTY ? askTerminal : undefined,
    write: (text) => void stdout.write(text),
    error: (text) => void stderr.write(text),
  };
}

async function askTerminal(question: string, preset: string): Promise<string> {
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  try {
    const answer = (await terminal.question(`${question}${preset === '' ? '' : ` (${preset})`}: `)).trim();
    return answer === '' ? preset : answer;
  } finally {
    terminal.close();
  }
}
