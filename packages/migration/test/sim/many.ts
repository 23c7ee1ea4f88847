/** Runs many seeds: `node -C @sterna/source packages/migration/test/sim/many.ts COUNT [FIRST]`. */
import { getEventListeners } from 'node:events';
import { runSeeds } from './batch.ts';

const [count = '1000', first = '0'] = process.argv.slice(2);
const began = performance.now();
const failures = await runSeeds(Number(first), Number(count), {
  most: 1e9,
  listeners: (signal) => getEventListeners(signal, 'abort').length,
});
const kinds = new Map<string, number[]>();
for (const { seed, violations } of failures) {
  const kind = violations[0]!
    .split('\n')[0]!
    .replaceAll(/0x[0-9a-f]+|\d+/g, 'n')
    .slice(0, 100);
  kinds.set(kind, [...(kinds.get(kind) ?? []), seed]);
}
for (const [kind, seeds] of [...kinds].sort((a, b) => b[1].length - a[1].length))
  console.log(`${seeds.length} ${kind} | ${seeds.slice(0, 6).join(' ')}`);
const seconds = (performance.now() - began) / 1000;
console.log(
  `${count} seeds from ${first}: ${failures.length} failures, ${(Number(count) / seconds).toFixed(0)} schedules/s`,
);
