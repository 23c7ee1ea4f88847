import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { ConfigError, SternaError } from '@sterna/core';
import { type DecodedStruct, type DecodedValue, parseStream, RAM_FLAG, type StreamRecord } from '@sterna/migration';
import { type Command, parseOptions, printJson } from './command.ts';

/** `sterna stream`. */
export const streamCommand: Command = {
  usage: `usage: sterna stream inspect FILE [--json]
       sterna stream diff FILE FILE [--json]

'inspect' shows a saved migration stream (of Sterna or QEMU, gzip allowed): its sections and every field of the devices.
'diff' shows the fields in which two streams differ; it exits with 1 when there are any.
`,
  async run(args) {
    const { positionals, switches } = parseOptions(args, { json: 'switch' });
    const [action, a, b] = positionals;
    const json = switches.has('json');
    if (action === 'inspect' && a !== undefined && positionals.length === 2) return inspect(a, json);
    if (action === 'diff' && a !== undefined && b !== undefined && positionals.length === 3) return diff(a, b, json);
    throw new ConfigError('STERNA_ERR_OPTION_VALUE', 'usage: sterna stream inspect FILE | diff FILE FILE');
  },
};

function load(path: string): StreamRecord[] {
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(path);
  } catch (cause) {
    throw new SternaError('STERNA_ERR_HOST_IO', `cannot read ${path}: ${(cause as Error).message}`, { cause });
  }
  return parseStream(bytes[0] === 0x1f && bytes[1] === 0x8b ? gunzipSync(bytes) : bytes);
}

function inspect(path: string, json: boolean): number {
  const records = load(path);
  if (json) printJson(records.map(plain));
  else for (const record of records) process.stdout.write(`${lines(record).join('\n')}\n`);
  return 0;
}

function diff(pathA: string, pathB: string, json: boolean): number {
  const [a, b] = [fieldsOf(load(pathA)), fieldsOf(load(pathB))];
  const names = [...new Set([...a.keys(), ...b.keys()])];
  const changes = names
    .map((name) => ({ name, a: a.get(name), b: b.get(name) }))
    .filter((change) => change.a !== change.b);
  if (json) printJson(changes);
  else
    for (const change of changes)
      process.stdout.write(`${change.name}: ${change.a ?? '(absent)'} -> ${change.b ?? '(absent)'}\n`);
  return changes.length === 0 ? 0 : 1;
}

/** Every device field of a stream as text, by section, instance and path. */
function fieldsOf(records: readonly StreamRecord[]): Map<string, string> {
  const fields = new Map<string, string>();
  for (const record of records) {
    if (record.type === 'full') collect(record.state, `${record.idstr}[${record.instance}]`, fields);
    if (record.type === 'configuration') fields.set('configuration.machine', record.machine);
  }
  return fields;
}

function collect(state: DecodedStruct, path: string, into: Map<string, string>): void {
  for (const { name, value } of state.fields) collectValue(value, `${path}.${name}`, into);
  for (const subsection of state.subsections) collect(subsection, `${path}.${subsection.name}`, into);
}

function collectValue(value: DecodedValue, path: string, into: Map<string, string>): void {
  if (Array.isArray(value))
    for (const [index, element] of value.entries()) collectValue(element, `${path}[${index}]`, into);
  else if (typeof value === 'object' && !(value instanceof Uint8Array)) collect(value, path, into);
  else into.set(path, valueText(value));
}

function valueText(value: bigint | boolean | Uint8Array): string {
  if (typeof value === 'bigint') return value < 0n ? String(value) : `0x${value.toString(16)}`;
  if (typeof value === 'boolean') return String(value);
  const hex = Buffer.from(value.subarray(0, 32)).toString('hex');
  return value.length > 32 ? `${hex}... (${value.length} bytes)` : hex;
}

function lines(record: StreamRecord): string[] {
  const at = `@${record.offset.toString(16).padStart(8, '0')}`;
  switch (record.type) {
    case 'header':
      return [`${at} header, version ${record.version}`];
    case 'configuration':
      return [
        `${at} configuration, machine '${record.machine}'${record.subsections.map(({ name }) => `, ${name}`).join('')}`,
      ];
    case 'command':
      return [`${at} command ${record.command}, ${record.payload.length} bytes`];
    case 'ram':
      return [`${at} ram ${record.kind}, id ${record.id}, version ${record.version}: ${ramText(record)}`];
    case 'full': {
      const fields = new Map<string, string>();
      collect(record.state, '', fields);
      return [
        `${at} section '${record.idstr}' instance ${record.instance}, id ${record.id}, version ${record.version}, ${record.payload.length} bytes`,
        ...[...fields].map(([name, text]) => `            ${name.slice(1)} = ${text}`),
      ];
    }
    case 'eof':
      return [`${at} end of sections`];
    case 'vmdescription':
      return [`${at} description, ${record.json.length} bytes`];
  }
}

function ramText({ records }: Extract<StreamRecord, { readonly type: 'ram' }>): string {
  const count = (flag: number) => records.filter(({ flags }) => (flags & flag) !== 0).length;
  const blocks = records.flatMap((record) => record.blocks ?? []);
  if (blocks.length > 0) return blocks.map(({ name, length }) => `${name} ${length} bytes`).join(', ');
  return `${count(RAM_FLAG.page)} pages, ${count(RAM_FLAG.zero)} zero pages`;
}

/** A record for JSON: integers as text, bytes as their number, no page contents. */
function plain(record: StreamRecord): object {
  if (record.type === 'ram') return { ...record, records: undefined, summary: ramText(record) };
  if (record.type === 'full') {
    const fields = new Map<string, string>();
    collect(record.state, '', fields);
    const values = Object.fromEntries([...fields].map(([name, text]) => [name.slice(1), text]));
    return { ...record, state: undefined, payload: record.payload.length, fields: values };
  }
  if (record.type === 'command') return { ...record, payload: record.payload.length };
  if (record.type === 'vmdescription') return { ...record, json: record.json.length };
  if (record.type === 'configuration') return { ...record, subsections: record.subsections.map(({ name }) => name) };
  return record;
}
