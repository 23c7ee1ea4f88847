import { ringOf } from '../commands/chardev-commands.ts';
import type { MonitorMigration } from '../target.ts';
import type { HmpCommand } from './define-hmp.ts';
import { HMP_SNAPSHOT_COMMANDS } from './snapshot-commands.ts';

/** Commands of the human monitor, except `help` and `info`. */
export const HMP_COMMANDS: readonly HmpCommand[] = [
  command(['cont', 'c'], '', 'lets the guest run, or run on', ({ target }) => target.cont()),
  {
    names: ['gdbserver'],
    usage: '[device]',
    help: "lets gdb connect (tcp::1234 by default), or no longer with 'none'",
    run: async ({ target }, [device]) => {
      if (target.gdbServer === undefined) throw new RangeError('there is no gdb server here');
      return `${await target.gdbServer(device ?? 'tcp::1234')}\n`;
    },
  },
  command(
    ['migrate'],
    '[-d] uri',
    'migrates the running guest (-d: does not wait for the end)',
    async ({ target }, args) => {
      const detach = args.includes('-d');
      const [uri, ...rest] = args.filter((arg) => arg !== '-d');
      if (uri === undefined || rest.length > 0) throw new RangeError("'migrate' takes [-d] and a uri");
      await target.migration.migrate({ uri });
      if (!detach) await migrationEnd(target.migration);
    },
  ),
  command(['migrate_cancel'], '', 'cancels the migration under way', ({ target }) => target.migration.cancel()),
  command(['migrate_continue'], 'state', 'lets a migration that waits go on', ({ target }, [state]) =>
    target.migration.resumeSwitchover(needed(state, 'state')),
  ),
  command(['migrate_incoming'], 'uri', 'waits for a guest to come in', ({ target }, [uri]) =>
    target.migration.incoming({ uri: needed(uri, 'uri') }, undefined),
  ),
  command(
    ['migrate_set_capability'],
    'capability state',
    'switches a capability on or off',
    ({ target }, [capability, state]) => {
      if (state !== 'on' && state !== 'off') throw new RangeError("the state is 'on' or 'off'");
      target.migration.setCapabilities([{ capability: needed(capability, 'capability'), state: state === 'on' }]);
    },
  ),
  command(
    ['migrate_set_parameter'],
    'parameter value',
    'changes a migration parameter',
    ({ target }, [name, value]) => {
      target.migration.setParameters({
        [needed(name, 'parameter')]: parameterValue(needed(name, 'parameter'), needed(value, 'value')),
      });
    },
  ),
  command(['quit', 'q'], '', 'ends the emulator', ({ target }) => target.quit()),
  {
    names: ['ringbuf_read'],
    usage: 'device size',
    help: 'takes bytes out of a ringbuf backend and shows them',
    run: ({ target }, [device, size]) => {
      const ring = ringOf(target, needed(device, 'device'));
      return `${new TextDecoder().decode(ring.read(Number(needed(size, 'size'))))}\n`;
    },
  },
  ...HMP_SNAPSHOT_COMMANDS,
  command(['stop', 's'], '', 'pauses the guest', ({ target }) => target.stop()),
  command(['system_powerdown'], '', 'presses the power button', ({ target }) => target.powerDown()),
  command(['system_wakeup'], '', 'wakes a guest that sleeps', ({ target }) => target.wakeUp()),
  command(['system_reset'], '', 'resets the machine', ({ target }) => target.reset()),
];

type Action = (...args: Parameters<HmpCommand['run']>) => void | Promise<void>;

function command(names: readonly string[], usage: string, help: string, action: Action): HmpCommand {
  return {
    names,
    usage,
    help,
    run: async (context, args) => {
      if (usage === '' && args.length > 0) throw new RangeError(`'${names[0]}' takes no arguments`);
      await action(context, args);
      return '';
    },
  };
}

function needed(value: string | undefined, name: string): string {
  if (value === undefined) throw new RangeError(`'${name}' is missing`);
  return value;
}

const UNITS: Readonly<Record<string, number>> = { b: 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30, t: 2 ** 40 };
/** Parameters whose plain number means MiB, as QEMU's monitor has it. */
const MIB_BY_DEFAULT: readonly string[] = ['max-bandwidth', 'avail-switchover-bandwidth', 'max-postcopy-bandwidth'];

function parameterValue(name: string, text: string): unknown {
  if (text === 'on' || text === 'off') return text === 'on';
  const match = /^([0-9]+(?:\.[0-9]+)?)([bkmgt])?$/i.exec(text);
  if (match === null) return text;
  const unit = match[2] === undefined ? (MIB_BY_DEFAULT.includes(name) ? 'm' : 'b') : match[2].toLowerCase();
  return Math.round(Number(match[1]) * UNITS[unit]!);
}

/** States in which no migration is under way. */
const ENDED: readonly string[] = ['none', 'completed', 'failed', 'cancelled'];

/** Resolves when no migration is under way; rejects when it has failed. */
async function migrationEnd(migration: MonitorMigration): Promise<void> {
  for (;;) {
    const { status, 'error-desc': reason } = migration.info();
    if (ENDED.includes(status ?? 'none')) {
      if (status === 'failed') throw new RangeError(reason ?? 'the migration failed');
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
