/**
 * Many seeds in two threads:
 * `node -C @sterna/source packages/migration/test/sim/many.ts [--multifd] COUNT [FIRST]`. Ends with the kinds of failures and their first seeds.
 */
import { parseArgs } from 'node:util';
import { runInThreads } from '@sterna/testkit/node';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { multifd: { type: 'boolean', default: false } },
});
const [count = '1000', first = '0'] = positionals;
const { failures, seeds, perSecond } = await runInThreads(Number(first), Number(count), 2, {
  most: Number.POSITIVE_INFINITY,
  multifd: values.multifd,
  progress: (done) => {
    if (done % 100_000 === 0) console.log(`${done} seeds`);
  },
});
const kinds = new Map<string, number[]>();
for (const { seed, violations } of failures) {
  const kind = violations[0]!
    .split('\n')[0]!
    .replaceAll(/0x[0-9a-f]+|\d+/g, 'n')
    .slice(0, 120);
  kinds.set(kind, [...(kinds.get(kind) ?? []), seed]);
}
for (const [kind, list] of [...kinds].sort((a, b) => b[1].length - a[1].length))
  console.log(`${list.length} ${kind} | ${list.slice(0, 6).join(' ')}`);
console.log(`${seeds} seeds from ${first}: ${failures.length} failures, ${perSecond} schedules/s`);
process.exitCode = failures.length > 0 ? 1 : 0;
