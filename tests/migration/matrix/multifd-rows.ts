import { expect } from 'vitest';
import { type Info, NEVER, type PairOptions, PatternPair, PatternVm, SOON } from './pattern-pair.ts';
import { type Direction, onlyPeer, type Row, SELF, withPeer } from './row.ts';

/** How a test's channels differ from the defaults. */
interface MultifdTest {
  readonly over?: 'uri' | 'channels' | 'unix';
  readonly parameters?: Readonly<Record<string, unknown>>;
}

/** Machines that understand each other: 7.2 wants its own synchronisation and zero pages. */
function options({ from, to }: Direction): PairOptions {
  const old = from === 'sterna' && to === 'qemu-7.2';
  return {
    from,
    to,
    capabilities: ['multifd'],
    ...(old ? { sourceMachine: 'microvm,acpi=off,wire=qemu-7.2' } : {}),
  };
}

function bytesOf(info: Info): number {
  return (info.ram as unknown as { readonly 'multifd-bytes': number } | undefined)?.['multifd-bytes'] ?? 0;
}

/** The `channels` argument for an address that `query-migrate` has shown. */
function channelsOf(uri: string): object {
  const [, host, port] = /^tcp:(.*):(\d+)$/.exec(uri)!;
  const addr = { transport: 'socket', type: 'inet', host, port };
  return { channels: [{ 'channel-type': 'main', addr }] };
}

async function connect(pair: PatternPair, over: 'uri' | 'channels' | 'unix'): Promise<void> {
  if (over === 'unix') return pair.begin(`unix:${pair.path('mig')}`);
  const listen = over === 'uri' ? { uri: 'tcp:127.0.0.1:0' } : channelsOf('tcp:127.0.0.1:0');
  await pair.destination.qmp('migrate-incoming', listen);
  const uri = await pair.tcpUri();
  await pair.source.qmp('migrate', over === 'uri' ? { uri } : channelsOf(uri));
}

async function multifd(direction: Direction, { over = 'uri', parameters = {} }: MultifdTest): Promise<void> {
  await using pair = await PatternPair.start(options(direction));
  const { source, destination } = pair;
  for (const side of [source, destination]) await side.parameters(parameters);
  await source.boot();
  await source.parameters(NEVER);
  await connect(pair, over);
  await pair.checkUnderWay();
  await source.parameters(SOON);
  await pair.finish();
  // Pages went over the channels, and their bytes are counted.
  const info = await source.info();
  expect(bytesOf(info)).toBeGreaterThan(info.ram!.transferred * 0.9);
}

/** A destination that is killed after a cancel is no obstacle for the next one. */
async function cancel(direction: Direction): Promise<void> {
  const given = options(direction);
  await using pair = await PatternPair.start(given);
  const { source } = pair;
  await source.boot();
  await source.parameters(NEVER);
  await connect(pair, 'uri');
  await pair.checkUnderWay();
  await source.qmp('migrate_cancel');
  await pair.destination[Symbol.asyncDispose]();
  await source.until('cancelled', ({ status }) => status === 'cancelled');
  await source.saysB();
  await using destination = await PatternVm.start(direction.to, ['-incoming', 'defer'], given);
  await destination.capability('multifd');
  const again = pair.withDestination(destination);
  await connect(again, 'uri');
  await again.checkUnderWay();
  await source.parameters(SOON);
  await again.finish();
}

/** A descriptor is one channel. */
async function descriptor({ from }: Direction): Promise<void> {
  await using pair = await PatternPair.start({ from, capabilities: ['multifd'] });
  const { source, destination } = pair;
  await source.boot();
  for (const uri of ['fd:7', 'exec:cat'])
    for (const [side, command] of [
      [source, 'migrate'],
      [destination, 'migrate-incoming'],
    ] as const)
      await expect(side.qmp(command, { uri })).rejects.toThrow(/multi-channel|several channels/);
  await source.saysB();
  expect(await source.runState()).toBe('running');
}

const BOTH = [...withPeer('qemu-new'), ...onlyPeer('qemu-7.2')];

/** QEMU's tests of several channels. */
export const MULTIFD_ROWS: readonly Row[] = [
  {
    name: 'multifd/tcp/uri/plain/none',
    proves: 'sixteen channels, by URI',
    directions: [SELF],
    longDirections: onlyPeer('qemu-new'),
    run: (direction) => multifd(direction, { parameters: { 'multifd-channels': 16 } }),
  },
  {
    name: 'multifd/tcp/channels/plain/none',
    proves: 'several channels, by the argument `channels`',
    note: 'QEMU 7.2 has no such argument',
    directions: [SELF],
    longDirections: onlyPeer('qemu-new'),
    run: (direction) => multifd(direction, { over: 'channels' }),
  },
  {
    name: 'multifd/unix/plain/none',
    proves: 'several channels over a unix socket',
    note: 'not in QEMU 10.0',
    directions: BOTH,
    run: (direction) => multifd(direction, { over: 'unix' }),
  },
  ...(['zlib', 'zstd'] as const).map((compression) => ({
    name: `multifd/tcp/plain/${compression}`,
    proves: 'compressed channels',
    directions: [SELF],
    longDirections: BOTH.slice(1),
    run: (direction: Direction) =>
      multifd(direction, { parameters: { 'multifd-compression': compression, [`multifd-${compression}-level`]: 2 } }),
  })),
  {
    name: 'multifd/tcp/plain/qatzip, qpl, uadk',
    proves: 'channels compressed by hardware',
    instead: 'refused by name: this host has none of it',
  },
  ...(['legacy', 'none'] as const).map((where) => ({
    name: `multifd/tcp/plain/zero-page/${where}`,
    proves: where === 'legacy' ? 'zero pages are found beside the main channel' : 'nobody looks for zero pages',
    directions: [SELF],
    longDirections: onlyPeer('qemu-new'),
    run: (direction: Direction) => multifd(direction, { parameters: { 'zero-page-detection': where } }),
  })),
  {
    name: 'multifd/tcp/plain/cancel',
    proves: 'cancel, the destination is killed, a second migration succeeds',
    directions: [SELF],
    longDirections: onlyPeer('qemu-new'),
    run: cancel,
  },
  { name: 'multifd/fd', proves: 'a descriptor or a command is refused', note: 'ours', run: descriptor },
];
