import { mkdtemp, rm } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { MigrationCounters } from '../../src/info.ts';
import { ThreadChannel } from '../../src/node/thread-channel.ts';
import { RamArea } from '../../src/ram/blocks.ts';
import { RamSaver } from '../../src/ram/save.ts';
import { StreamWriter } from '../../src/stream/writer.ts';
import { FakeHost } from '../support/fake-host.ts';
import { BLOCKS } from '../support/pair.ts';

let directory: string;
let server: net.Server;
let accepted: Promise<net.Socket>;
let target: { kind: 'unix'; path: string };
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'sterna-thread-'));
  target = { kind: 'unix', path: join(directory, 's') };
  server = net.createServer({ pauseOnConnect: true });
  accepted = new Promise((resolve) => server.once('connection', resolve));
  await new Promise<void>((resolve) => server.listen(target.path, resolve));
});
afterEach(async () => {
  (await Promise.race([accepted, undefined]))?.destroy();
  server.close();
  await rm(directory, { recursive: true });
});

const never = new AbortController().signal;

/** A machine whose RAM is full, with all of it marked. */
function source(channel: ThreadChannel) {
  const host = new FakeHost('running', BLOCKS);
  const { hostOffset, usedLength } = host.block('fake.ram');
  for (let at = 0; at < usedLength; at += 4096) host.guestWrite(hostOffset + at, 1 + ((at / 4096) % 200));
  const area = new RamArea(host);
  const ram = new RamSaver(host, area, new MigrationCounters());
  ram.mark();
  ram.sync();
  return { ram, sender: channel.pageSender(ram.plan), writer: new StreamWriter(channel, area.stream) };
}

/** Everything the other side receives, up to the end. */
async function received(): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of await accepted) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

test('pages stand in the stream where the writer has got to', async () => {
  const channel = await ThreadChannel.open('s', target, never);
  const all = received();
  const { ram, sender, writer } = source(channel);
  writer.u32(0x11223344);
  await ram.send(sender, writer, { bytes: 100_000, ms: 1000 });
  writer.bytes(Buffer.from('between'));
  await ram.sendAll(sender, writer, never);
  writer.bytes(Buffer.from('behind'));
  await writer.flushed();
  await channel.end();
  await channel.close();
  const bytes = await all;
  expect(bytes.length).toBe(writer.transferred);
  expect(bytes.readUInt32BE(0)).toBe(0x11223344);
  expect(bytes.subarray(-6).toString()).toBe('behind');
  const middle = bytes.indexOf('between');
  expect(middle).toBeGreaterThan(100_000);
  expect(middle).toBeLessThan(106_000);
  // Each page of 4 MiB whole, once.
  expect(bytes.length).toBeGreaterThan(4 * 2 ** 20);
  expect(ram.remaining).toBe(0);
});

test('an abort while nobody reads ends what is under way, with the reason', async () => {
  const channel = await ThreadChannel.open('s', target, never);
  const { ram, sender, writer } = source(channel);
  const sending = ram.sendAll(sender, writer, never);
  sending.catch(() => {});
  await new Promise((resolve) => setTimeout(resolve, 50));
  channel.abort(new Error('enough'));
  await expect(sending).rejects.toThrow('enough');
  await expect(channel.write(Uint8Array.of(1))).rejects.toThrow('enough');
  await expect(channel.read()).rejects.toThrow('enough');
});

test('a peer that goes away is an error of the transport', async () => {
  const channel = await ThreadChannel.open('s', target, never);
  const { ram, sender, writer } = source(channel);
  (await accepted).destroy();
  await expect(ram.sendAll(sender, writer, never)).rejects.toMatchObject({ code: 'STERNA_ERR_TRANSPORT' });
  channel.abort(new Error('over'));
});

test('what the other side says comes back, and its end', async () => {
  const channel = await ThreadChannel.open('s', target, never);
  const other = await accepted;
  other.write('abc');
  expect(Buffer.from((await channel.read())!).toString()).toBe('abc');
  const ended = channel.read();
  other.end();
  expect(await ended).toBeUndefined();
  await channel.end();
  await channel.close();
});

test('an attempt to connect can be given up', async () => {
  const given = new AbortController();
  // Nobody answers at an address of the documentation's network.
  const opening = ThreadChannel.open('far', { kind: 'inet', host: '192.0.2.1', port: 9 }, given.signal);
  opening.catch(() => {});
  setTimeout(() => given.abort(new Error('never mind')), 50);
  await expect(opening).rejects.toThrow();
});
