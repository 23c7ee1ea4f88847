import { fork } from 'node:child_process';
import { parseArgs } from 'node:util';
import { prepareInterpreter } from '../../src/node/index.ts';
import type { Slicing } from './compare.ts';
import { ENGINES, fuzz } from './fuzz.ts';
import { generateProgram } from './generate.ts';
import { listing, report } from './report.ts';
import { WORLD_NAMES, type WorldName } from './world.ts';

const MS = 1000;
const MINUTE = 60 * MS;
/** A program takes a fraction of a second, making it smaller up to a few minutes. */
const STUCK_MS = 60 * MS;

/** What a child tells: the seed it is at, or that it is making a program smaller. */
type Message = { readonly seed: number } | { readonly failed: number } | { readonly instructions: number };

const { values } = parseArgs({
  options: {
    programs: { type: 'string', default: '1000' },
    seed: { type: 'string' },
    minutes: { type: 'string' },
    engine: { type: 'string', default: 'interp' },
    slicing: { type: 'string' },
    worlds: { type: 'string' },
    plain: { type: 'boolean', default: false },
    failures: { type: 'string', default: '1' },
    'no-shrink': { type: 'boolean', default: false },
    child: { type: 'boolean', default: false },
  },
});

function worldsOf(text: string | undefined): { worlds?: WorldName[] } {
  if (text === undefined) return {};
  return {
    worlds: text.split(',').map((name) => {
      if (!WORLD_NAMES.includes(name as WorldName))
        throw new RangeError(`--worlds ${name}: one of ${WORLD_NAMES.join(', ')}`);
      return name as WorldName;
    }),
  };
}

/** Runs programs and tells the parent about each. */
function child(): void {
  const candidate = ENGINES[values.engine]!;
  prepareInterpreter();
  const tell = (message: Message): void => void process.send?.(message);
  const result = fuzz({
    seed: Number(values.seed),
    programs: Number(values.programs),
    ...(values.minutes === undefined ? {} : { milliseconds: Number(values.minutes) * MINUTE }),
    candidate,
    candidateName: values.engine,
    ...(values.slicing === undefined ? {} : { slicing: values.slicing as Slicing }),
    ...worldsOf(values.worlds),
    plain: values.plain,
    failures: Number(values.failures),
    shrink: !values['no-shrink'],
    onProgram: (seed) => tell({ seed }),
    onFailure: (mismatch) => {
      console.log(`\n${report(mismatch)}\n`);
      tell({ failed: mismatch.program.seed });
    },
  });
  tell({ instructions: result.instructions });
}

/** Runs a child from a seed to its end; answers the next seed to go on with when it got stuck. */
function watch(
  seed: number,
  programs: number,
  minutes: number | undefined,
  state: { failures: number; done: number; instructions: number },
): Promise<number | undefined> {
  return new Promise((resolve) => {
    const args = process.argv
      .slice(2)
      .filter(
        (x, i, all) => !/^--(seed|programs|minutes)/.test(x) && !/^--(seed|programs|minutes)$/.test(all[i - 1] ?? ''),
      );
    const worker = fork(import.meta.filename, [
      ...args,
      '--child',
      '--seed',
      String(seed),
      '--programs',
      String(programs),
      ...(minutes === undefined ? [] : ['--minutes', String(minutes)]),
    ]);
    let current = seed;
    let stuck = false;
    const giveUp = (): void => {
      stuck = true;
      worker.kill('SIGKILL');
    };
    let timer = setTimeout(giveUp, STUCK_MS);
    worker.on('message', (message: Message) => {
      clearTimeout(timer);
      if ('seed' in message) {
        if (message.seed !== current || state.done === 0) state.done++;
        current = message.seed;
      } else if ('failed' in message) state.failures++;
      else state.instructions += message.instructions;
      timer = setTimeout(giveUp, STUCK_MS);
    });
    worker.on('exit', (code) => {
      clearTimeout(timer);
      if (!stuck && code === 0) {
        resolve(undefined);
        return;
      }
      state.failures++;
      const program = generateProgram(current, { ...worldsOf(values.worlds), plain: values.plain });
      console.log(
        `\nprogram ${current} in ${program.world}: ${stuck ? 'does not end' : `the process ended with ${code}`}\n${listing(program)}\n`,
      );
      resolve(current + 1);
    });
  });
}

/**
 * Command line: random programs on the interpreter and an engine; prints minimal failing programs. They run in a child process, so
 * that a program that never ends is found, too.
 */
async function main(): Promise<void> {
  if (ENGINES[values.engine] === undefined)
    throw new RangeError(`--engine ${values.engine}: one of ${Object.keys(ENGINES).join(', ')}`);
  worldsOf(values.worlds);
  const first = values.seed === undefined ? Math.floor(Math.random() * 2 ** 40) : Number(values.seed);
  const minutes = values.minutes === undefined ? undefined : Number(values.minutes);
  const programs = minutes === undefined ? Number(values.programs) : Number.MAX_SAFE_INTEGER;
  console.log(`seed ${first}, engine ${values.engine}`);
  const start = performance.now();
  const state = { failures: 0, done: 0, instructions: 0 };
  for (let seed: number | undefined = first; seed !== undefined && state.failures < Number(values.failures); ) {
    const left = minutes === undefined ? undefined : minutes - (performance.now() - start) / MINUTE;
    if (seed >= first + programs || (left !== undefined && left <= 0)) break;
    seed = await watch(seed, programs - (seed - first), left, state);
  }
  const seconds = (performance.now() - start) / MS;
  console.log(
    `${state.done} programs, ${state.instructions} instructions, ${state.failures} differ; ${seconds.toFixed(0)} s, seeds from ${first}`,
  );
  process.exitCode = state.failures > 0 ? 1 : 0;
}

if (values.child) child();
else await main();
