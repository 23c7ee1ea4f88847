import { createServer } from 'node:net';
import { join } from 'node:path';
import { fetchLinuxGuest } from '@sterna/guests/node';
import { delay, Vm } from '../tests/support/vm.ts';
import { cpuSecondsOf } from './console.ts';
import { geometricMean, median } from './stats.ts';
import { buildSuite, PROGRAMS, suiteInitrd } from './suite.ts';

/** What dirty tracking costs a running guest. */
export interface DirtyCost {
  /** Median processor time of each program while a migration tracks dirty pages, relative to the time without, less 1. */
  readonly programs: Readonly<Record<string, number>>;
  /** Geometric mean over the programs, less 1. */
  readonly cost: number;
}

/** Programs that store much; the others cannot show more. */
const DEFAULT = ['sieve', 'qsort', 'sha256', 'gzip', 'memory'];

/**
 * Times programs in one machine, by the processor time of its process (tracking is done by the guest's own stores), alternately without and with a migration that is kept from getting on: its bandwidth
 * is so low that tracking is on throughout while next to nothing is sent.
 */
export async function measureDirtyTracking(
  runs: number,
  names: readonly string[] | undefined,
  say: (line: string) => void,
): Promise<DirtyCost> {
  const { kernel } = await fetchLinuxGuest();
  const initrd = suiteInitrd([buildSuite(64)]);
  const append = 'console=ttyS0 quiet';
  await using vm = await Vm.start('sterna', [
    '-M',
    'microvm',
    '-m',
    '256',
    '-kernel',
    kernel.path,
    '-initrd',
    initrd,
    '-append',
    append,
  ]);
  await vm.says('BENCH ready', 120_000);
  const uri = join(vm.directory, 'nowhere');
  const server = createServer((socket) => socket.resume().on('error', () => {}));
  await new Promise<void>((resolve) => server.listen(uri, resolve));
  await vm.qmp.executeAny('migrate-set-parameters', { 'max-bandwidth': 65_536 });

  const time = async (name: string, scale: number): Promise<number> => {
    vm.serial = '';
    vm.type(`/suite64 ${name} ${scale} 2\n`);
    await vm.says(`BENCH ${name} start\r\n`, 60_000);
    const started = cpuSecondsOf(vm.child.pid!);
    await vm.says(/BENCH \S+ (end|failed)[^\n]*\n/, 300_000);
    if (vm.serial.includes('failed')) throw new Error(vm.serial);
    return cpuSecondsOf(vm.child.pid!) - started;
  };
  const status = async (wanted: string): Promise<void> => {
    for (let i = 0; i < 200; i++) {
      const info = (await vm.qmp.executeAny('query-migrate')) as { readonly status?: string };
      if (info.status === wanted) return;
      await delay(20);
    }
    throw new Error(`the migration did not become ${wanted}`);
  };

  const programs: Record<string, number> = {};
  try {
    for (const { name, scale } of PROGRAMS.filter((program) => (names ?? DEFAULT).includes(program.name))) {
      const ratios: number[] = [];
      await time(name, scale);
      for (let run = 0; run < runs; run++) {
        // Every second pair the other way round, so that a drift of the host does not count for one side.
        const before = run % 2 === 0 ? await time(name, scale) : 0;
        await vm.qmp.executeAny('migrate', { uri: `unix:${uri}` });
        await status('active');
        const tracked = await time(name, scale);
        await status('active');
        await vm.qmp.executeAny('migrate_cancel');
        await status('cancelled');
        ratios.push(tracked / (run % 2 === 0 ? before : await time(name, scale)));
      }
      programs[name] = median(ratios) - 1;
      say(`dirty tracking, ${name}: ${(programs[name] * 100).toFixed(1)} %`);
    }
  } finally {
    server.close();
  }
  const mean = geometricMean(Object.values(programs).map((cost) => cost + 1));
  return { programs, cost: (mean ?? 1) - 1 };
}
