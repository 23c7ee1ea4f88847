import { ConfigError, parseSize } from '@sterna/core';
import {
  type ByteSource,
  bytesText,
  diffStreams,
  IGNORE_SETS,
  ignoring,
  isDamage,
  leavesOf,
  pathPattern,
  RAM_FLAG,
  RamImage,
  type RamListener,
  type StreamBlock,
  walkStream,
} from '@sterna/migration';
import { openStreamFile } from '@sterna/migration/node';
import { diffLines, plainDiff } from '../stream/diff-text.ts';
import { plainItem, plainLeaf } from '../stream/inspect-json.ts';
import { itemLines, leafLine, offsetText } from '../stream/inspect-text.ts';
import { withTables } from '../stream/tables.ts';
import { type Command, type ParsedOptions, parseOptions, printJson, single } from './command.ts';

/** A stream that is cut or corrupt, as the error of loading it. */
const DAMAGED = 4;

/** `sterna stream`. */
export const streamCommand: Command = {
  usage: `usage: sterna stream inspect FILE [options]
       sterna stream diff A B [--ignore PATTERN]... [options]

'inspect' shows a saved migration stream, of Sterna or of any QEMU, as it is or compressed by gzip: its sections with
every field of the devices, offset, bytes, value and meaning; RAM as a summary. A stream that is cut or corrupt is shown
up to there. 'diff' shows the fields and the pages of RAM in which two streams differ.

  --field PATTERN   only these fields: SECTION/INSTANCE/FIELD, e.g. apic/0/lvt or 'cpu/*/env.cr[3]'; * is anything within
                    a step, ** any steps; a section or struct stands for everything in it (may repeat)
  --ram             lists every record of RAM
  --page BLOCK@OFFSET  the records of one page, and its bytes after loading
  --ignore PATTERN  leaves fields (or ram/0/BLOCK) out of a comparison (may repeat); sets: ${Object.keys(IGNORE_SETS)
    .map((name) => `@${name}`)
    .join(', ')}
  --offset SIZE     where in the file the stream begins, as in file:PATH,offset=SIZE
  --machine TYPE[,PROP=VALUE]  whose tables decode a stream without a description; the stream's own type by default
  --plugin SPEC     plugin with devices of that machine (may repeat)
  --json            one line of JSON for each part of the stream, or for the whole comparison

Exit codes: 0 complete, or equal; 1 no such field or page, or different; 2 wrong usage; ${DAMAGED} the stream is damaged.
`,
  async run(args) {
    const options = parseOptions(args, {
      field: 'values',
      ram: 'switch',
      page: 'value',
      ignore: 'values',
      offset: 'value',
      machine: 'value',
      plugin: 'values',
      json: 'switch',
    });
    const [action, a, b] = options.positionals;
    if (action === 'inspect' && a !== undefined && options.positionals.length === 2) return inspect(a, options);
    if (action === 'diff' && a !== undefined && b !== undefined && options.positionals.length === 3)
      return diff(a, b, options);
    throw new ConfigError('STERNA_ERR_OPTION_VALUE', 'usage: sterna stream inspect FILE | diff FILE FILE');
  },
};

async function inspect(path: string, options: ParsedOptions): Promise<number> {
  using source = openStreamFile(path);
  const start = startOf(options);
  const page = single(options, 'page');
  if (page !== undefined) return showPage(source, start, page, options.switches.has('json'));
  return await withTables(source, start, tableOptions(options), async (complete) => {
    const patterns = options.values.get('field');
    const wanted = patterns?.map(pathPattern);
    const output = new Output(source, options.switches.has('json'), wanted);
    const ram = options.switches.has('ram') ? output.ramRecords : {};
    for (const item of walkStream(source, { start, ram })) {
      await complete(item);
      output.show(item);
    }
    if (output.damaged) return DAMAGED;
    if (patterns === undefined || output.found > 0) return 0;
    process.stderr.write(`sterna: no field is named like ${patterns.join(', ')}\n`);
    return 1;
  });
}

/** Prints parts of a stream, or single fields of it. */
class Output {
  damaged = false;
  /** Fields that were asked for. */
  found = 0;
  readonly #source: ByteSource;
  readonly #json: boolean;
  readonly #wanted: readonly ((path: string) => boolean)[] | undefined;

  constructor(source: ByteSource, json: boolean, wanted: readonly ((path: string) => boolean)[] | undefined) {
    this.#source = source;
    this.#json = json;
    this.#wanted = wanted;
  }

  /** Prints every record of RAM. */
  get ramRecords(): RamListener {
    return {
      page: (flags, block, address, data, length, at) => this.#record(at, kindOf(flags), block, address, data, length),
    };
  }

