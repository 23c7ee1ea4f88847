import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { missing, ROOT, SHARED } from '../../support/peers.ts';
import { checkPattern, PatternPair, PatternVm, SOON } from './pattern-pair.ts';
import { type Direction, type Row, SELF } from './row.ts';

/** A smaller region than usual, for readers that take their time. */
const ANALYZED = { firstMiB: 1, lastMiB: 20 };
const READING = { encoding: 'utf8', maxBuffer: 2 ** 30 } as const;
const UUID = '11111111-1111-1111-1111-111111111111';
const OTHER_UUID = '22222222-2222-2222-2222-222222222222';

async function validateUuid(source: string | undefined, destination: string | undefined, fits: boolean): Promise<void> {
  const uuid = (value: string | undefined) => (value === undefined ? [] : ['-uuid', value]);
  await using pair = await PatternPair.start({
    sourceArgs: uuid(source),
    destinationArgs: uuid(destination),
    capabilities: ['validate-uuid'],
  });
  await pair.source.boot();
  await pair.source.parameters(SOON);
  await pair.begin(`unix:${pair.path('mig')}`);
  if (fits) {
    await pair.finish();
    return;
  }
  await pair.source.status('failed');
  const { 'error-desc': reason } = await pair.destination.until('failed', ({ status }) => status === 'failed');
  expect(reason).toContain(UUID);
  expect(reason).toContain(OTHER_UUID);
  expect([await pair.source.runState(), await pair.destination.runState()]).toEqual(['running', 'inmigrate']);
  await pair.source.saysB();
}

async function validateUri(args: object): Promise<void> {
  await using pair = await PatternPair.start();
  await pair.source.boot();
  for (const [side, command] of [
    [pair.source, 'migrate'],
    [pair.destination, 'migrate-incoming'],
  ] as const) {
    await expect(side.qmp(command, args)).rejects.toThrow(/'?uri'?.*'?channels'?/);
    expect((await side.info()).status).toBeUndefined();
  }
  await pair.source.saysB();
}

const CHANNELS = {
  channels: [
    {
      'channel-type': 'main',
      addr: { transport: 'socket', type: 'inet', host: '127.0.0.1', port: '0' },
    },
  ],
};

async function badDestination(): Promise<void> {
  await using pair = await PatternPair.start();
  const { source } = pair;
  await source.boot();
  await source.qmp('migrate', { uri: 'tcp:127.0.0.1:0' }).catch(() => {});
  const { 'error-desc': reason } = await source.status('failed');
  expect(reason).toBeTruthy();
  expect(await source.runState()).toBe('running');
  await source.saysB();
}

async function autoConverge(): Promise<void> {
  const [initial, increment, most] = [5, 25, 95];
  await using pair = await PatternPair.start({ capabilities: ['auto-converge'] });
  const { source } = pair;
  await source.boot();
  await source.parameters({
    'cpu-throttle-initial': initial,
    'cpu-throttle-increment': increment,
    'max-cpu-throttle': most,
    'throttle-trigger-threshold': 50,
    'max-bandwidth': 200_000_000,
    'downtime-limit': 1,
  });
  await pair.begin(`unix:${pair.path('mig')}`);
  const first = await source.until('throttling', (info) => (info['cpu-throttle-percentage'] ?? 0) > 0);
  expect(first['cpu-throttle-percentage']).toBeGreaterThanOrEqual(initial);
  const from = first['cpu-throttle-percentage']!;
  const more = await source.until('more throttling', (info) => (info['cpu-throttle-percentage'] ?? 0) > from);
  expect(more['cpu-throttle-percentage']).toBeLessThanOrEqual(most);
  expect([more.status, await source.runState()]).toEqual(['active', 'running']);
  await source.parameters(SOON);
  await pair.finish();
  expect((await source.info())['cpu-throttle-percentage'] ?? 0).toBe(0);
}

/** Reads the stream of a live migration with readers that are not the loader, the memory in it included. */
async function analyze({ from }: Direction): Promise<void> {
  await using source = await PatternVm.start(from, ['-S'], { guest: { lastMiB: ANALYZED.lastMiB } });
  await source.boot();
  await source.parameters(SOON);
  const [file, memory] = ['stream', 'memory'].map((name) => join(source.vm.directory, name)) as [string, string];
  // Every version of QEMU can write to a command.
  await source.qmp('migrate', { uri: `exec:cat > ${file}` });
  await source.status('completed');
  const sterna = join(ROOT, 'node_modules/.bin/sterna');
  const { status, stdout, stderr } = spawnSync(sterna, ['stream', 'inspect', file], READING);
  expect([status, stderr]).toEqual([0, '']);
  for (const name of ['ram', 'timer', 'cpu', 'apic', 'serial', 'globalstate']) expect(stdout).toContain(name);
  if (missing({ shared: true, programs: ['python3'] }) !== '') return;
  const script = join(SHARED, 'tools/qemu-stream.py');
  const run = spawnSync('python3', [script, '--ram-out', `microvm.ram=${memory}`, '--sections', file], READING);
  expect([run.status, run.stderr]).toEqual([0, '']);
  const first = ANALYZED.firstMiB * 2 ** 20;
  checkPattern(readFileSync(memory).subarray(first, ANALYZED.lastMiB * 2 ** 20), first);
}

/** What is not about a transport. */
export const MISC_ROWS: readonly Row[] = [
  {
    name: 'auto_converge',
    proves: 'throttling begins at its first percentage, rises, and is over with the migration',
    run: autoConverge,
  },
  {
    name: 'validate_uuid',
    proves: 'equal UUIDs pass',
    run: () => validateUuid(UUID, UUID, true),
  },
  {
    name: 'validate_uuid_error',
    proves: 'different ones do not; both are named, the guest runs on',
    run: () => validateUuid(UUID, OTHER_UUID, false),
  },
  {
    name: 'validate_uuid_src_not_set',
    proves: 'a source without one passes',
    directions: [],
    longDirections: [SELF],
    run: () => validateUuid(undefined, UUID, true),
  },
  {
    name: 'validate_uuid_dst_not_set',
    proves: 'a destination without one passes',
    directions: [],
    longDirections: [SELF],
    run: () => validateUuid(UUID, undefined, true),
  },
  {
    name: 'validate_uri/channels/both_set',
    proves: 'uri and channels together are refused',
    run: () => validateUri({ uri: 'tcp:127.0.0.1:0', ...CHANNELS }),
  },
  { name: 'validate_uri/channels/none_set', proves: 'neither of them is refused', run: () => validateUri({}) },
  { name: 'bad_dest', proves: 'a failed connection ends in failed, the guest runs on', run: badDestination },
  {
    name: 'analyze-script',
    proves: 'another reader of the stream understands it',
    note: "the memory in the stream included; `sterna stream inspect` and `../shared/tools/qemu-stream.py` in place of QEMU's script",
    directions: [SELF, { from: 'qemu-7.2', to: 'sterna' }],
    run: analyze,
  },
];
