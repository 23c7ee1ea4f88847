import { join } from 'node:path';
import { VmProcess } from '@sterna/testkit/node';

export { delay, type MigrationOutcome, migrate, Patience } from '@sterna/testkit/node';

const root = join(import.meta.dirname, '../..');

/** Programs that take QEMU's command line. */
export const PROGRAMS = {
  sterna: join(root, 'node_modules/.bin/sterna-system-x86_64'),
  'qemu-7.2': 'qemu-system-x86_64',
  'qemu-new': join(root, 'node_modules/.cache/sterna/peers/bin/qemu-newest'),
} as const;
/** Name of a program, or the path of one. */
export type ProgramName = keyof typeof PROGRAMS | (string & {});

/** A machine in a process of its own, with serial line and QMP on sockets. */
export type Vm = VmProcess;
export const Vm = {
  /** Starts a machine and connects to it. `-nodefaults`, display, serial and QMP are added to `args`. */
  start: (program: ProgramName, args: readonly string[]): Promise<VmProcess> =>
    VmProcess.start(PROGRAMS[program as keyof typeof PROGRAMS] ?? program, args, program),
};
