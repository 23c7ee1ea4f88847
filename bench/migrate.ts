/**
 * `node -C @sterna/source bench/migrate.ts [--pairs 7] [--only idle,dirty200] [--peer qemu-new|none] [--json]`
 *
 * Live migration of a bare guest that prints a dot each millisecond, from process to process, in interleaved pairs: QEMU to
 * QEMU, Sterna to Sterna. The downtime is what somebody sees who reads the serial lines: the longest silence.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { delay, Vm } from '../tests/support/vm.ts';
import { codecFigures, scanFigures } from './migrate-codec.ts';
import { MULTIFD_CASES } from './migrate-multifd.ts';
import { TLS_CASES } from './migrate-tls.ts';
import { XBZRLE_CASE } from './migrate-xbzrle.ts';
import { type Comparison, compare, table } from './stats.ts';
import { type TickGuest, tickGuest } from './tick-guest.ts';

/** One way to migrate. */
interface Case {
  readonly guest: TickGuest;
  readonly memoryMiB: number;
  readonly parameters?: Readonly<Record<string, unknown>>;
  readonly capabilities?: readonly string[];
  readonly limitMs?: number;
  /** What else each side needs before the migration. */
  readonly prepare?: (vm: Vm, endpoint: 'client' | 'server') => Promise<void>;
  /** `plain`: it is compared with our own migration without {@link Case.prepare}, instead of with QEMU's. */
  readonly against?: 'plain';
  /** Whether the bytes that were sent are compared too. */
  readonly compareBytes?: boolean;
}

const MB = 1_000_000;
const CASES: Readonly<Record<string, Case>> = {
  idle: { guest: {}, memoryMiB: 1024 },
  full: { guest: { filledMiB: 900 }, memoryMiB: 1024, parameters: { 'max-bandwidth': 0 } },
  busy: { guest: { filledMiB: 600, busy: true }, memoryMiB: 1024 },
  busyFast: { guest: { filledMiB: 900, busy: true }, memoryMiB: 1024, parameters: { 'max-bandwidth': 0 } },
  dirty50small: { guest: { filledMiB: 200, dirtyRate: 50 * MB }, memoryMiB: 256 },
  dirty50: { guest: { filledMiB: 600, dirtyRate: 50 * MB }, memoryMiB: 1024 },
  dirty200: {
    guest: { filledMiB: 600, dirtyRate: 200 * MB },
    memoryMiB: 1024,
    parameters: { 'max-bandwidth': 0 },
  },
  converge: {
    guest: { filledMiB: 600, dirtyRate: 200 * MB },
    memoryMiB: 1024,
    parameters: { 'max-bandwidth': 100 * MB },
    capabilities: ['auto-converge'],
    limitMs: 300_000,
  },
  xbzrle: XBZRLE_CASE,
  ...MULTIFD_CASES,
  ...TLS_CASES,
};

/** What one migration was like. */
interface Outcome {
  /** Longest time without a tick, in ms. */
  readonly silence: number;
  /** What the source reports, in ms. */
  readonly downtime: number;
  readonly total: number;
  readonly bytesPerSecond: number;
  /** Work done per second while it ran, relative to before. */
  readonly speed: number;
  readonly throttle: number;
  readonly rounds: number;
}

interface Info {
  readonly status: string;
  readonly downtime?: number;
  readonly 'total-time'?: number;
  readonly 'cpu-throttle-percentage'?: number;
  readonly ram?: { readonly transferred: number; readonly 'dirty-sync-count': number };
  readonly 'error-desc'?: string;
}

