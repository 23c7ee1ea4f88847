/**
 * `node -C @sterna/source bench/one.ts PROGRAM[,PROGRAM...] [--on sterna|qemu|qemu-new] [--bits 64|32] [--scale F]
 * [--rounds N] [--times N] [-- ARGUMENT...]`: boots once and runs programs of the suite, to look at one of them closely.
 * `loop:NAME[,NAME...]` (`loop:all`) runs loops on the bare machine instead, each in a machine of its own.
 * `--scale` multiplies the usual amount of work; arguments after `--` go to the machine's command line.
 */
import { parseArgs } from 'node:util';
import { fetchLinuxGuest } from '@sterna/guests/node';
import { LOOPS, runLoop, runLoopNative } from './loops.ts';
import { runInGuest, timed, untilReady } from './programs.ts';
import { COMMANDS, runNative, systemSubject } from './subjects.ts';
import { type Bits, buildSuite, PROGRAMS, ROUNDS, suiteInitrd } from './suite.ts';

const split = process.argv.indexOf('--');
const { values, positionals } = parseArgs({
  args: process.argv.slice(2, split < 0 ? undefined : split),
  allowPositionals: true,
  options: {
    on: { type: 'string', default: 'sterna' },
    bits: { type: 'string', default: '64' },
    scale: { type: 'string', default: '1' },
    rounds: { type: 'string', default: String(ROUNDS) },
    times: { type: 'string', default: '1' },
  },
});
const bits = Number(values.bits) as Bits;
const extra = split < 0 ? [] : process.argv.slice(split + 1);
if (positionals[0]?.startsWith('loop:')) {
  await runLoops(positionals[0].slice(5).split(','));
  process.exit();
}
const rounds = Number(values.rounds);
const suite = buildSuite(bits);
const names =
  positionals[0] === undefined || positionals[0] === 'all' ? PROGRAMS.map((p) => p.name) : positionals[0].split(',');
const chosen = names.map((name) => {
  const program = PROGRAMS.find((p) => p.name === name);
  if (program === undefined) throw new Error(`no program ${name}; there are ${PROGRAMS.map((p) => p.name).join(', ')}`);
  return program;
});

/** Processor seconds of the machine's process: what a busy host changes least. */
let cpu = (): number => 0;

async function runAll(run: (index: number) => ReturnType<typeof timed>): Promise<void> {
  for (let time = 0; time < Number(values.times); time++)
    for (const [i, program] of chosen.entries()) {
      try {
        const before = cpu();
        const { seconds, first, steady } = await run(i);
        const used = cpu() - before;
        console.log(
          `${program.name.padEnd(12)} ${seconds.toFixed(2)} s, first round ${first.toFixed(2)} s, steady ${(steady / rounds).toFixed(2)} s a round${used > 0 ? `, CPU ${used.toFixed(2)} s` : ''}`,
        );
      } catch (error) {
        console.log(`${program.name}: ${(error as Error).message}`);
        if (/ended|took more/.test((error as Error).message)) return;
      }
    }
}

const scaleOf = (i: number): number => Math.max(1, Math.round(chosen[i]!.scale * Number(values.scale)));
if (values.on === 'native') {
  await runAll(async (i) => {
    await using host = runNative(suite, chosen[i]!.name, scaleOf(i), rounds);
    return await timed(host, suite, chosen[i]!, scaleOf(i), rounds);
  });
} else {
  if (COMMANDS[values.on] === undefined)
    throw new Error(`--on ${values.on}: known are ${Object.keys(COMMANDS).join(', ')}`);
  const init = suite.bits === 64 ? [suite] : [buildSuite(64), suite];
  const { kernel } = await fetchLinuxGuest();
  const subject = systemSubject(values.on, extra);
  await using machine = subject.start({ kernel: kernel.path, initrd: suiteInitrd(init), bits: 64 });
  console.log(`${subject.name} is ready after ${(await untilReady(machine)).toFixed(2)} s`);
  cpu = () => machine.cpuSeconds;
  await runAll((i) => runInGuest(machine, suite, chosen[i]!, scaleOf(i), rounds));
}

async function runLoops(wanted: readonly string[]): Promise<void> {
  for (const full of LOOPS) {
    if (!(wanted.includes('all') || wanted.includes(full.name)) || (full.only ?? bits) !== bits) continue;
    const loop = { ...full, iterations: Math.max(4, Math.round(full.iterations * Number(values.scale))) };
    const host = await runLoopNative(loop, bits);
    for (let time = 0; time < Number(values.times); time++) {
      const { seconds, cpuSeconds, checksum } =
        values.on === 'native' ? host : await runLoop([...COMMANDS[values.on]!, ...extra], loop, bits);
      const rate =
        loop.instructions === undefined
          ? ''
          : `, ${((loop.instructions * loop.iterations) / seconds / 1e6).toFixed(0)} M insn/s`;
      console.log(
        `${loop.name.padEnd(20)} ${seconds.toFixed(3)} s, CPU ${cpuSeconds.toFixed(2)} s${rate}, host ${host.seconds.toFixed(3)} s${checksum === host.checksum ? '' : `, WRONG CHECKSUM ${checksum}, host ${host.checksum}`}`,
      );
    }
  }
}
