import { QmpError } from '../errors.ts';
import { t } from '../schema/types.ts';
import { defineCommand, NOTHING, type Nothing } from './define-command.ts';

/** Commands that look at the guest's memory. */
export const memoryCommands = {
  pmemsave: defineCommand({
    help: 'Writes a part of physical memory to a file',
    arguments: t.object({ val: t.int, size: t.int, filename: t.str }),
    returns: t.typed<Nothing>('null'),
    run({ target }, { val, size, filename }) {
      if (val < 0 || size < 0)
        throw new QmpError('GenericError', `${size} bytes at ${val} are no part of physical memory`);
      target.saveMemory(val, size, filename);
      return NOTHING;
    },
  }),
};
