import { ringOf } from '../commands/chardev-commands.ts';
import { type HmpCommand, hmpCommand, needed } from './define-hmp.ts';
import { HMP_MEMORY_COMMANDS } from './memory-commands.ts';
import { HMP_MIGRATION_COMMANDS } from './migration-commands.ts';
import { HMP_OBJECT_COMMANDS } from './object-commands.ts';
import { HMP_SNAPSHOT_COMMANDS } from './snapshot-commands.ts';

/** Commands of the human monitor, except `help` and `info`. */
export const HMP_COMMANDS: readonly HmpCommand[] = [
  hmpCommand(['cont', 'c'], '', 'lets the guest run, or run on', ({ target }) => target.cont()),
  {
    names: ['gdbserver'],
    usage: '[device]',
    help: "lets gdb connect (tcp::1234 by default), or no longer with 'none'",
    run: async ({ target }, [device]) => {
      if (target.gdbServer === undefined) throw new RangeError('there is no gdb server here');
      return `${await target.gdbServer(device ?? 'tcp::1234')}\n`;
    },
  },
  ...HMP_MIGRATION_COMMANDS,
  ...HMP_OBJECT_COMMANDS,
  hmpCommand(['quit', 'q'], '', 'ends the emulator', ({ target }) => target.quit()),
  {
    names: ['ringbuf_read'],
    usage: 'device size',
    help: 'takes bytes out of a ringbuf backend and shows them',
    run: ({ target }, [device, size]) => {
      const ring = ringOf(target, needed(device, 'device'));
      return `${new TextDecoder().decode(ring.read(Number(needed(size, 'size'))))}\n`;
    },
  },
  ...HMP_MEMORY_COMMANDS,
  hmpCommand(['nmi'], '', 'gives the vCPUs a non-maskable interrupt', ({ target }) => target.injectNmi()),
  hmpCommand(['device_add'], 'driver[,prop=value...]', 'plugs a device in', async ({ target }, [text]) => {
    const [driver = '', ...properties] = needed(text, 'driver').split(',');
    const given = Object.fromEntries(
      properties.map((pair) => [pair.split('=')[0]!, pair.slice(pair.indexOf('=') + 1)]),
    );
    if (target.plugging === undefined) throw new RangeError('this machine takes no devices while it exists');
    await target.plugging.add({ ...given, driver });
  }),
  hmpCommand(['device_del'], 'id', 'pulls a device out', async ({ target }, [id]) => {
    await target.plugging?.remove(needed(id, 'id'));
  }),
  ...HMP_SNAPSHOT_COMMANDS,
  hmpCommand(['stop', 's'], '', 'pauses the guest', ({ target }) => target.stop()),
  hmpCommand(['system_powerdown'], '', 'presses the power button', ({ target }) => target.powerDown()),
  hmpCommand(['system_wakeup'], '', 'wakes a guest that sleeps', ({ target }) => target.wakeUp()),
  hmpCommand(['system_reset'], '', 'resets the machine', ({ target }) => target.reset()),
];
