/** What a channel's thread does, without the thread: its port is one of the test's. */
import { EventEmitter } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { MigrationCounters } from '../../src/info.ts';
import type { ThreadAnswer, ThreadRequest, ThreadTarget } from '../../src/node/channel-thread-messages.ts';
import { RamArea } from '../../src/ram/blocks.ts';
import { RamLoader } from '../../src/ram/load.ts';
import { RamSaver } from '../../src/ram/save.ts';
import { StreamReader } from '../../src/stream/reader.ts';
import { Feeder } from '../support/codec.ts';
import { FakeHost } from '../support/fake-host.ts';

type Request = ThreadRequest extends infer R ? (R extends { id: number } ? Omit<R, 'id'> : never) : never;

/** The thread's side of the port, as the machine's loop sees it. */
class Port extends EventEmitter {
  readonly unref = vi.fn();
  #id = 0;
  readonly #waiting = new Map<number, (answer: ThreadAnswer) => void>();

  postMessage(answer: ThreadAnswer): void {
    this.#waiting.get(answer.id)?.(answer);
  }
  async ask(request: Request): Promise<ThreadAnswer['value']> {
    const id = this.#id++;
    const answer = new Promise<ThreadAnswer>((resolve) => this.#waiting.set(id, resolve));
    this.emit('message', { id, ...request });
    const { error, value } = await answer;
    if (error !== undefined) throw new Error(error);
    return value;
  }
}

async function thread(name: string, target: ThreadTarget): Promise<Port> {
  const port = new Port();
  vi.resetModules();
  vi.doMock('node:worker_threads', () => ({ parentPort: port, workerData: { name, target } }));
  await import('../../src/node/channel-thread.ts');
  return port;
}

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'sterna-thread-'));
});
afterEach(async () => {
  vi.doUnmock('node:worker_threads');
  await rm(directory, { recursive: true });
});

const BLOCKS: [string, number][] = [['ram', 3 * 2 ** 20]];

/** A machine with a full RAM, all of it marked. */
function machine() {
  const host = new FakeHost('running', BLOCKS);
  const { hostOffset, usedLength } = host.block('ram');
  for (let at = 0; at < usedLength; at += 4096) if (at % 3 !== 0) host.guestWrite(hostOffset + at, 1 + (at % 97));
  const ram = new RamSaver(host, new RamArea(host), new MigrationCounters());
  ram.mark();
  ram.sync();
  return { host, plan: ram.plan };
}

describe('a thread that writes to a file', () => {
  test('writes bytes, stretches of the memory and pages one behind the other', async () => {
    const path = join(directory, 'file');
    const fd = openSync(path, 'w+');
    const port = await thread('f', { kind: 'file', fd, position: 5 });
    await port.ask({ do: 'open' });
    const { host, plan } = machine();
    await port.ask({ do: 'plan', plan });
    await port.ask({ do: 'write', bytes: Buffer.from('first') });
    host.u8.set(Buffer.from('second'), plan.buffers.offset + 100);
    await port.ask({ do: 'write-memory', at: plan.buffers.offset + 100, length: 6 });
    let [zero, normal, bytes] = [0, 0, 0];
    for (;;) {
      const sent = await port.ask({ do: 'pages', budget: { bytes: 500_000, ms: 1000 } });
      if (typeof sent !== 'object' || sent instanceof Uint8Array) throw new Error('no figures');
      if (sent.bytes === 0) break;
      zero += sent.zero;
      normal += sent.normal;
      bytes += sent.bytes;
    }
    await port.ask({ do: 'end' });
    await port.ask({ do: 'close' });
    // Not at once: ending a thread takes time that a guest which has just moved wants itself.
    await vi.waitFor(() => expect(port.unref).toHaveBeenCalled(), { timeout: 10_000 });
    const written = (await readFile(path)).subarray(5);
    expect(written.subarray(0, 11).toString()).toBe('firstsecond');
    expect(zero + normal).toBe(768);
    expect(written.length).toBe(11 + bytes);
    // What was written loads as the same RAM.
    const target = new FakeHost('inmigrate', BLOCKS);
    const area = new RamArea(target);
    const eos = Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0x10);
    const reader = new StreamReader(new Feeder(Buffer.concat([written.subarray(11), eos]), 10_000), area.stream);
    await new RamLoader(target, area).load(reader);
    expect(host.differenceFrom(target)).toBeUndefined();
  });

  test('writes from where the file stands when nobody says where', async () => {
    const path = join(directory, 'file');
    const fd = openSync(path, 'a+');
    const port = await thread('f', { kind: 'file', fd, position: undefined });
    await port.ask({ do: 'open' });
    await port.ask({ do: 'write', bytes: Buffer.from('one') });
    await port.ask({ do: 'write', bytes: Buffer.from('two') });
    await expect(port.ask({ do: 'read' })).rejects.toThrow('f cannot be read');
    await port.ask({ do: 'close' });
    expect(await readFile(path, 'utf8')).toBe('onetwo');
  });

  test('keeps the first error', async () => {
    const fd = openSync('/dev/full', 'w');
    const port = await thread('full', { kind: 'file', fd, position: undefined });
    await port.ask({ do: 'open' });
    await expect(port.ask({ do: 'write', bytes: Buffer.from('x') })).rejects.toThrow(/^full: ENOSPC/);
    await expect(port.ask({ do: 'write', bytes: Buffer.from('x') })).rejects.toThrow('ENOSPC');
    await expect(port.ask({ do: 'end' })).rejects.toThrow('ENOSPC');
    await port.ask({ do: 'close' });
    await port.ask({ do: 'close' });
  });

  test('stops sending pages when the output breaks, or on an abort', async () => {
    const { plan } = machine();
    const full = await thread('full', { kind: 'file', fd: openSync('/dev/full', 'w'), position: undefined });
    await full.ask({ do: 'open' });
    await full.ask({ do: 'plan', plan });
    await expect(full.ask({ do: 'pages', budget: { bytes: 3_000_000, ms: 1000 } })).rejects.toThrow('ENOSPC');
    const other = machine();
    const fd = openSync(join(directory, 'f'), 'w');
    const port = await thread('f', { kind: 'file', fd, position: 0 });
    await port.ask({ do: 'open' });
    await port.ask({ do: 'plan', plan: other.plan });
    await port.ask({ do: 'abort', reason: 'enough' });
    await expect(port.ask({ do: 'pages', budget: { bytes: 1, ms: 1 } })).rejects.toThrow('enough');
    await expect(port.ask({ do: 'write', bytes: Buffer.from('x') })).rejects.toThrow('enough');
    expect(() => closeSync(fd)).toThrow('EBADF');
  });
});

