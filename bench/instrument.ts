import { join } from 'node:path';
import { fetchLinuxGuest } from '@sterna/guests/node';
import { Vm } from '../tests/support/vm.ts';
import { cpuSecondsOf } from './console.ts';
import { LOOPS, runLoop } from './loops.ts';
import { geometricMean, median } from './stats.ts';
import { COMMANDS } from './subjects.ts';
import { buildSuite, PROGRAMS, suiteInitrd } from './suite.ts';

/** What instruments cost a guest: time relative to the time without. */
export interface InstrumentCost {
  /** Processor time of programs while every instruction is counted, and of loops while every instruction and access is told of. */
  readonly counting: Readonly<Record<string, number>>;
  readonly tracing: Readonly<Record<string, number>>;
  /** Geometric means. */
  readonly counted: number;
  readonly traced: number;
}

/** Programs of every kind, and loops with and without accesses. */
const DEFAULT = ['coremark', 'sieve', 'bytecode', 'nbody', 'strings', 'syscalls', 'xs', 'lodsb'];
/** Parts of the usual work. */
const COUNTED = 1 / 4;
const TRACED = 1 / 50;
const PLUGIN = join(import.meta.dirname, '../plugins/instrumentation/src/index.ts');

/** Measures programs in a machine without an instrument and in one with `hot-blocks`, and loops with `cache-model`. */
export async function measureInstruments(
  runs: number,
  names: readonly string[] | undefined,
  say: (line: string) => void,
): Promise<InstrumentCost> {
  const wanted = names ?? DEFAULT;
  const counting = await measureCounting(
    runs,
    PROGRAMS.filter(({ name }) => wanted.includes(name)),
    say,
  );
  const tracing: Record<string, number> = {};
  const instrument = ['--plugin', PLUGIN, '-device', 'cache-model,file=/dev/null'];
  for (const loop of LOOPS.filter(({ name }) => wanted.includes(name))) {
    const part = { ...loop, iterations: Math.round(loop.iterations * TRACED) };
    const alone = await runLoop(COMMANDS['sterna']!, loop, 64);
    const traced = await runLoop([...COMMANDS['sterna']!, ...instrument], part, 64);
    tracing[loop.name] = traced.cpuSeconds / (alone.cpuSeconds * TRACED);
    say(`instruments, ${loop.name}: ${tracing[loop.name]!.toFixed(0)} times with a trace`);
  }
  const mean = (ratios: Readonly<Record<string, number>>): number => geometricMean(Object.values(ratios)) ?? Number.NaN;
  return { counting, tracing, counted: mean(counting), traced: mean(tracing) };
}

async function measureCounting(
  runs: number,
  programs: readonly (typeof PROGRAMS)[number][],
  say: (line: string) => void,
): Promise<Record<string, number>> {
  const counting: Record<string, number> = {};
  if (programs.length === 0) return counting;
  const { kernel } = await fetchLinuxGuest();
  const images = ['-kernel', kernel.path, '-initrd', suiteInitrd([buildSuite(64)]), '-append', 'console=ttyS0 quiet'];
  const start = async (...instrument: string[]): Promise<Vm> => {
    const vm = await Vm.start('sterna', ['-M', 'microvm', '-m', '256', ...images, ...instrument]);
    await vm.says('BENCH ready', 120_000);
    return vm;
  };
  await using plain = await start();
  await using counted = await start('--plugin', PLUGIN, '-device', 'hot-blocks,file=/dev/null');
  const time = async (vm: Vm, name: string, scale: number): Promise<number> => {
    vm.serial = '';
    vm.type(`/suite64 ${name} ${Math.max(1, Math.round(scale * COUNTED))} 2\n`);
    await vm.says(`BENCH ${name} start\r\n`, 60_000);
    const started = cpuSecondsOf(vm.child.pid!);
    await vm.says(/BENCH \S+ (end|failed)[^\n]*\n/, 300_000);
    if (vm.serial.includes('failed')) throw new Error(vm.serial);
    return cpuSecondsOf(vm.child.pid!) - started;
  };
  for (const { name, scale } of programs) {
    for (const vm of [plain, counted]) await time(vm, name, scale);
    const ratios: number[] = [];
    for (let run = 0; run < runs; run++) {
      const alone = await time(plain, name, scale);
      ratios.push((await time(counted, name, scale)) / alone);
    }
    counting[name] = median(ratios);
    say(`instruments, ${name}: ${counting[name].toFixed(2)} times with counts`);
  }
  return counting;
}
