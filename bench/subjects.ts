import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { hostTscFrequency } from '@sterna/core/node';
import { GuestConsole } from './console.ts';
import type { Bits, Suite } from './suite.ts';

const ROOT = join(import.meta.dirname, '..');

/** A kernel and an initramfs that holds the suite. */
export interface SuiteGuest {
  readonly kernel: string;
  readonly initrd: string;
  /** Width of the kernel. */
  readonly bits: Bits;
}

/** Something that runs the suite. */
export interface Subject {
  readonly id: string;
  /** Name for people, with the version. */
  readonly name: string;
  /** Starts a machine whose serial line is the process's standard input and output. */
  readonly start: (guest: SuiteGuest) => GuestConsole;
}

/** Programs that take QEMU's command line: `sterna`, `qemu` (the system's own), `qemu-new`. */
export const COMMANDS: Readonly<Record<string, readonly string[]>> = {
  sterna: [join(ROOT, 'node_modules/.bin/sterna-system-x86_64')],
  qemu: ['qemu-system-x86_64', '-accel', 'tcg'],
  'qemu-new': [join(ROOT, 'node_modules/.cache/sterna/peers/bin/qemu-newest'), '-accel', 'tcg'],
};

/** Version that a program with QEMU's command line reports, or `undefined` when it is not there. */
export function versionOf(id: string): string | undefined {
  const command = COMMANDS[id]!;
  if (command[0]!.startsWith('/') && !existsSync(command[0]!)) return undefined;
  return /(?:version|Sterna) ([\d.]+)/.exec(
    spawnSync(command[0]!, ['--version'], { encoding: 'utf8' }).stdout ?? '',
  )?.[1];
}

/** The subject behind one of {@link COMMANDS}; `extra` is added to its command line. */
export function systemSubject(id: string, extra: readonly string[] = []): Subject {
  const version = versionOf(id);
  if (version === undefined) throw new Error(`${id} is not installed; see tools/peers/install.sh`);
  return {
    id,
    name: id === 'sterna' ? `Sterna ${version}` : `QEMU ${version} TCG`,
    start: (guest) => new GuestConsole(id, [...COMMANDS[id]!, ...systemArguments(guest, id !== 'sterna'), ...extra]),
  };
}

function systemArguments({ kernel, initrd }: SuiteGuest, giveTsc: boolean): string[] {
  // QEMU's microvm may hang in the guest's TSC calibration when its host is busy: its guest is told the rate.
  const tsc = giveTsc ? ` tsc_early_khz=${Math.round(hostTscFrequency().hz / 1000)}` : '';
  return [
    ...['-M', 'microvm', '-cpu', 'qemu64', '-m', '256', '-nodefaults', '-display', 'none', '-no-reboot'],
    ...['-kernel', kernel, '-initrd', initrd, '-append', `console=ttyS0 quiet${tsc}`, '-serial', 'stdio'],
  ];
}

/** The host's own processor: an upper bound. Every program is a process of its own. */
export function runNative(suite: Suite, name: string, scale: number, rounds: number): GuestConsole {
  return new GuestConsole('native', [suite.path, name, String(scale), String(rounds)]);
}