describe('a thread that writes to a socket', () => {
  async function server(at: net.ListenOptions): Promise<{ server: net.Server; peer: Promise<net.Socket> }> {
    const listening = net.createServer({ allowHalfOpen: true });
    const peer = new Promise<net.Socket>((resolve) => listening.once('connection', resolve));
    await new Promise<void>((resolve) => listening.listen(at, resolve));
    return { server: listening, peer };
  }

  test.for(['unix', 'inet'] as const)('of kind %s writes, hears the answer, and ends', async (kind) => {
    const path = join(directory, 's');
    const { server: listening, peer } = await server(kind === 'unix' ? { path } : { host: '127.0.0.1', port: 0 });
    const { port: number } = kind === 'inet' ? (listening.address() as net.AddressInfo) : { port: 0 };
    const port = await thread('s', kind === 'unix' ? { kind, path } : { kind, host: '127.0.0.1', port: number });
    await port.ask({ do: 'open' });
    const socket = await peer;
    const heard = new Promise<Buffer>((resolve) => socket.once('data', resolve));
    await port.ask({ do: 'write', bytes: Buffer.from('question') });
    expect((await heard).toString()).toBe('question');
    socket.end('answer');
    expect(Buffer.from((await port.ask({ do: 'read' })) as Uint8Array).toString()).toBe('answer');
    expect(await port.ask({ do: 'read' })).toBeUndefined();
    await port.ask({ do: 'end' });
    await port.ask({ do: 'close' });
    listening.close();
  });

  test('that nobody listens at says so', async () => {
    const port = await thread('nowhere', { kind: 'unix', path: join(directory, 'nowhere') });
    await expect(port.ask({ do: 'open' })).rejects.toThrow(/cannot connect to nowhere: .*ENOENT/);
  });

  test('gives a connection back that opens after an abort', async () => {
    const path = join(directory, 's');
    const { server: listening, peer } = await server({ path });
    const port = await thread('s', { kind: 'unix', path });
    const opening = port.ask({ do: 'open' });
    opening.catch(() => {});
    await port.ask({ do: 'abort', reason: 'too late' });
    await expect(opening).rejects.toThrow('too late');
    const socket = await peer;
    await new Promise((resolve) => socket.resume().once('close', resolve).end());
    listening.close();
  });
});

describe('a thread that writes to a command', () => {
  test('ends when the command has taken everything', async () => {
    const path = join(directory, 'out');
    const port = await thread('exec', { kind: 'exec', args: ['/bin/sh', '-c', `cat > ${path}`] });
    await port.ask({ do: 'open' });
    await port.ask({ do: 'write', bytes: Buffer.from('through a pipe') });
    await port.ask({ do: 'end' });
    expect(await readFile(path, 'utf8')).toBe('through a pipe');
    await port.ask({ do: 'close' });
  });

  test('fails with the command', async () => {
    const port = await thread('exec', { kind: 'exec', args: ['/bin/sh', '-c', 'cat > /dev/null; exit 7'] });
    await port.ask({ do: 'open' });
    await expect(port.ask({ do: 'end' })).rejects.toThrow('exec ended with status 7');
    const missing = await thread('exec', { kind: 'exec', args: [join(directory, 'no-command')] });
    await missing.ask({ do: 'open' });
    await expect(missing.ask({ do: 'end' })).rejects.toThrow(/ENOENT|EPIPE/);
  });
});
