import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { connectedPair, fdOf, PASSING, PassingClient } from '../../support/passing-client.ts';
import { NEVER, type PairOptions, PatternPair, SOON } from './pattern-pair.ts';
import { type Direction, onlyPeer, type Row, SELF, withPeer } from './row.ts';

/** The standard test: the migration first cannot end, then may. */
async function live(
  options: PairOptions,
  begin: (pair: PatternPair) => Promise<void>,
  meanwhile: (pair: PatternPair) => Promise<void> = async () => {},
): Promise<void> {
  await using pair = await PatternPair.start(options);
  await pair.source.boot();
  await pair.source.parameters(NEVER);
  await begin(pair);
  await pair.checkUnderWay();
  await meanwhile(pair);
  await pair.source.parameters(SOON);
  await pair.finish();
}

/** Waits for a round over RAM to end while a further one is certain, as QEMU does before it lets a migration end. */
async function furtherRounds({ source }: PatternPair): Promise<void> {
  await source.parameters({ 'max-bandwidth': 0 });
  const before = (await source.info()).ram!['dirty-sync-count'];
  await source.until('two more rounds', ({ ram }) => ram!['dirty-sync-count'] >= before + 2);
  expect((await source.info()).status).toBe('active');
}

async function overTcp(pair: PatternPair): Promise<void> {
  await pair.destination.qmp('migrate-incoming', { uri: 'tcp:127.0.0.1:0' });
  await pair.source.qmp('migrate', { uri: await pair.tcpUri() });
}

async function fdTcp(direction: Direction): Promise<void> {
  await live({ ...direction, args: PASSING }, async ({ source, destination }) => {
    const [out, into] = [await PassingClient.connect(source.vm), await PassingClient.connect(destination.vm)];
    const pair = await connectedPair();
    await into.execute('getfd', { fdname: 'fd-mig' }, [fdOf(pair[0])]);
    await out.execute('getfd', { fdname: 'fd-mig' }, [fdOf(pair[1])]);
    for (const socket of pair) socket.destroy();
    // A name belongs to the monitor that got it.
    await into.execute('migrate-incoming', { uri: 'fd:fd-mig' });
    await out.execute('migrate', { uri: 'fd:fd-mig' });
    await expect(out.execute('closefd', { fdname: 'fd-mig' })).rejects.toThrow('not found');
    for (const client of [out, into]) client.close();
  });
}

async function fdFile(direction: Direction): Promise<void> {
  await using pair = await PatternPair.start({ ...direction, args: PASSING });
  const { source, destination } = pair;
  const file = pair.path('stream');
  const pass = async (side: typeof source, flags: 'w' | 'r', command: string): Promise<void> => {
    const client = await PassingClient.connect(side.vm);
    const fd = openSync(file, flags);
    await client.execute('getfd', { fdname: 'fd-mig' }, [fd]);
    closeSync(fd);
    await client.execute(command, { uri: 'fd:fd-mig' });
    client.close();
  };
  await source.boot();
  await source.parameters(SOON);
  await pass(source, 'w', 'migrate');
  await source.status('completed');
  await pass(destination, 'r', 'migrate-incoming');
  await pair.finish();
}

const STUB = 'vfio-stub,id=v0,size=6M,initial-size=4M';

/** QEMU 11.1 counts one acknowledgement for each device of the source; we do so in its wire generation, or when told. */
const ACK_EACH = ['-global', 'migration.switchover-ack-legacy=off'];

async function switchoverAck(direction: Direction): Promise<void> {
  const stub = direction.from === 'sterna' && direction.to === 'sterna';
  await live(
    {
      ...direction,
      capabilities: ['return-path', 'switchover-ack'],
      args: stub ? ['-device', STUB] : [],
      sourceArgs: direction.from === 'sterna' && !stub ? ACK_EACH : [],
      destinationArgs: direction.to === 'sterna' && !stub ? ACK_EACH : [],
    },
    overTcp,
  );
}

const SLEEP = ['--plugin', join(import.meta.dirname, 'sleep-device.ts'), '-device', 'sleep-control,mmio=0xfea00200'];

