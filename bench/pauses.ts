import { fetchLinuxGuest } from '@sterna/guests/node';
import { Vm } from '../tests/support/vm.ts';
import { buildSuite, PROGRAMS, suiteInitrd } from './suite.ts';

/** What the translator says of itself after a boot and the whole suite. */
export interface TranslationPauses {
  /** Longest pause of the guest's thread for translation, in ms of the host's clock: on a busy host too long. */
  readonly longestMs: number;
  /** Text of `info jit`. */
  readonly report: string;
}

/** Boots a guest, runs a little of every program, and asks the monitor. */
export async function measurePauses(names: readonly string[] | undefined): Promise<TranslationPauses> {
  const { kernel } = await fetchLinuxGuest();
  const initrd = suiteInitrd([buildSuite(64)]);
  const images = ['-kernel', kernel.path, '-initrd', initrd, '-append', 'console=ttyS0 quiet'];
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
  return { longestMs: Number(longest), report };
}
