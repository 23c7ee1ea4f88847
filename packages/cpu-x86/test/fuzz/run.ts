import { parseArgs } from 'node:util';
import { prepareInterpreter } from '../../src/node/index.ts';
import type { Slicing } from './compare.ts';
import { ENGINES, fuzz } from './fuzz.ts';
import { report } from './report.ts';
import { WORLD_NAMES, type WorldName } from './world.ts';

const SECONDS = 60;
const MS = 1000;

/** Command line: random programs on the interpreter and an engine; prints minimal failing programs. */
function main(): void {
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
    },
  });
  const candidate = ENGINES[values.engine];
  if (candidate === undefined)
    throw new RangeError(`--engine ${values.engine}: one of ${Object.keys(ENGINES).join(', ')}`);
  const worlds = values.worlds?.split(',').map((name) => {
    if (!WORLD_NAMES.includes(name as WorldName))
      throw new RangeError(`--worlds ${name}: one of ${WORLD_NAMES.join(', ')}`);
    return name as WorldName;
  });
  const seed = values.seed === undefined ? Math.floor(Math.random() * 2 ** 40) : Number(values.seed);
  prepareInterpreter();
  console.log(`seed ${seed}, engine ${values.engine}`);
  const start = performance.now();
  const result = fuzz({
    seed,
    programs: values.minutes === undefined ? Number(values.programs) : Number.POSITIVE_INFINITY,
    ...(values.minutes === undefined ? {} : { milliseconds: Number(values.minutes) * SECONDS * MS }),
    candidate,
    candidateName: values.engine,
    ...(values.slicing === undefined ? {} : { slicing: values.slicing as Slicing }),
    ...(worlds === undefined ? {} : { worlds }),
    plain: values.plain,
    failures: Number(values.failures),
    shrink: !values['no-shrink'],
    onFailure: (mismatch) => console.log(`\n${report(mismatch)}\n`),
  });
  const seconds = (performance.now() - start) / MS;
  console.log(
    `${result.programs} programs, ${result.instructions} instructions, ${result.failures.length} differ; ${seconds.toFixed(0)} s, seeds ${seed} to ${seed + result.programs - 1}`,
  );
  process.exitCode = result.failures.length > 0 ? 1 : 0;
}

main();
