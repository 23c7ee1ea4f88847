import { objectSpec, SternaError } from '@sterna/core';
import { t } from '../schema/types.ts';
import type { MonitorObjects, MonitorTarget } from '../target.ts';
import { objectOptions } from '../types/object-types.ts';
import { defineCommand, NOTHING, nothing } from './define-command.ts';

/** The objects of a machine. @throws SternaError `STERNA_ERR_UNSUPPORTED` when it takes none */
export function objectsOf(target: MonitorTarget): MonitorObjects {
  if (target.objects === undefined)
    throw new SternaError('STERNA_ERR_UNSUPPORTED', 'this machine takes no user-creatable objects');
  return target.objects;
}

/** Commands about user-creatable objects. */
export const objectCommands = {
  'object-add': defineCommand({
    help: 'Makes an object: TLS credentials, a secret, an access list',
    // The properties are those of the type, whose table checks them.
    arguments: objectOptions([]),
    argumentsIn: ({ objects }) => objectOptions(objects),
    returns: nothing,
    run({ target }, args) {
      objectsOf(target).add(objectSpec(args, false, 'object-add'));
      return NOTHING;
    },
  }),
  'object-del': defineCommand({
    help: 'Removes an object',
    arguments: t.object({ id: t.str }),
    returns: nothing,
    run({ target }, { id }) {
      objectsOf(target).remove(id);
      return NOTHING;
    },
  }),
};
