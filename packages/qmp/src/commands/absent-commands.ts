import { QmpError } from '../errors.ts';
import { t } from '../schema/types.ts';
import { KEY_CODE } from '../types/key-codes.ts';
import { CPU_PROPS } from '../types/machine-types.ts';
import { defineCommand, NOTHING, noArguments, nothing } from './define-command.ts';

const TPM_MODEL = t.enum(['tpm-tis', 'tpm-crb', 'tpm-spapr']);

/** The answers QEMU gives about parts that its machine does not have either. Clients ask for them to find out. */
export const absentCommands = {
  'query-iothreads': defineCommand({
    help: 'Threads for disks; there are none, disks are served by the event loop',
    arguments: noArguments,
    returns: t.array(
      t.object({
        id: t.str,
        'thread-id': t.int,
        'poll-max-ns': t.int,
        'poll-grow': t.int,
        'poll-shrink': t.int,
        'poll-weight': t.int,
        'aio-max-batch': t.int,
      }),
    ),
    run: () => [],
  }),
  'query-mice': defineCommand({
    help: 'Pointing devices; there are none',
    arguments: noArguments,
    returns: t.array(t.object({ name: t.str, index: t.int, current: t.bool, absolute: t.bool })),
    run: () => [],
  }),
  'query-tpm-models': defineCommand({
    help: 'Kinds of TPMs; there are none',
    arguments: noArguments,
    returns: t.array(TPM_MODEL),
    run: () => [],
  }),
  'query-tpm-types': defineCommand({
    help: 'Backends of TPMs; there are none',
    arguments: noArguments,
    returns: t.array(t.enum(['passthrough', 'emulator'])),
    run: () => [],
  }),
  'query-pr-managers': defineCommand({
    help: 'Helpers for persistent reservations; there are none',
    arguments: noArguments,
    returns: t.array(t.object({ id: t.str, connected: t.bool })),
    run: () => [],
  }),
  'query-acpi-ospm-status': defineCommand({
    help: 'What the guest says of devices plugged in by ACPI; there are none',
    arguments: noArguments,
    returns: t.array(
      t.object({
        device: t.optional(t.str),
        slot: t.str,
        'slot-type': t.enum(['DIMM', 'CPU']),
        source: t.int,
        status: t.int,
      }),
    ),
    run: () => [],
  }),
  'query-hotpluggable-cpus': defineCommand({
    help: 'Places for further vCPUs; machines here have none',
    arguments: noArguments,
    returns: t.array(
      t.object({
        type: t.str,
        'vcpus-count': t.int,
        props: CPU_PROPS,
        'qom-path': t.optional(t.str),
      }),
    ),
    run(): never {
      throw new QmpError('GenericError', 'machine does not support hot-plugging CPUs');
    },
  }),
  'query-memory-size-summary': defineCommand({
    help: 'Size of RAM',
    arguments: noArguments,
    returns: t.object({ 'base-memory': t.int, 'plugged-memory': t.optional(t.int) }),
    run: ({ target }) => ({ 'base-memory': target.ramSize, 'plugged-memory': 0 }),
  }),
  'query-balloon': defineCommand({
    help: 'Size of RAM that a balloon leaves to the guest; there is none',
    arguments: noArguments,
    returns: t.object({ actual: t.int }),
    run(): never {
      throw new QmpError('DeviceNotActive', 'No balloon device has been activated');
    },
  }),
  'query-replay': defineCommand({
    help: 'Whether the run is recorded or replayed; it never is',
    arguments: noArguments,
    returns: t.object({ mode: t.enum(['none', 'record', 'play']), filename: t.optional(t.str), icount: t.int }),
    run: () => ({ mode: 'none' as const, icount: 0 }),
  }),
  'query-display-options': defineCommand({
    help: 'The display; there is none',
    arguments: noArguments,
    returns: t.object({ type: t.enum(['none']) }),
    run: () => ({ type: 'none' as const }),
  }),
  'query-vnc': defineCommand({
    help: 'The VNC server; there is none',
    arguments: noArguments,
    returns: t.object({ enabled: t.bool }),
    run: () => ({ enabled: false }),
  }),
  'send-key': defineCommand({
    help: 'Presses keys; no machine here has a keyboard',
    arguments: t.object({
      keys: t.array(
        t.union('type', { type: t.enum(['number', 'qcode']) }, { number: { data: t.int }, qcode: { data: KEY_CODE } }),
      ),
      'hold-time': t.optional(t.int),
    }),
    returns: nothing,
    // QEMU answers so too when nothing takes the keys: they go nowhere.
    run: () => NOTHING,
  }),
  add_client: defineCommand({
    help: 'Gives a connection that was passed to a server of displays; there is none, and the connection is closed',
    arguments: t.object({ protocol: t.str, fdname: t.str, skipauth: t.optional(t.bool), tls: t.optional(t.bool) }),
    returns: nothing,
    run({ target }, { protocol, fdname }): never {
      if (target.descriptors?.has(fdname) !== true)
        throw new QmpError('GenericError', `File descriptor named '${fdname}' has not been found`);
      target.descriptors.close(fdname);
      if (protocol === 'vnc' || protocol === 'spice' || protocol === '@dbus-display')
        throw new QmpError('GenericError', `${protocol} is not there`, 'STERNA_ERR_UNSUPPORTED');
      throw new QmpError('GenericError', `protocol '${protocol}' is invalid`);
    },
  }),
};
