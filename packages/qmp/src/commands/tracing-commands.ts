import { QmpError } from '../errors.ts';
import { type QapiType, t } from '../schema/types.ts';
import type { MonitorTarget, MonitorTracing } from '../target.ts';
import { defineCommand, NOTHING, noArguments, nothing } from './define-command.ts';

function tracingOf(target: MonitorTarget): MonitorTracing {
  if (target.tracing !== undefined) return target.tracing;
  throw new QmpError('GenericError', 'this machine does not trace its migrations', 'STERNA_ERR_UNSUPPORTED');
}

/** Commands that measure migrations; ours, QEMU has none. */
export const tracingCommands = {
  'x-migrate-trace': defineCommand({
    help: 'Writes a trace of the next migration into a file; without one, ends that when all of it is written',
    arguments: t.object({ filename: t.optional(t.str) }),
    returns: nothing,
    async run({ target }, { filename }) {
      if (filename === undefined) await tracingOf(target).stop();
      else tracingOf(target).start(filename);
      return NOTHING;
    },
  }),
  'x-query-migrate-facts': defineCommand({
    help: 'What a destination must agree with: RAM blocks, CPU features, sections, wire',
    arguments: t.object({}),
    returns: t.any as QapiType<object>,
    run: ({ target }) => tracingOf(target).facts(),
  }),
  'x-query-migrate-metrics': defineCommand({
    help: 'Counters of all migrations of this process, in the form of OpenTelemetry (OTLP in JSON)',
    arguments: noArguments,
    returns: t.any as QapiType<object>,
    run: ({ target }) => tracingOf(target).metrics(),
  }),
};
