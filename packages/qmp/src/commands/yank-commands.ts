import { QmpError } from '../errors.ts';
import { type QapiType, t } from '../schema/types.ts';
import type { YankInstance } from '../target.ts';
import { defineCommand, NOTHING, noArguments, nothing } from './define-command.ts';

const YANK_INSTANCE: QapiType<YankInstance> = t.union(
  'type',
  { type: t.enum(['block-node', 'chardev', 'migration']) },
  { 'block-node': { 'node-name': t.str }, chardev: { id: t.str } },
);

/** Commands that break connections which hang (QEMU's yank). */
export const yankCommands = {
  'query-yank': defineCommand({
    help: 'Connections that `yank` can break',
    arguments: noArguments,
    returns: t.array(YANK_INSTANCE),
    allowOob: true,
    run: ({ target }) => target.yankable().map(({ instance }) => instance),
  }),
  yank: defineCommand({
    help: 'Breaks connections at once, whoever waits for them; all or none',
    arguments: t.object({ instances: t.array(YANK_INSTANCE) }),
    returns: nothing,
    allowOob: true,
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
