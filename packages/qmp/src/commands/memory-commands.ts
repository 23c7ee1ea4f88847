import { QmpError } from '../errors.ts';
import { t } from '../schema/types.ts';
import type { DumpQuery } from '../target.ts';
import { DUMP_QUERY } from '../types/dump-types.ts';
import { defineCommand, NOTHING, noArguments, nothing } from './define-command.ts';

const FORMATS = [
  'elf',
  'kdump-zlib',
  'kdump-lzo',
  'kdump-snappy',
  'kdump-raw-zlib',
  'kdump-raw-lzo',
  'kdump-raw-snappy',
  'win-dmp',
] as const;
const FORMAT = t.enum(FORMATS);

/** An address from 2^63 on comes as a negative number from clients that know only signed ones. */
function checkRange(val: number, size: number): void {
  if (val < 0 || size < 0)
    throw new QmpError('GenericError', `Invalid addr 0x${val.toString(16)}/size ${size} specified`);
}

/** Commands that look at the guest's memory. */
export const memoryCommands = {
  memsave: defineCommand({
    help: 'Writes a part of memory as a vCPU sees it to a file',
    arguments: t.object({ val: t.int, size: t.int, filename: t.str, 'cpu-index': t.optional(t.int) }),
    returns: nothing,
    run({ target }, { val, size, filename, 'cpu-index': index = 0 }) {
      checkRange(val, size);
      const cpu = target.cpus.find((candidate) => candidate.index === index);
      if (cpu === undefined) throw new QmpError('GenericError', "Parameter 'cpu-index' expects a CPU number");
      target.saveMemory(val, size, filename, cpu.index);
      return NOTHING;
    },
  }),
  pmemsave: defineCommand({
    help: 'Writes a part of physical memory to a file',
    arguments: t.object({ val: t.int, size: t.int, filename: t.str }),
    returns: nothing,
    run({ target }, { val, size, filename }) {
      checkRange(val, size);
      target.saveMemory(val, size, filename);
      return NOTHING;
    },
  }),
  'dump-guest-memory': defineCommand({
    help: "Writes the guest's memory and the state of its vCPUs to a core file for debuggers",
    arguments: t.object({
      paging: t.bool,
      protocol: t.str,
      detach: t.optional(t.bool),
      begin: t.optional(t.int),
      length: t.optional(t.int),
      format: t.optional(FORMAT),
    }),
    returns: nothing,
    async run({ target }, { paging, protocol, detach = false, begin, length, format = 'elf' }) {
      const { dump } = target;
      if (dump === undefined)
        throw new QmpError('GenericError', 'this machine writes no core files', 'STERNA_ERR_UNSUPPORTED');
      if (format !== 'elf') {
        if (paging || begin !== undefined || length !== undefined)
          throw new QmpError('GenericError', "kdump-compressed format doesn't support paging or filter");
        throw new QmpError('GenericError', `${format} is not available now`, 'STERNA_ERR_UNSUPPORTED');
      }
      if (begin !== undefined && length === undefined)
        throw new QmpError('GenericError', "Parameter 'length' is missing");
      if (begin === undefined && length !== undefined)
        throw new QmpError('GenericError', "Parameter 'begin' is missing");
      if (!/^(file|fd):/.test(protocol))
        throw new QmpError('GenericError', "parameter 'protocol' must start with 'file:' or 'fd:'");
      const range = begin === undefined || length === undefined ? undefined : { begin, length };
      await dump.start({ paging, protocol, detach, range });
      return NOTHING;
    },
  }),
  'query-dump': defineCommand({
    help: 'How far the last core file is',
    arguments: noArguments,
    returns: DUMP_QUERY,
    run: ({ target }): DumpQuery => target.dump?.query() ?? { status: 'none', completed: 0, total: 0 },
  }),
  'query-dump-guest-memory-capability': defineCommand({
    help: 'Formats of core files',
    arguments: noArguments,
    returns: t.object({ formats: t.array(FORMAT) }),
    run: () => ({ formats: ['elf' as const] }),
  }),
};
