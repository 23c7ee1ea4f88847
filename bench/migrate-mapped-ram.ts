/**
 * `node -C @sterna/source bench/migrate-mapped-ram.ts [--pairs 7] [--only single,multifd,direct] [--peer qemu-new|none] [--json]`
 *
 * Saves a guest that has filled 900 MiB of 1 GiB to a file in which each page has a place, and restores it in another process,
 * in interleaved pairs with QEMU. The time of saving is what the source reports, that of restoring what a client sees who waits
 * for the guest to run.
 */
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { delay, Vm } from '../tests/support/vm.ts';
import { type Comparison, compare, table } from './stats.ts';
import { tickGuest } from './tick-guest.ts';

/** One way to save. */
interface Way {
  readonly capabilities: readonly string[];
  readonly parameters: Readonly<Record<string, unknown>>;
}

const WAYS: Readonly<Record<string, Way>> = {
  single: { capabilities: ['mapped-ram'], parameters: {} },
  multifd: { capabilities: ['mapped-ram', 'multifd'], parameters: {} },
  direct: { capabilities: ['mapped-ram', 'multifd'], parameters: { 'direct-io': true } },
};

/** What one round was like, in ms and MB. */
interface Outcome {
  readonly save: number;
  readonly restore: number;
  readonly size: number;
}

const { values } = parseArgs({
  options: {
    pairs: { type: 'string', default: '7' },
    only: { type: 'string', default: 'single,multifd' },
    peer: { type: 'string', default: 'qemu-new' },
    json: { type: 'boolean', default: false },
  },
});
const directory = mkdtempSync(join(tmpdir(), 'sterna-mapped-'));

async function prepared(vm: Vm, { capabilities, parameters }: Way): Promise<void> {
  await vm.qmp.executeAny('migrate-set-capabilities', {
    capabilities: [...capabilities, 'events'].map((capability) => ({ capability, state: true })),
  });
  await vm.qmp.executeAny('migrate-set-parameters', { 'max-bandwidth': 0, ...parameters });
}

async function measure(program: 'sterna' | 'qemu-new', image: string, way: Way): Promise<Outcome> {
  const args = ['-M', 'microvm', '-m', '1024', '-kernel', image];
  const file = join(directory, 'ram');
  rmSync(file, { force: true });
  let save: number;
  {
    await using source = await Vm.start(program, args);
    await source.says('R', 60_000);
    await prepared(source, way);
    await delay(1000);
    await source.qmp.executeAny('migrate', { uri: `file:${file}` });
    save = await completed(source);
  }
  await using destination = await Vm.start(program, [...args, '-incoming', 'defer']);
  await prepared(destination, way);
  await delay(300);
  const began = performance.now();
  await destination.qmp.executeAny('migrate-incoming', { uri: `file:${file}` });
  await destination.until('the guest', ({ events }) => events.some(({ event }) => event === 'RESUME'));
  const restore = performance.now() - began;
  await destination.says('.....');
  return { save, restore, size: statSync(file).size / 1e6 };
}

async function completed(vm: Vm): Promise<number> {
  for (;;) {
    const info = (await vm.qmp.executeAny('query-migrate')) as { status: string; 'total-time': number };
    if (info.status === 'completed') return info['total-time'];
    if (info.status === 'failed') throw new Error(JSON.stringify(info));
    await delay(20);
  }
}

const rows: Comparison[] = [];
try {
  const image = join(directory, 'guest');
  writeFileSync(image, tickGuest({ filledMiB: 900 }));
  for (const name of values.only.split(',')) {
    const way = WAYS[name];
    if (way === undefined) throw new Error(`no way '${name}'; there are ${Object.keys(WAYS).join()}`);
    const outcomes: Record<'ours' | 'peer', Outcome[]> = { ours: [], peer: [] };
    for (let pair = 0; pair < Number(values.pairs); pair++) {
      if (values.peer !== 'none') outcomes.peer.push(await measure('qemu-new', image, way));
      outcomes.ours.push(await measure('sterna', image, way));
      process.stderr.write(`${name} ${JSON.stringify({ ours: outcomes.ours.at(-1), peer: outcomes.peer.at(-1) })}\n`);
    }
    const { ours, peer } = outcomes;
    const row = (figure: string, unit: string, pick: (outcome: Outcome) => number) =>
      compare(`${name}: ${figure}`, unit, values.peer, ours.map(pick), (peer.length > 0 ? peer : ours).map(pick), true);
    rows.push(
      row('save', 'ms', (o) => o.save),
      row('restore', 'ms', (o) => o.restore),
      row('file', 'MB', (o) => o.size),
    );
  }
} finally {
  rmSync(directory, { recursive: true });
}
console.log(values.json ? JSON.stringify(rows) : table(rows));
