/** Runs one seed with a readable trace: `node -C @sterna/source packages/migration/test/sim/replay.ts SEED`. */
import { getEventListeners } from 'node:events';
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import {
  multifdScheduleOf,
  replay,
  type Schedule,
  type SimulationOptions,
  scheduleOf,
  smallest,
} from '@sterna/testkit';

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { shrink: { type: 'boolean' }, quiet: { type: 'boolean' }, multifd: { type: 'boolean' } },
});
const from = positionals[0];
if (from === undefined) {
  console.error('usage: replay.ts [--multifd] [--shrink] [--quiet] SEED | SCHEDULE.json');
  process.exit(2);
}
const options: SimulationOptions = { listeners: (signal) => getEventListeners(signal, 'abort').length };
let schedule: Schedule = /^\d+$/.test(from)
  ? (values.multifd === true ? multifdScheduleOf : scheduleOf)(Number(from))
  : (JSON.parse(readFileSync(from, 'utf8')) as Schedule);
if (values.shrink === true) schedule = await smallest(schedule, options);
console.log(JSON.stringify(schedule, undefined, values.shrink === true ? undefined : 2));
const trace = values.quiet === true ? {} : { trace: (line: string) => console.log(line) };
const simulation = await replay(schedule, { ...options, ...trace });
for (const violation of simulation.violations) console.log(`VIOLATION ${violation}`);
console.log(`seed ${schedule.seed}: ${simulation.steps} steps, ${simulation.violations.length} violations`);
process.exitCode = simulation.violations.length > 0 ? 1 : 0;
