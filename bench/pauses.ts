import { readFileSync } from 'node:fs';
import { fetchLinuxGuest } from '@sterna/guests/node';
import { Vm } from '../tests/support/vm.ts';
import { cpuSecondsOf } from './console.ts';
import { buildSuite, PROGRAMS, suiteInitrd } from './suite.ts';

/** What the translator says of itself after a boot and the whole suite. */
export interface TranslationPauses {
  /** Longest pause of the guest's thread for translation, in ms of the host's clock: on a busy host too long. */
  readonly longestMs: number;
  /** Seconds that the guest's thread ran, and that it was ready to and had to wait for a processor, in pauses or not. */
  readonly ranSeconds: number;
  readonly waitedSeconds: number;
  /** Processor seconds that other programs of the host took meanwhile. Pauses are those of a quiet host when there are hardly any. */
  readonly othersSeconds: number;
  /** Text of `info jit`. */
  readonly report: string;
}

/** Boots a guest, runs a little of every program, and asks the monitor. */
export async function measurePauses(names: readonly string[] | undefined): Promise<TranslationPauses> {
  const { kernel } = await fetchLinuxGuest();
  const initrd = suiteInitrd([buildSuite(64)]);
  const images = ['-kernel', kernel.path, '-initrd', initrd, '-append', 'console=ttyS0 quiet'];
  const [host, own] = [hostSeconds(), process.cpuUsage()];
  await using vm = await Vm.start('sterna', ['-M', 'microvm', '-m', '256', ...images]);
  await vm.says('BENCH ready', 120_000);
  for (const { name, scale } of PROGRAMS.filter((program) => names?.includes(program.name) ?? true)) {
    vm.serial = '';
    vm.type(`/suite64 ${name} ${Math.ceil(scale / 5)} 4\n`);
    await vm.says(/BENCH \S+ (end|failed)[^\n]*\n/, 300_000);
  }
  const report = String(await vm.qmp.executeAny('human-monitor-command', { 'command-line': 'info jit' }));
  const longest = /^longest pause\s+([\d.]+) ms/m.exec(report)?.[1];
  if (longest === undefined) throw new Error(`'info jit' gives no longest pause: ${report}`);
  const { user, system } = process.cpuUsage(own);
  const ours = cpuSecondsOf(vm.child.pid!) + (user + system) / 1e6;
  const othersSeconds = Math.max(0, hostSeconds() - host - ours);
  // nanoseconds that the process's first thread, which is the guest's, ran and waited (Linux, scheduler statistics)
  const [ran, waited] = readFileSync(`/proc/${vm.child.pid!}/task/${vm.child.pid!}/schedstat`, 'latin1').split(' ');
  return {
    longestMs: Number(longest),
    ranSeconds: Number(ran) / 1e9,
    waitedSeconds: Number(waited) / 1e9,
    othersSeconds,
    report,
  };
}

/** Processor seconds that the host has spent so far, idle time and waiting for disks apart. */
function hostSeconds(): number {
  const [, user, nice, system, , , irq, softIrq] = readFileSync('/proc/stat', 'latin1').split('\n')[0]!.split(/\s+/);
  // clock ticks of 1/100 s on Linux
  return [user, nice, system, irq, softIrq].reduce((sum, ticks) => sum + Number(ticks), 0) / 100;
}
