import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { nodeEventLoop } from '@sterna/core/node';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { MigrationController } from '../../src/controller.ts';
import { NodeMigrationTransport } from '../../src/node/transport.ts';
import { Pace } from '../../src/pace.ts';
import type { ListeningAddress } from '../../src/transport/channel.ts';
import { FakeHost } from '../support/fake-host.ts';
import { BLOCKS } from '../support/pair.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'sterna-migration-'));
});
afterEach(() => rm(directory, { recursive: true }));

const transport = new NodeMigrationTransport();
const pace = new Pace(nodeEventLoop, { monotonicNs: () => performance.now() * 1e6 });

/** A source with content in every block, and an empty destination. */
function machines() {
  const source = new FakeHost('running', BLOCKS);
  const { hostOffset, usedLength } = source.block('fake.ram');
  for (let at = 0; at < usedLength; at += 1000) source.guestWrite(hostOffset + at, (at % 251) + 1);
  source.counter.ticks = 77;
  const destination = new FakeHost('inmigrate', BLOCKS);
  return {
    source,
    destination,
    out: new MigrationController(source, { transport, pace }),
    in: new MigrationController(destination, { transport, pace }),
  };
}

function expectArrived({ source, destination }: ReturnType<typeof machines>): void {
  for (const [name] of BLOCKS) expect(Buffer.compare(destination.content(name), source.content(name))).toBe(0);
  expect([source.runState, destination.runState, destination.counter.ticks]).toEqual(['postmigrate', 'running', 77]);
}

/** Moves a guest between two listening machines. */
async function move(both: ReturnType<typeof machines>, uri: string): Promise<ListeningAddress> {
  const listening = Promise.withResolvers<void>();
  const arrived = both.in.migrateIncoming(uri, listening.resolve);
  await listening.promise;
  const bound = both.in.query()['socket-address']![0]!;
  const to = bound.type === 'unix' ? `unix:${bound.path}` : `tcp:${bound.host}:${bound.port}`;
  await Promise.all([both.out.migrate(to), arrived]);
  return bound;
}

describe('sockets', () => {
  test('a guest moves over a unix socket, and a stale socket file is no obstacle', async () => {
    const uri = `unix:${directory}/m.sock`;
    for (let round = 0; round < 2; round++) {
      const both = machines();
      await move(both, uri);
      expectArrived(both);
    }
  });

  test('a guest moves over tcp, to a port that the system chose', async () => {
    const both = machines();
    const bound = await move(both, 'tcp:127.0.0.1:0');
    expectArrived(both);
    expect(bound).toEqual({ type: 'inet', host: '127.0.0.1', port: expect.stringMatching(/^[1-9]/), ipv4: true });
    expect(both.in.query()['socket-address']).toBeUndefined();
  });

  test('a guest moves with a return path', async () => {
    const both = machines();
    for (const side of [both.out, both.in]) side.setCapabilities([{ capability: 'return-path', state: true }]);
    await move(both, `unix:${directory}/m.sock`);
    expectArrived(both);
  });

  test('a connection that nobody accepts fails and leaves the guest running', async () => {
    const both = machines();
    await expect(both.out.migrate(`unix:${directory}/nobody`)).rejects.toMatchObject({ code: 'STERNA_ERR_TRANSPORT' });
    expect(both.source.runState).toBe('running');
    expect(both.out.query()).toMatchObject({ status: 'failed', 'error-desc': expect.stringContaining('nobody') });
  });
});

describe('files and commands', () => {
  test('a guest is written to a file behind an offset and read from there', async () => {
    const path = `${directory}/state`;
    await writeFile(path, 'X'.repeat(5000));
    const both = machines();
    await both.out.migrate(`file:${path},offset=0x1000`);
    const bytes = await readFile(path);
    expect(bytes.subarray(0, 4096).toString()).toBe('X'.repeat(4096));
    expect(bytes.subarray(4096, 4100).toString()).toBe('QEVM');
    expect((await stat(path)).size).toBe(bytes.length);
    await both.in.migrateIncoming(`file:${path},offset=4K`);
    expectArrived(both);
  });

  test('a new file is for its owner only', async () => {
    const both = machines();
    await both.out.migrate(`file:${directory}/new`);
    expect((await stat(`${directory}/new`)).mode & 0o777).toBe(0o600);
  });

  test('a guest goes through commands', async () => {
    const both = machines();
    await both.out.migrate(`exec:gzip -1 > ${directory}/state.gz`);
    await both.in.migrateIncoming(`exec:gzip -dc ${directory}/state.gz`);
    expectArrived(both);
  });

  test('a command that fails at its end is a failed migration, and may have passed the guest on', async () => {
    const both = machines();
    await expect(both.out.migrate('exec:cat > /dev/null; exit 3')).rejects.toMatchObject({
      code: 'STERNA_ERR_OWNERSHIP_UNKNOWN',
      message: expect.stringContaining('status 3'),
    });
    expect(both.out.query().status).toBe('failed');
    expect(both.source.runState).toBe('postmigrate');
    await both.out.cont();
    expect(both.source.runState).toBe('running');
  });

  test('a missing file is said by name', async () => {
    const both = machines();
    await expect(both.in.migrateIncoming(`file:${directory}/none`)).rejects.toThrow(`${directory}/none`);
    expect(both.in.query().status).toBe('failed');
  });

  test('an unknown descriptor is refused', async () => {
    const both = machines();
    await expect(both.out.migrate('fd:nowhere')).rejects.toThrow("named 'nowhere'");
    await expect(both.out.migrate('fd:999')).rejects.toThrow('not open');
  });
});
