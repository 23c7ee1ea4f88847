/** What a destination makes of a good stream in which one thing was changed. */
import type { LiveHandlers, VmStateTable } from '@sterna/core';
import { describe, expect, test } from 'vitest';
import { COMMAND, SECTION } from '../../src/stream/constants.ts';
import type { MigrationChannel } from '../../src/transport/channel.ts';
import { Feeder } from '../support/codec.ts';
import { Pair } from '../support/pair.ts';

/** A channel whose writes are kept. */
function recorded(inner: MigrationChannel, chunks: Uint8Array[]): MigrationChannel {
  return {
    name: inner.name,
    bidirectional: inner.bidirectional,
    write: (bytes) => {
      chunks.push(bytes.slice());
      return inner.write(bytes);
    },
    read: () => inner.read(),
    end: () => inner.end(),
    abort: (reason) => inner.abort(reason),
    close: () => inner.close(),
  };
}

/** All bytes of a migration. */
async function streamOf(pair: Pair): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  const both = pair.start((channel) => recorded(channel, chunks));
  await pair.loop.run(Promise.all([both.out, both.in]));
  return Buffer.concat(chunks);
}

function load(bytes: Uint8Array): Promise<unknown> {
  const pair = new Pair();
  const loading = pair.in.migrateIncomingOverChannel(new Feeder(bytes, 5000));
  loading.catch(() => {});
  return pair.loop.run(loading);
}

describe('a stream is refused', () => {
  test('that is TLS, with what to do', async () => {
    await expect(load(Buffer.from('160301020001000001fc0303', 'hex'))).rejects.toThrow(
      'it begins with 0x16030102, not 0x5145564d; it is TLS, which needs tls-creds here too',
    );
  });

  test('whose footer is of another section, or none', async () => {
    const stream = await streamOf(new Pair());
    await load(stream);
    // The last section is the run state: its footer is before the end mark.
    const at = stream.lastIndexOf('globalstate', stream.indexOf('{"configuration"')) + 11 + 8 + 104;
    expect(stream[at]).toBe(SECTION.footer);
    const other = Buffer.from(stream);
    other[at + 4] = other[at + 4]! ^ 1;
    await expect(load(other)).rejects.toThrow(/section 'globalstate'.*footer is of section/);
    const none = Buffer.from(stream);
    none[at] = SECTION.full;
    await expect(load(none)).rejects.toThrow(/section 'globalstate'/);
  });
});

describe('a device with live phases and a table', () => {
  test('is one entry: all of its sections have its number', async () => {
    const pair = new Pair();
    const table: VmStateTable<{ value: number }> = { name: 'both', version: 2, fields: ({ u32 }) => [u32('value')] };
    const live: LiveHandlers<object> = { version: 1, saveComplete: () => {}, loadState: () => {} };
    const device = (value: number) => ({ idstr: 'both', instanceId: 0, vmstate: table, state: { value }, live });
    const arrived = device(0);
    pair.source.extra = [device(7)];
    pair.destination.extra = [arrived];
    const stream = await streamOf(pair);
    const named = [stream.indexOf('both'), stream.lastIndexOf('both', stream.indexOf('{"configuration"'))];
    // Type, number and length of the name are before it.
    expect(named.map((at) => stream[at - 6])).toEqual([SECTION.start, SECTION.full]);
    const [start, full] = named.map((at) => stream.readUInt32BE(at - 5));
    expect(full).toBe(start);
    expect(arrived.state.value).toBe(7);
  });
});

describe('the return path', () => {
  test('is opened with a ping that the destination answers', async () => {
    const pair = new Pair();
    for (const side of [pair.out, pair.in]) side.setCapabilities([{ capability: 'return-path', state: true }]);
    const stream = await streamOf(pair);
    const opening = Buffer.from([SECTION.command, 0, COMMAND.openReturnPath, 0, 0]);
    const ping = Buffer.from([SECTION.command, 0, COMMAND.ping, 0, 4, 0, 0, 0, 1]);
    expect(stream.indexOf(Buffer.concat([opening, ping]))).toBeGreaterThan(0);
  });

  test('carries the approval of the switchover only when every device has approved', async () => {
    const pair = new Pair();
    for (const side of [pair.out, pair.in])
      side.setCapabilities(['return-path', 'switchover-ack'].map((capability) => ({ capability, state: true })));
    const approvals: (() => void)[] = [];
    const live: LiveHandlers<object> = {
      version: 1,
      saveComplete: () => {},
      loadState: (_dev, _stream, { approveSwitchover }) => void approvals.push(approveSwitchover),
      switchoverAckNeeded: () => true,
    };
    for (const host of [pair.source, pair.destination])
      host.extra = ['one', 'two'].map((idstr) => ({ idstr, instanceId: 0, vmstate: 'stateless', state: {}, live }));
    const both = pair.start();
    const { pace } = pair.loop;
    const wait = () => pair.loop.run(pace.sleep(500, new AbortController().signal));
    await wait();
    expect([approvals.length, pair.out.query().status]).toEqual([2, 'active']);
    approvals[0]!();
    approvals[0]!();
    await wait();
    expect(pair.out.query().status).toBe('active');
    approvals[1]!();
    await pair.loop.run(Promise.all([both.out, both.in]));
    expect(pair.out.query().status).toBe('completed');
  });
});
