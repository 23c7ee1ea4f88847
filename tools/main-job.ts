/**
 * `npm start`, the main job: boots a guest, then moves it, running, to a second process over a unix socket while a
 * counter in the guest keeps counting.
 *
 *   npm start [-- --json] [-- --guest linux|tiny]
 *
 * With --json the only output on stdout is one line with the figures. Ends with 0 only if no tick was lost.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { MigrationInfo } from '@sterna/migration';
import type { QmpClient } from '@sterna/qmp';
import { chooseGuest, type Guest } from './main-job/guest.ts';
import { delay, MachineProcess } from './main-job/machine.ts';
import { checkTicks, type TickCheck } from './main-job/ticks.ts';

/** Ticks before and after the move. */
const TICKS_BEFORE = 50;
const TICKS_AFTER = 100;
const BOOT_LIMIT_MS = 300_000;
const MOVE_LIMIT_MS = 120_000;

/** The figures of a run; times in ms. */
interface Figures {
  readonly guest: string;
  readonly bootTime: number;
  readonly totalTime: number;
  readonly downtime: number;
  readonly bytes: number;
  readonly passes: number;
  readonly ticks: number;
  readonly lost: readonly string[];
  readonly ok: boolean;
}

const { values } = parseArgs({ options: { json: { type: 'boolean', default: false }, guest: { type: 'string' } } });
const json = values.json;
const guestName = values.guest;
if (guestName !== undefined && guestName !== 'linux' && guestName !== 'tiny') {
  console.error(`--guest ${guestName}: it is linux or tiny`);
  process.exit(2);
}

/** Whether the last thing on stdout was an unfinished line of the guest. */
let midLine = false;
const say = (line: string): void => {
  if (json) return;
  const text = `== ${line}`;
  process.stdout.write(`${midLine ? '\n' : ''}${process.stdout.isTTY ? `\x1b[1m${text}\x1b[0m` : text}\n`);
  midLine = false;
};
const directory = mkdtempSync(join(tmpdir(), 'sterna-start-'));
const machines: MachineProcess[] = [];
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => void leave(130));

let code = 1;
try {
  const guest = await chooseGuest(guestName, (line) => (json ? undefined : console.error(line)));
  const figures = await run(guest);
  if (json) process.stdout.write(`${JSON.stringify(figures)}\n`);
  else summarize(figures);
  code = figures.ok ? 0 : 1;
} catch (error) {
  console.error(`npm start: ${error instanceof Error ? error.message : String(error)}`);
}
await leave(code);

async function run(guest: Guest): Promise<Figures> {
  say(`booting ${guest.name}${guest.note === undefined ? '' : ` (${guest.note})`}`);
  const source = start('source', guest.args);
  await source.until('the counter in the guest', () => /TICK 1 [^\n]*\n/.test(source.serial), BOOT_LIMIT_MS);
  const bootTime = performance.now() - source.startedAt;
  await source.until('more ticks', () => checkTicks(source.serial).count >= TICKS_BEFORE, MOVE_LIMIT_MS);

  say('starting a second process and moving the guest there');
  const destination = start('destination', [...guest.args, '-incoming', 'defer']);
  const [from, to] = [await source.connect(), await destination.connect()];
  const uri = `unix:${join(directory, 'migration')}`;
  const { info, passes } = await move(from, to, uri);
  if (info.status !== 'completed')
    throw new Error(`the migration ${info.status}: ${info['error-desc'] ?? 'no reason given'}`);
  say(`moved: ${describe(info, passes)}`);

  const arrived = checkTicks(destination.serial).count;
  await destination.until(
    'ticks after the move',
    () => checkTicks(destination.serial).count >= arrived + TICKS_AFTER,
    MOVE_LIMIT_MS,
  );
  from.close();
  to.close();
  // The source's last bytes arrive here before its process goes.
  await source.end();
  await destination.end();
  const check = checkTicks(source.serial + destination.serial);
  return figuresOf(guest, bootTime, info, passes, check);
}

function start(name: string, args: readonly string[]): MachineProcess {
  const machine = new MachineProcess(name, directory, args);
  machines.push(machine);
  if (!json) {
    machine.onSerial = (text) => {
      process.stdout.write(text);
      midLine = !text.endsWith('\n');
    };
  }
  return machine;
}

/** Moves the guest and shows each pass over its memory. */
async function move(from: QmpClient, to: QmpClient, uri: string): Promise<{ info: MigrationInfo; passes: number }> {
  let passes = 0;
  from.onEvent(({ event, data }) => {
    if (event === 'MIGRATION_PASS') passes = Number(data?.['pass']);
  });
  const capabilities = [{ capability: 'events', state: true }] as const;
  await from.execute('migrate-set-capabilities', { capabilities });
  await to.execute('migrate-set-capabilities', { capabilities });
  await to.execute('migrate-incoming', { uri });
  await from.execute('migrate', { uri });
  let shown = 0;
  for (;;) {
    const info = await from.execute('query-migrate');
    if (passes > shown) {
      shown = passes;
      say(`pass ${passes}: ${describe(info, passes)}`);
    }
    if (['completed', 'failed', 'cancelled'].includes(info.status ?? '')) return { info, passes };
    await delay(20);
  }
}

function describe({ ram, downtime, ...info }: MigrationInfo, passes: number): string {
  if (ram === undefined) return `${passes} passes`;
  const mib = (bytes: number) => `${(bytes / 2 ** 20).toFixed(1)} MiB`;
  const parts = [`${mib(ram.transferred)} sent`, `${mib(ram.remaining)} left`, `${(ram.mbps / 8).toFixed(1)} MB/s`];
  if (info['total-time'] !== undefined) parts.push(`${info['total-time']} ms`);
  if (downtime !== undefined) parts.push(`downtime ${downtime} ms`);
  return parts.join(', ');
}

function figuresOf(guest: Guest, bootTime: number, info: MigrationInfo, passes: number, check: TickCheck): Figures {
  return {
    guest: guest.name,
    bootTime: Math.round(bootTime),
    totalTime: info['total-time'] ?? -1,
    downtime: info.downtime ?? -1,
    bytes: info.ram?.transferred ?? -1,
    passes: Math.max(passes, info.ram?.['dirty-sync-count'] ?? 0),
    ticks: check.count,
    lost: check.faults,
    ok: check.faults.length === 0,
  };
}

function summarize(figures: Figures): void {
  const { bootTime, totalTime, downtime, bytes, passes, ticks, lost, ok } = figures;
  say(`guest:     ${figures.guest}`);
  say(`boot:      ${(bootTime / 1000).toFixed(1)} s until its counter started`);
  say(`migration: ${(bytes / 2 ** 20).toFixed(1)} MiB in ${totalTime} ms and ${passes} passes`);
  say(`downtime:  ${downtime} ms`);
  say(
    ok
      ? `counter:   ${ticks} ticks, none lost`
      : `counter:   ${ticks} ticks, NOT as they should be: ${lost.slice(0, 5).join('; ')}`,
  );
}

async function leave(exitCode: number): Promise<never> {
  await Promise.all(machines.map((machine) => machine.end()));
  rmSync(directory, { recursive: true, force: true });
  process.exit(exitCode);
}
