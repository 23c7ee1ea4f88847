import { QmpError } from '../errors.ts';
import { t } from '../schema/types.ts';
import type { YankInstance } from '../target.ts';
import { defineCommand, NOTHING, type Nothing } from './define-command.ts';

const instance = t.object({
  type: t.enum(['block-node', 'chardev', 'migration']),
  id: t.optional(t.str),
  'node-name': t.optional(t.str),
});

/** Commands that break connections which hang (QEMU's yank). */
export const yankCommands = {
  'query-yank': defineCommand({
    help: 'Connections that `yank` can break',
    arguments: t.object({}),
    returns: t.typed<readonly YankInstance[]>('[YankInstance]'),
    run: ({ target }) => target.yankable().map(({ instance }) => instance),
  }),
  yank: defineCommand({
    help: 'Breaks connections at once, whoever waits for them; all or none',
    arguments: t.object({ instances: t.array(instance) }),
    returns: t.typed<Nothing>('null'),
    run({ target }, { instances }) {
      const known = target.yankable();
      const chosen = instances.map((wanted) => {
        const found = known.find(({ instance }) => isSame(instance, wanted));
        if (found === undefined) throw new QmpError('DeviceNotFound', `Instance not found: ${JSON.stringify(wanted)}`);
        return found;
      });
      for (const { yank } of chosen) yank();
      return NOTHING;
    },
  }),
};

function isSame(a: YankInstance, b: YankInstance): boolean {
  return a.type === b.type && a.id === b.id && a['node-name'] === b['node-name'];
}
