/**
 * `node -C @sterna/source bench/migrate-crossing.ts [--pairs 7] [--only idle,dirty50] [--peer qemu-new|qemu-7.2] [--json]`
 *
 * Pause of a guest that crosses between Sterna and QEMU, in each direction, beside that of one that goes from QEMU to QEMU in
 * the same run: the longest silence of a bare guest that prints a dot each millisecond.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { delay, migrate, Vm } from '../tests/support/vm.ts';
import { type Comparison, compare, table } from './stats.ts';
import { type TickGuest, tickGuest } from './tick-guest.ts';

const MB = 1_000_000;
const GUESTS: Readonly<Record<string, TickGuest>> = {
  idle: {},
  dirty50: { filledMiB: 200, dirtyRate: 50 * MB },
};
const MEMORY_MIB = 256;

const { values } = parseArgs({
  options: {
    pairs: { type: 'string', default: '7' },
    only: { type: 'string', default: Object.keys(GUESTS).join() },
    peer: { type: 'string', default: 'qemu-new' },
    json: { type: 'boolean', default: false },
  },
});

/** When dots arrived. */
function stamps(vm: Vm): number[] {
  const times: number[] = [];
  let seen = vm.serial.length;
  vm.onSerial = () => {
    if (vm.serial.indexOf('.', seen) >= 0) times.push(performance.now());
    seen = vm.serial.length;
  };
  return times;
}

/** Longest silence of a guest on its way, in ms. */
async function silence(from: string, to: string, image: string): Promise<number> {
  const args = (program: string): string[] => [
    ...['-M', 'microvm,acpi=off', '-cpu', 'qemu64', '-m', String(MEMORY_MIB), '-kernel', image],
    ...(program === 'sterna' ? ['-M', `wire=${values.peer === 'qemu-7.2' ? 'qemu-7.2' : 'qemu-11.1'}`] : []),
  ];
  await using source = await Vm.start(from, args(from));
  // Its first letter may be lost before somebody listens.
  await source.says('.', 60_000);
  await using destination = await Vm.start(to, [...args(to), '-incoming', 'defer']);
  const [before, after] = [stamps(source), stamps(destination)];
  await delay(1000);
  const began = performance.now();
  const { status, errorDesc } = await migrate(source, destination, `unix:${destination.directory}/m`);
  if (status !== 'completed') throw new Error(`${from} to ${to}: ${status} ${errorDesc ?? ''}`);
  while (after.length < 200) await delay(20);
  const times = [...before, ...after].filter((at) => at >= began);
  return Math.max(...times.slice(1).map((at, index) => at - times[index]!));
}

const directory = mkdtempSync(join(tmpdir(), 'sterna-crossing-'));
const rows: Comparison[] = [];
try {
  for (const name of values.only.split(',')) {
    const guest = GUESTS[name];
    if (guest === undefined) throw new Error(`no case '${name}'; there are ${Object.keys(GUESTS).join()}`);
    const image = join(directory, name);
    writeFileSync(image, tickGuest(guest));
    const [peers, out, back]: [number[], number[], number[]] = [[], [], []];
    for (let pair = 0; pair < Number(values.pairs); pair++) {
      peers.push(await silence(values.peer, values.peer, image));
      out.push(await silence('sterna', values.peer, image));
      back.push(await silence(values.peer, 'sterna', image));
      process.stderr.write(`${name} ${[peers, out, back].map((list) => list.at(-1)!.toFixed(1)).join(' ')}\n`);
    }
    const between = `${values.peer} to itself`;
    rows.push(compare(`${name}: silence, Sterna to ${values.peer}`, 'ms', between, out, peers));
    rows.push(compare(`${name}: silence, ${values.peer} to Sterna`, 'ms', between, back, peers));
  }
} finally {
  rmSync(directory, { recursive: true });
}
console.log(values.json ? JSON.stringify(rows) : table(rows));
