import type { SnapshotInfo } from '@sterna/migration';
import { snapshotsOf } from '../commands/snapshot-commands.ts';
import type { HmpCommand } from './define-hmp.ts';
import { sizeText } from './size-text.ts';

/** Commands of the human monitor about snapshots. */
export const HMP_SNAPSHOT_COMMANDS: readonly HmpCommand[] = [
  {
    names: ['savevm'],
    usage: '[tag]',
    help: 'saves the machine under a name, instead of what was saved there',
    run: async ({ target }, [tag]) => {
      await snapshotsOf(target).save(tag ?? defaultName(target.wallNs()), { overwrite: true });
      return '';
    },
  },
  {
    names: ['loadvm'],
    usage: 'tag',
    help: 'takes the machine back to what was saved under a name',
    run: async ({ target }, [tag]) => {
      await snapshotsOf(target).load(needed(tag));
      return '';
    },
  },
  {
    names: ['delvm'],
    usage: 'tag',
    help: 'deletes what was saved under a name',
    run: async ({ target }, [tag]) => {
      await snapshotsOf(target).remove(needed(tag));
      return '';
    },
  },
];

/** `info snapshots`. */
export const infoSnapshots: HmpCommand = {
  names: ['snapshots'],
  usage: '',
  help: 'the saved snapshots',
  run: async ({ target }) => {
    const snapshots = await snapshotsOf(target).list();
    if (snapshots.length === 0) return 'There is no snapshot available.\n';
    const rows = snapshots.map((snapshot) => row('--', snapshot.name, ...figures(snapshot)));
    return [
      'List of snapshots present on all disks:\n',
      row('ID', 'TAG', 'VM_SIZE', 'DATE', 'VM_CLOCK', 'ICOUNT'),
      ...rows,
    ].join('');
  },
};

function needed(tag: string | undefined): string {
  if (tag === undefined) throw new RangeError("'tag' is missing");
  return tag;
}

function row(id: string, tag: string, size: string, date: string, clock: string, icount: string): string {
  return `${id.padEnd(7)} ${tag.padEnd(16)} ${size.padStart(8)} ${date.padStart(19)} ${clock.padStart(15)} ${icount.padStart(10)}\n`;
}

function figures({ vmStateSize, dateNs, vmClockNs, icount }: SnapshotInfo): [string, string, string, string] {
  const ms = vmClockNs / 1_000_000n;
  const [hours, minutes, seconds] = [ms / 3_600_000n, (ms / 60_000n) % 60n, (ms / 1000n) % 60n];
  const clock = `${digits(hours, 4)}:${digits(minutes, 2)}:${digits(seconds, 2)}.${digits(ms % 1000n, 3)}`;
  return [sizeText(vmStateSize), localTime(dateNs).join(' '), clock, icount === undefined ? '--' : String(icount)];
}

function digits(value: number | bigint, width: number): string {
  return String(value).padStart(width, '0');
}

/** Date and time of day as `2026-11-21`, `00:17:19`. */
function localTime(ns: bigint): [string, string] {
  const date = new Date(Number(ns / 1_000_000n));
  const day = [digits(date.getFullYear(), 4), digits(date.getMonth() + 1, 2), digits(date.getDate(), 2)];
  const time = [date.getHours(), date.getMinutes(), date.getSeconds()].map((part) => digits(part, 2));
  return [day.join('-'), time.join(':')];
}

/** QEMU's name of a snapshot without one: `vm-20261121001719`. */
function defaultName(ns: bigint): string {
  return `vm-${localTime(ns).join('').replaceAll(/[-:]/g, '')}`;
}