/** A guest that sleeps moves in its sleep, and wakes up where it has got to. */
async function suspended(stopFirst: boolean): Promise<void> {
  await using pair = await PatternPair.start({ args: SLEEP, guest: { suspend: true } });
  const { source, destination } = pair;
  await source.boot();
  await source.event('SUSPEND');
  expect(await source.runState()).toBe('suspended');
  if (stopFirst) await source.qmp('stop');
  await source.parameters(SOON);
  await pair.begin(`unix:${pair.path('mig')}`);
  await source.status('completed');
  await destination.status('completed');
  if (stopFirst) {
    expect(await destination.runState()).toBe('paused');
    await destination.qmp('cont');
  }
  expect([await source.runState(), await destination.runState()]).toEqual(['postmigrate', 'suspended']);
  expect(destination.vm.serial).toBe('');
  await destination.qmp('system_wakeup');
  await destination.event('WAKEUP');
  await destination.saysB();
  await destination.checkMemory();
}

/**
 * RAM is never clean, and 32 MiB are sent in a second; only the missing approval holds the switchover. How long it may
 * take is said on simulated time, where no busy host disturbs.
 */
async function starvation(): Promise<void> {
  await using pair = await PatternPair.start({
    capabilities: ['return-path', 'switchover-ack'],
    args: ['-device', 'vfio-stub,id=v0,size=18M,initial-size=16M,load-rate=1M'],
  });
  const { source } = pair;
  await source.boot();
  await source.parameters({ 'max-bandwidth': 32 * 2 ** 20, 'downtime-limit': 30_000 });
  await overTcp(pair);
  await pair.finish();
}

/** QEMU's tests of migration over streams, without those of features that have not landed. */
export const PRECOPY_ROWS: readonly Row[] = [
  {
    name: 'precopy/unix/plain',
    proves: 'the basic stream over a unix socket',
    note: 'with further rounds over RAM',
    directions: withPeer('qemu-7.2'),
    longDirections: onlyPeer('qemu-new'),
    run: (direction) => live(direction, (pair) => pair.begin(`unix:${pair.path('mig')}`), furtherRounds),
  },
  {
    name: 'precopy/tcp/plain',
    proves: 'the basic stream over tcp',
    directions: [SELF],
    longDirections: [...onlyPeer('qemu-7.2'), ...onlyPeer('qemu-new')],
    run: (direction) => live(direction, overTcp),
  },
  {
    name: 'precopy/fd/tcp',
    proves: 'the basic stream over passed sockets',
    directions: [SELF],
    longDirections: onlyPeer('qemu-7.2'),
    run: fdTcp,
  },
  {
    name: 'precopy/fd/file',
    proves: 'the basic stream through a passed file',
    directions: [],
    longDirections: withPeer('qemu-7.2'),
    run: fdFile,
  },
  {
    name: 'precopy/tcp/plain/switchover-ack',
    proves: 'the switchover waits for the acknowledgement',
    note: 'from Sterna to Sterna with a device that has initial data, as VFIO; QEMU has none; to and from 11.1 with `-global migration.switchover-ack-legacy=off` on our side',
    directions: [SELF],
    longDirections: onlyPeer('qemu-new'),
    run: switchoverAck,
  },
  {
    name: '(none) starvation',
    proves: "RAM that is never clean does not keep a device's initial data from being sent, at 32 MiB/s",
    note: 'not in QEMU; on simulated time in `tests/migration/starvation.test.ts`',
    directions: [],
    longDirections: [SELF],
    run: starvation,
  },
  {
    name: 'precopy/unix/suspend/live',
    proves: 'a sleeping guest moves in its sleep and wakes up',
    note: 'S3 by a device of the test, since microvm has none',
    run: () => suspended(false),
  },
  {
    name: 'precopy/unix/suspend/notlive',
    proves: 'so does one that was stopped in its sleep',
    note: 'S3 by a device of the test, since microvm has none',
    run: () => suspended(true),
  },
];
