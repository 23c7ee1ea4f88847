/**
 * `node -C @sterna/source bench/migrate.ts [--hops 20] [--uri unix|tcp] [--json]`: a Debian guest of 256 MiB that dirties
 * 20 MB/s moves from process to process. Prints the downtime that the source reports and the pause that somebody who reads
 * the serial line sees: the longest gap between two ticks around each switchover, less the tick interval.
 */
import { parseArgs } from 'node:util';
import { fetchLinuxGuest } from '@sterna/guests/node';
import { checkTicks } from '../tests/support/ticks.ts';
import { migrate, Vm } from '../tests/support/vm.ts';
import { median } from './stats.ts';

const TICK_MS = 10;
const { values } = parseArgs({
  options: {
    hops: { type: 'string', default: '20' },
    uri: { type: 'string', default: 'unix' },
    json: { type: 'boolean', default: false },
  },
});
const hops = Number(values.hops);
const { kernel, initrd } = await fetchLinuxGuest();
const append = `console=ttyS0 quiet st=tick tick=${TICK_MS},20,64,0`;
const args = ['-M', 'microvm', '-m', '256', '-kernel', kernel.path, '-initrd', initrd, '-append', append];

/** Time at which each new tick was read. */
function stamp(vm: Vm): { readonly first: () => number; readonly last: () => number } {
  let [first, last, seen] = [0, 0, 0];
  vm.onSerial = () => {
    const ticks = vm.serial.split('TICK ').length - 1;
    if (ticks === seen) return;
    seen = ticks;
    last = performance.now();
    first ||= last;
  };
  return { first: () => first, last: () => last };
}

const downtimes: number[] = [];
const pauses: number[] = [];
const totals: number[] = [];
let text = '';
let source = await Vm.start('sterna', args);
let times = stamp(source);
await source.says(/TICK 50 /, 120_000);
for (let hop = 0; hop < hops; hop++) {
  const destination = await Vm.start('sterna', [...args, '-incoming', 'defer']);
  const arriving = stamp(destination);
  const uri =
    values.uri === 'tcp'
      ? `tcp:127.0.0.1:${23_000 + (process.pid % 1000) + hop}`
      : `unix:${destination.directory}/migration`;
  const outcome = await migrate(source, destination, uri);
  if (outcome.status !== 'completed') throw new Error(`hop ${hop + 1}: ${JSON.stringify(outcome)}`);
  await destination.until('ticks', ({ serial }) => serial.split('TICK ').length > 50);
  downtimes.push(outcome.downtimeMs);
  totals.push(outcome.totalMs);
  pauses.push(Math.max(0, arriving.first() - times.last() - TICK_MS));
  text += source.serial;
  await source[Symbol.asyncDispose]();
  [source, times] = [destination, arriving];
}
text += source.serial;
await source[Symbol.asyncDispose]();
const { count, faults } = checkTicks(text);
const result = {
  hops,
  uri: values.uri,
  downtimeMs: { median: median(downtimes), max: Math.max(...downtimes) },
  pauseMs: { median: Math.round(median(pauses)), max: Math.round(Math.max(...pauses)) },
  totalMs: { median: median(totals), max: Math.max(...totals) },
  ticks: count,
  faults,
};
console.log(values.json ? JSON.stringify(result) : result);
process.exitCode = faults.length === 0 ? 0 : 1;
