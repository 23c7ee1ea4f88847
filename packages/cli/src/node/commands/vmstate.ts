import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import { ConfigError, SternaError } from '@sterna/core';
import {
  diffVmState,
  parseVmStateDump,
  type VmStateChange,
  type VmStateDeviceDiff,
  type VmStateDiff,
  type VmStateDump,
  type VmStateVerdict,
  vmStateDumpText,
} from '@sterna/migration';
import { parseSystemArgs } from '../../system/parse-args.ts';
import { planFromConfig, planFromOptions } from '../machine/plan.ts';
import { dumpTables } from '../machine/table-dump.ts';
import { makeRegistry } from '../registry.ts';
import { type Command, type ParsedOptions, parseOptions, printJson, single } from './command.ts';
import { loadConfig } from './run.ts';

const USAGE = `usage: sterna vmstate dump [FILE] [--machine NAME[,PROP=VALUE...]] [--plugin SPEC] [--output FILE]
       sterna vmstate diff OLD NEW [--renamed TABLE.FIELD=NEW] [--json]

'dump' prints what the devices of a machine send when it migrates, as 'qemu-system-x86_64 -dump-vmstate' does: of the
machine file FILE, or of a machine type. 'diff' compares two dumps, of Sterna or QEMU, and says of every device that has
changed:

  safe               streams go both ways
  needs-subsection   old streams load, but an old side cannot do without what was added
  breaking           old streams do not load any more

  --output FILE            where the dump goes instead of the standard output
  --renamed TABLE.FIELD=NEW  a field with a new name that means the same (may repeat)
  --json                   the whole comparison as one line of JSON

Exit codes of 'diff': 0 safe, 1 needs a subsection, 3 breaking.
`;

const EXIT: Readonly<Record<VmStateVerdict, number>> = { safe: 0, 'needs-subsection': 1, breaking: 3 };

/** `sterna vmstate`. */
export const vmstateCommand: Command = {
  usage: USAGE,
  async run(args) {
    const options = parseOptions(args, {
      machine: 'value',
      plugin: 'values',
      output: 'value',
      renamed: 'values',
      json: 'switch',
    });
    const [action, ...files] = options.positionals;
    if (action === 'dump' && files.length <= 1) return dump(files[0], options);
    const [before, after] = files;
    if (action === 'diff' && before !== undefined && after !== undefined && files.length === 2)
      return diff(before, after, options);
    throw new ConfigError('STERNA_ERR_OPTION_VALUE', 'usage: sterna vmstate dump [FILE] | diff OLD NEW');
  },
};

async function dump(file: string | undefined, options: ParsedOptions): Promise<number> {
  const output = single(options, 'output');
  const text = vmStateDumpText(await machineDump(file, options));
  if (output === undefined) process.stdout.write(text);
  else writeDump(output, text);
  return 0;
}

/** Writes a dump. @throws SternaError `STERNA_ERR_HOST_IO` */
export function writeDump(path: string, text: string): void {
  try {
    writeFileSync(path, text);
  } catch (cause) {
    throw new SternaError('STERNA_ERR_HOST_IO', `cannot write ${path}: ${(cause as Error).message}`, { cause });
  }
}

async function machineDump(file: string | undefined, options: ParsedOptions): Promise<VmStateDump> {
  const registry = await makeRegistry(options.values.get('plugin') ?? []);
  const machine = single(options, 'machine');
  if (machine !== undefined) {
    if (file !== undefined)
      throw new ConfigError('STERNA_ERR_OPTION_VALUE', 'a machine file and --machine exclude each other');
    return dumpTables(planFromOptions(parseSystemArgs(['-machine', machine, '-nodefaults']), registry), registry);
  }
  const name = file ?? 'sterna.config.ts';
  const path = resolve(name);
  if (file === undefined && !existsSync(path))
    throw new ConfigError('STERNA_ERR_OPTION_VALUE', 'name a machine file, or a machine type with --machine');
  const config = await loadConfig(path, name);
  for (const plugin of config.plugins ?? []) registry.add(plugin);
  return dumpTables(planFromConfig(config, dirname(path), registry, { autostart: false }), registry);
}

function diff(before: string, after: string, options: ParsedOptions): number {
  const result = diffVmState(readDump(before), readDump(after), { renamed: renames(options) });
  if (options.switches.has('json')) printJson(result);
  else process.stdout.write(diffText(result, basename(before), basename(after)));
  return EXIT[result.verdict];
}

function readDump(path: string): VmStateDump {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    throw new SternaError('STERNA_ERR_HOST_IO', `cannot read ${path}: ${(cause as Error).message}`, { cause });
  }
  return parseVmStateDump(text, path);
}

function renames(options: ParsedOptions): ReadonlyMap<string, string> {
  return new Map(
    (options.values.get('renamed') ?? []).map((text) => {
      const match = /^(.+\..+)=(.+)$/.exec(text);
      if (match === null)
        throw new ConfigError('STERNA_ERR_OPTION_VALUE', `--renamed takes TABLE.FIELD=NEW, not '${text}'`);
      return [match[1]!, match[2]!];
    }),
  );
}

function diffText({ verdict, semver, warnings, devices }: VmStateDiff, before: string, after: string): string {
  const lines = warnings.map((warning) => `warning: ${warning}`);
  for (const device of devices) lines.push(...deviceLines(device));
  lines.push(
    devices.length === 0
      ? `${before} and ${after} have the same tables`
      : `${before} -> ${after}: ${verdict} (${semver})`,
  );
  return `${lines.join('\n')}\n`;
}

function deviceLines({ device, verdict, semver, changes }: VmStateDeviceDiff): string[] {
  const lines = [`${device}: ${verdict} (${semver})`];
  for (let i = 0; i < changes.length; ) {
    const same = run(changes, i);
    const { verdict: of, place, message } = changes[i]!;
    lines.push(`  ${of.padEnd(16)} ${place}${same === 1 ? '' : ` and ${same - 1} more`}: ${message}`);
    i += same;
  }
  return lines;
}

/** Length of a run of changes of which the same is to be said. */
function run(changes: readonly VmStateChange[], from: number): number {
  let to = from + 1;
  while (to < changes.length && changes[to]!.message === changes[from]!.message) to++;
  return to - from;
}