const { values } = parseArgs({
  options: {
    pairs: { type: 'string', default: '7' },
    only: { type: 'string', default: [...Object.keys(CASES), 'codec'].join() },
    peer: { type: 'string', default: 'qemu-new' },
    trace: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
});

/** Notes when ticks and work arrived. */
class Stamps {
  readonly ticks: number[] = [];
  readonly work: number[] = [];
  #seen = 0;

  listen(vm: Vm): this {
    vm.onSerial = () => {
      const now = performance.now();
      const { serial } = vm;
      let [ticked, worked] = [false, false];
      for (; this.#seen < serial.length; this.#seen++) {
        if (serial[this.#seen] === '.') ticked = true;
        else if (serial[this.#seen] === 'w') worked = true;
        if (serial[this.#seen] === 'w') this.work.push(now);
      }
      if (ticked || worked) this.ticks.push(now);
    };
    return this;
  }
}

/** A busy guest is measured against itself, so its speed must have settled. */
const WARM_UP_MS = { resting: 1500, busy: 6000 };

async function measure(program: 'sterna' | 'qemu-new', image: string, given: Case): Promise<Outcome> {
  const args = ['-M', 'microvm', '-m', String(given.memoryMiB), '-kernel', image];
  await using source = await Vm.start(program, args);
  const before = new Stamps().listen(source);
  await source.says('R', 60_000);
  await using destination = await Vm.start(program, [...args, '-incoming', 'defer']);
  const after = new Stamps().listen(destination);
  for (const vm of [source, destination]) {
    if (given.parameters !== undefined) await vm.qmp.executeAny('migrate-set-parameters', given.parameters);
    const capabilities = (given.capabilities ?? []).map((capability) => ({ capability, state: true }));
    await vm.qmp.executeAny('migrate-set-capabilities', { capabilities });
    await given.prepare?.(vm, vm === source ? 'client' : 'server');
  }
  await delay(given.guest.busy === true ? WARM_UP_MS.busy : WARM_UP_MS.resting);
  const uri = `unix:${destination.directory}/m`;
  await destination.qmp.executeAny('migrate-incoming', { uri });
  const began = performance.now();
  await source.qmp.executeAny('migrate', { uri });
  let throttle = 0;
  const limit = began + (given.limitMs ?? 60_000);
  for (let info: Info; ; await delay(50)) {
    info = (await source.qmp.executeAny('query-migrate')) as Info;
    const now = info['cpu-throttle-percentage'] ?? 0;
    if (values.trace && now > throttle)
      say(`${program}: throttled to ${now} % after ${Math.round(performance.now() - began)} ms`);
    throttle = Math.max(throttle, now);
    if (info.status === 'failed' || performance.now() > limit) throw new Error(`${program}: ${JSON.stringify(info)}`);
    if (info.status !== 'completed') continue;
    await destination.until('ticks', () => after.ticks.length > 300);
    const total = info['total-time']!;
    return {
      silence: longestGap([...before.ticks, ...after.ticks].filter((at) => at >= began)),
      downtime: info.downtime!,
      total,
      bytesPerSecond: (info.ram!.transferred * 1000) / total,
      speed: workRate(before.work, began, began + total) / workRate(before.work, began - 1000, began),
      throttle,
      rounds: info.ram!['dirty-sync-count'],
    };
  }
}

function longestGap(times: readonly number[]): number {
  let gap = 0;
  for (let i = 1; i < times.length; i++) gap = Math.max(gap, times[i]! - times[i - 1]!);
  return gap;
}

function workRate(times: readonly number[], from: number, to: number): number {
  const inside = times.filter((at) => at >= from && at <= to);
  if (inside.length < 2) return Number.NaN;
  return (inside.length - 1) / (inside.at(-1)! - inside[0]!);
}

const directory = mkdtempSync(join(tmpdir(), 'sterna-migrate-'));
const rows: Comparison[] = [];
const say = (line: string) => void process.stderr.write(`${line}\n`);
const only = values.only.split(',');
try {
  for (const name of only.filter((one) => one !== 'codec')) {
    const given = CASES[name];
    if (given === undefined) throw new Error(`no case '${name}'; there are ${Object.keys(CASES).join()}, codec`);
    const image = join(directory, name);
    writeFileSync(image, tickGuest(given.guest));
    const outcomes: Record<'ours' | 'peer', Outcome[]> = { ours: [], peer: [] };
    for (let pair = 0; pair < Number(values.pairs); pair++) {
      const { prepare: _, ...plain } = given;
      if (given.against === 'plain') outcomes.peer.push(await measure('sterna', image, plain));
      else if (values.peer !== 'none') outcomes.peer.push(await measure('qemu-new', image, given));
      outcomes.ours.push(await measure('sterna', image, given));
      for (const side of ['peer', 'ours'] as const)
        if (outcomes[side].length > 0) say(`${name} ${side} ${JSON.stringify(rounded(outcomes[side].at(-1)!))}`);
    }
    rows.push(...comparisons(name, given, outcomes.ours, outcomes.peer));
  }
  if (only.includes('codec')) say(JSON.stringify({ ...(await codecFigures()), ...scanFigures() }));
} finally {
  rmSync(directory, { recursive: true });
}
console.log(values.json ? JSON.stringify(rows) : table(rows));

function comparisons(
  name: string,
  { guest, parameters, compareBytes, against }: Case,
  ours: readonly Outcome[],
  peer: readonly Outcome[],
) {
  const row = (figure: string, unit: string, pick: (outcome: Outcome) => number, lowerIsBetter = true) =>
    compare(
      `${name}: ${figure}`,
      unit,
      against ?? values.peer,
      ours.map(pick),
      (peer.length > 0 ? peer : ours).map(pick),
      lowerIsBetter,
    );
  const found = [row('longest silence', 'ms', (o) => o.silence), row('total time', 'ms', (o) => o.total)];
  if (parameters?.['max-bandwidth'] === 0) found.push(row('rate', 'MB/s', (o) => o.bytesPerSecond / MB, false));
  if (compareBytes === true) found.push(row('sent', 'MB', (o) => (o.bytesPerSecond * o.total) / 1000 / MB));
  if (guest.busy === true) found.push(row('guest speed', '%', (o) => o.speed * 100, false));
  return found;
}

function rounded(outcome: Outcome): Record<string, number> {
  return Object.fromEntries(Object.entries(outcome).map(([key, value]) => [key, Math.round(value * 100) / 100]));
}
