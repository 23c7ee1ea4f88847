import { QmpError } from '../errors.ts';
import { t } from '../schema/types.ts';
import { defineCommand, NOTHING, nothing } from './define-command.ts';

/** Commands that plug devices. */
export const deviceCommands = {
  device_add: defineCommand({
    help: 'Plugs a device in; its other properties are members too',
    // The properties are those of the device, whose table checks them.
    arguments: t.open({ driver: t.str, bus: t.optional(t.str), id: t.optional(t.str) }),
    returns: nothing,
    features: ['json-cli', 'json-cli-hotplug'],
    async run({ target }, args) {
      if (target.plugging === undefined)
        throw new QmpError('GenericError', 'this machine takes no devices while it exists', 'STERNA_ERR_UNSUPPORTED');
      await target.plugging.add(args);
      return NOTHING;
    },
  }),
  device_del: defineCommand({
    help: 'Pulls a device out, by its id or path',
    arguments: t.object({ id: t.str }),
    returns: nothing,
    async run({ target }, { id }) {
      if (target.plugging === undefined) throw new QmpError('DeviceNotFound', `Device '${id}' not found`);
      await target.plugging.remove(id);
      return NOTHING;
    },
  }),
};
