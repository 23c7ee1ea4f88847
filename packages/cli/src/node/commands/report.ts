import { readFileSync, writeFileSync } from 'node:fs';
import { ConfigError, SternaError } from '@sterna/core';
import { readTrace, summarize, type Trace } from '@sterna/migration';
import { reportHtml } from '../../report/html.ts';
import { reportText } from '../../report/text.ts';
import { type Command, parseOptions, printJson, single } from './command.ts';

/** `sterna report`. */
export const reportCommand: Command = {
  usage: `usage: sterna report TRACE [TRACE] [--html FILE] [--json]

Says what a migration did: passes, rates, what the guest dirtied, and where the time of its pause went. TRACE was written
by 'sterna migrate --trace', 'sterna run --trace' or 'sterna-system-x86_64 -migration-trace'; with those of the source and
of the destination, in any order, the report has both sides on one clock.

  --html FILE   one page that needs nothing else, for a browser
  --json        the summary behind the report, as one line
`,
  async run(args) {
    const options = parseOptions(args, { html: 'value', json: 'switch' });
    if (options.positionals.length < 1 || options.positionals.length > 2)
      throw new ConfigError('STERNA_ERR_OPTION_VALUE', 'usage: sterna report TRACE [TRACE]');
    const summary = summarize(bySide(options.positionals.map(read)));
    const page = single(options, 'html');
    if (page !== undefined) write(page, reportHtml(summary));
    if (options.switches.has('json')) printJson(summary);
    else if (page === undefined) process.stdout.write(reportText(summary));
    return 0;
  },
};

interface Named {
  readonly path: string;
  readonly trace: Trace;
}

function read(path: string): Named {
  try {
    return { path, trace: readTrace(readFileSync(path, 'utf8'), path) };
  } catch (cause) {
    if (cause instanceof SternaError) throw cause;
    throw new SternaError('STERNA_ERR_HOST_IO', `cannot read ${path}: ${(cause as Error).message}`, { cause });
  }
}

function bySide(traces: readonly Named[]): { source?: Trace; destination?: Trace } {
  const sides: { source?: Trace; destination?: Trace } = {};
  for (const { path, trace } of traces) {
    const { side } = trace.header;
    if (sides[side] !== undefined)
      throw new ConfigError('STERNA_ERR_OPTION_VALUE', `${path}: both traces are of the ${side}`);
    sides[side] = trace;
  }
  return sides;
}

function write(path: string, text: string): void {
  try {
    writeFileSync(path, text);
  } catch (cause) {
    throw new SternaError('STERNA_ERR_HOST_IO', `cannot write ${path}: ${(cause as Error).message}`, { cause });
  }
}
