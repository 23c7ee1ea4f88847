import {
  type LifecycleChannel,
  type LifecycleHop,
  type LifecycleOptions,
  lifecycle,
  Patience,
  type VmProcess,
} from '@sterna/testkit/node';
import { PROGRAMS } from '../support/vm.ts';
import { type CrossingGuest, debianGuest, tinyGuest } from './guests.ts';

/** The QEMUs that guests are exchanged with. */
export const PEERS = ['qemu-7.2', 'qemu-new'] as const;
/** One of them. */
export type Peer = (typeof PEERS)[number];

/** A way to cross: the options of one row of the table. */
export interface Crossing {
  /** As the table shows it. */
  readonly name: string;
  readonly guest?: 'tiny' | 'debian';
  readonly acpi?: boolean;
  readonly smp?: number;
  readonly channel?: LifecycleChannel;
  readonly capabilities?: readonly string[];
  readonly parameters?: Readonly<Record<string, unknown>>;
  /** Options of both sides. */
  readonly args?: readonly string[];
  /** QEMUs that know these options; all by default. */
  readonly peers?: readonly Peer[];
  readonly prepare?: LifecycleOptions['prepare'];
}

/** A life in which QEMU and Sterna take turns. */
export interface Life {
  readonly steps: readonly string[];
  readonly hops: readonly LifecycleHop[];
}

/** The guest of a row. */
export async function guestOf({ guest = 'tiny', acpi = true }: Crossing): Promise<CrossingGuest> {
  return guest === 'tiny' ? tinyGuest(acpi) : await debianGuest({ acpi });
}

/** Lets a guest run that arrived as it left: stopped. */
async function goOn(vm: VmProcess): Promise<void> {
  const patience = new Patience(60_000);
  for (;;) {
    const { status } = (await vm.qmp.executeAny('query-status')) as { readonly status: string };
    if (status === 'running') return;
    if (status !== 'inmigrate') await vm.qmp.executeAny('cont');
    if (patience.over) throw new Error(`the guest stays ${status}`);
    await patience.pause(20);
  }
}

/** Takes a guest through `steps`, with the options that make all of them agree. @throws LifecycleError */
export async function cross(row: Crossing, steps: readonly string[], guest?: CrossingGuest): Promise<Life> {
  const { acpi = true, smp = 1, channel = 'unix', capabilities = [], parameters, args = [], prepare } = row;
  const chosen = guest ?? (await guestOf(row));
  const both = steps.includes('qemu-7.2') && steps.includes('qemu-new');
  // QEMU 7.2's translator forgets pages that are written while it migrates: from 7.2 to 7.2 such guests die too.
  const stopsFirst = row.guest === 'debian' && steps.includes('qemu-7.2');
  const wire = steps.includes('qemu-7.2') ? 'qemu-7.2' : steps.includes('qemu-new') ? 'qemu-11.1' : 'compat';
  const { hops } = await lifecycle(
    {
      args: [
        '-M',
        `microvm,acpi=${acpi ? 'on' : 'off'}`,
        '-cpu',
        'qemu64',
        '-smp',
        String(smp),
        ...chosen.args,
        ...args,
      ],
      programs: {
        sterna: { command: PROGRAMS.sterna, args: ['-M', `wire=${wire}`] },
        'qemu-7.2': { command: PROGRAMS['qemu-7.2'], hasFileUri: false },
        'qemu-new': {
          command: PROGRAMS['qemu-new'],
          // What a newer QEMU needs to exchange guests with 7.2: no new command, and firmware of the older size.
          args: both ? ['-global', 'migration.send-switchover-start=off', '-bios', '/usr/share/qemu/qboot.rom'] : [],
        },
      },
    },
    steps,
    async (guest) => {
      if (stopsFirst) await goOn(guest.vm);
      await chosen.check(guest);
    },
    {
      channel,
      capabilities,
      ...(parameters === undefined ? {} : { parameters }),
      async prepare(vm, role, program) {
        if (stopsFirst && role === 'source' && program === 'qemu-7.2') await vm.qmp.executeAny('stop');
        await prepare?.(vm, role, program);
      },
      finish: (guest) => chosen.finish(guest),
    },
  );
  return { steps, hops };
}
