/** Runs one seed with a readable trace: `node -C @sterna/source packages/migration/test/sim/replay.ts SEED`. */
import { getEventListeners } from 'node:events';
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { realTurn } from './loop.ts';
import { type Schedule, scheduleOf } from './schedule.ts';
import { shrink } from './shrink.ts';
import { Simulation, Stage } from './simulation.ts';

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { shrink: { type: 'boolean' }, quiet: { type: 'boolean' } },
});
const from = positionals[0];
if (from === undefined) {
  console.error('usage: replay.ts [--shrink] [--quiet] SEED | SCHEDULE.json');
  process.exit(2);
}
let schedule: Schedule = /^\d+$/.test(from)
  ? scheduleOf(Number(from))
  : (JSON.parse(readFileSync(from, 'utf8')) as Schedule);

async function run(candidate: Schedule, trace?: (line: string) => void): Promise<Simulation> {
  const simulation = new Simulation(candidate, new Stage(), {
    ...(trace === undefined ? {} : { trace }),
    listeners: (signal) => getEventListeners(signal, 'abort').length,
  });
  while (simulation.step()) await realTurn();
  return simulation;
}

if (values.shrink === true) schedule = await shrink(schedule, async (candidate) => (await run(candidate)).violations);
console.log(JSON.stringify(schedule, undefined, values.shrink === true ? undefined : 2));
const simulation = await run(schedule, values.quiet === true ? undefined : (line) => console.log(line));
for (const violation of simulation.violations) console.log(`VIOLATION ${violation}`);
console.log(`seed ${schedule.seed}: ${simulation.steps} steps, ${simulation.violations.length} violations`);
process.exitCode = simulation.violations.length > 0 ? 1 : 0;
