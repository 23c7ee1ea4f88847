import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** One boot to the shell, measured from outside. */
export interface BootResult {
  /** Seconds of wall time from the start of the process to the guest's ready line. */
  readonly seconds: number;
  /** CPU seconds of the process. */
  readonly cpuSeconds: number;
}

/** What to start: a program with QEMU's command line. */
export interface BootSubject {
  readonly name: string;
  readonly command: readonly string[];
}

/** Files and line that say what is booted. */
export interface BootGuest {
  readonly kernel: string;
  readonly initrd: string;
  readonly readyLine: string;
  /** Kernel command line. */
  readonly append: string;
}

/**
 * Boots once and ends the process.
 *
 * @throws Error with the last console lines when the ready line does not come within `limitSeconds`.
 */
export function bootOnce(
  subject: BootSubject,
  guest: BootGuest,
  extra: readonly string[] = [],
  limitSeconds = 120,
): Promise<BootResult> {
  const args = [
    '-M',
    'microvm',
    '-cpu',
    'qemu64',
    '-m',
    '256',
    '-nodefaults',
    '-display',
    'none',
    '-no-reboot',
    '-kernel',
    guest.kernel,
    '-initrd',
    guest.initrd,
    '-append',
    guest.append,
    '-serial',
    'stdio',
    ...extra,
  ];
  const started = performance.now();
  const child = spawn(subject.command[0]!, [...subject.command.slice(1), ...args], { stdio: ['pipe', 'pipe', 'pipe'] });
  return new Promise((resolve, reject) => {
    let text = '';
    let result: BootResult | undefined;
    const limit = setTimeout(() => child.kill('SIGKILL'), limitSeconds * 1000);
    const take = (chunk: Buffer) => {
      text += chunk.toString('latin1');
      if (result !== undefined || !text.includes(guest.readyLine)) return;
      result = { seconds: (performance.now() - started) / 1000, cpuSeconds: cpuSecondsOf(child.pid!) };
      child.kill('SIGTERM');
    };
    child.stdout.on('data', take);
    child.stderr.on('data', take);
    child.on('error', reject);
    child.on('exit', () => {
      clearTimeout(limit);
      if (result !== undefined) resolve(result);
      else reject(new Error(`${subject.name} did not reach '${guest.readyLine}':\n${text.slice(-1500)}`));
    });
  });
}

function cpuSecondsOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  // utime and stime, fields 14 and 15 of proc(5), in clock ticks of 1/100 s on Linux.
  return (Number(fields[11]) + Number(fields[12])) / 100;
}