  show(item: Parameters<typeof itemLines>[0]): void {
    if (isDamage(item)) this.damaged = true;
    if (this.#wanted === undefined || item.type === 'warning' || isDamage(item)) {
      if (this.#json) printJson(plainItem(item, this.#source));
      else process.stdout.write(`${itemLines(item, this.#source).join('\n')}\n`);
    } else if (item.type === 'section')
      for (const leaf of leavesOf(item)) {
        if (!this.#wanted.some((test) => test(leaf.path))) continue;
        this.found++;
        if (this.#json) printJson(plainLeaf(leaf, this.#source));
        else process.stdout.write(`${leafLine(leaf, this.#source)}\n`);
      }
  }

  #record(at: number, kind: string, block: StreamBlock, address: number, data: number, length: number): void {
    if (this.#json) printJson({ type: 'page', offset: at, kind, block: block.name, address, data, length });
    else process.stdout.write(`  ${offsetText(at)} ${kind} ${block.name} 0x${address.toString(16)}\n`);
  }
}

function kindOf(flags: number): string {
  if ((flags & RAM_FLAG.zero) !== 0) return 'zero';
  return (flags & RAM_FLAG.xbzrle) !== 0 ? 'encoded' : 'page';
}

function showPage(source: ByteSource, start: number, text: string, json: boolean): number {
  const match = /^(.+)@(0x[0-9a-f]+|\d+)$/i.exec(text);
  if (match === null)
    throw new ConfigError('STERNA_ERR_OPTION_VALUE', `--page: '${text}' is no BLOCK@OFFSET, e.g. microvm.ram@0x100000`);
  const [block, page] = [match[1]!, Math.floor(Number(match[2]) / 4096)];
  const image = new RamImage(source);
  const records: { offset: number; kind: string; length: number }[] = [];
  let damaged = false;
  const ram: RamListener = {
    blocks: (blocks) => image.blocks(blocks),
    page(flags, of, address, data, length, at) {
      image.page(flags, of, address, data, length);
      if (of.name === block && address === page * 4096) records.push({ offset: at, kind: kindOf(flags), length });
    },
  };
  for (const item of walkStream(source, { start, ram })) damaged ||= isDamage(item);
  const content = new Uint8Array(4096);
  const known = image.read(block, page, content);
  if (json) printJson({ block, address: page * 4096, records, content: known ? bytesText(content, 4096) : null });
  else {
    for (const { offset, kind, length } of records)
      process.stdout.write(`${offsetText(offset)} ${kind}, ${length} bytes\n`);
    if (known) process.stdout.write(`${hexDump(content, page * 4096).join('\n')}\n`);
  }
  if (damaged) return DAMAGED;
  if (known) return 0;
  process.stderr.write(`sterna: the stream does not have page 0x${(page * 4096).toString(16)} of a block '${block}'\n`);
  return 1;
}

/** Sixteen bytes a line; lines that repeat the one before are one `*`. */
function hexDump(bytes: Uint8Array, base: number): string[] {
  const lines: string[] = [];
  let last = '';
  for (let at = 0; at < bytes.length; at += 16) {
    const row = bytes.subarray(at, at + 16);
    const hex = bytesText(row).replace(/(..)(?=.)/g, '$1 ');
    if (hex === last) {
      if (lines.at(-1) !== '*') lines.push('*');
      continue;
    }
    last = hex;
    const text = String.fromCharCode(...row.map((byte) => (byte >= 0x20 && byte < 0x7f ? byte : 0x2e)));
    lines.push(`${(base + at).toString(16).padStart(8, '0')}  ${hex}  ${text}`);
  }
  return lines;
}

async function diff(pathA: string, pathB: string, options: ParsedOptions): Promise<number> {
  using a = openStreamFile(pathA);
  using b = openStreamFile(pathB);
  const start = startOf(options);
  const tables = tableOptions(options);
  const ignore = ignoring(options.values.get('ignore') ?? []);
  const result = await withTables(a, start, tables, (completeA) =>
    withTables(b, start, tables, (completeB) =>
      diffStreams(
        { source: a, options: { start }, complete: completeA },
        { source: b, options: { start }, complete: completeB },
        ignore,
      ),
    ),
  );
  if (options.switches.has('json')) printJson(plainDiff(result));
  else for (const line of diffLines(result, { a: pathA, b: pathB })) process.stdout.write(`${line}\n`);
  if (result.damage.length > 0) return DAMAGED;
  return result.fields.length === 0 && result.pageCount === 0 ? 0 : 1;
}

function startOf(options: ParsedOptions): number {
  const text = single(options, 'offset');
  return text === undefined ? 0 : parseSize(text);
}

function tableOptions(options: ParsedOptions) {
  return { machine: single(options, 'machine'), plugins: options.values.get('plugin') ?? [] };
}
