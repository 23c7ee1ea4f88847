import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseChardev } from '@sterna/core';
import { SocketBackend, type SocketSpec } from '@sterna/core/node';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { bytesOf, Recorder, until } from '../../chardev/recorder.ts';

let dir: string;
let path: string;
const open: { close(): unknown }[] = [];

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'sterna-chardev-'));
  path = join(dir, 's');
});
afterEach(async () => {
  for (const item of open.splice(0).reverse()) await item.close();
  rmSync(dir, { recursive: true, force: true });
});

async function backend(text: string): Promise<SocketBackend> {
  const target = parseChardev(text, 'test');
  if (target.kind !== 'backend') throw new Error(text);
  const socket = await SocketBackend.open('c', target.spec as SocketSpec);
  open.push(socket);
  return socket;
}

function client(): Socket & { text: string } {
  const socket = Object.assign(connect(path), { text: '' });
  socket.on('data', (chunk) => {
    socket.text += chunk.toString('latin1');
  });
  socket.on('error', () => {});
  open.push({ close: () => socket.destroy() });
  return socket;
}

function listen(onPeer: (peer: Socket) => void): Promise<Server> {
  const server = createServer(onPeer);
  open.push({ close: () => server.close() });
  return new Promise((resolve) => server.listen(path, () => resolve(server)));
}

describe('socket server', () => {
  it('drops output while nobody listens and then carries bytes both ways', async () => {
    const server = await backend(`unix:${path},server=on,wait=off`);
    const uart = new Recorder();
    server.attach(uart);
    expect(server.write(bytesOf('lost'))).toBe(4);
    const peer = client();
    await until(() => server.connected);
    server.write(bytesOf('hello'));
    peer.write('hi');
    await until(() => peer.text === 'hello' && uart.text === 'hi');
    expect(uart.events).toEqual(['opened']);
  });

  it('holds back input that the frontend has no room for', async () => {
    const server = await backend(`unix:${path},server=on,wait=off`);
    const uart = new Recorder();
    uart.room = 1;
    server.attach(uart);
    client().write('abc');
    await until(() => uart.text === 'a');
    uart.room = 2;
    server.acceptInput();
    expect(uart.text).toBe('abc');
    uart.room = Number.POSITIVE_INFINITY;
  });

  it('serves one client after the other', async () => {
    const server = await backend(`unix:${path},server=on,wait=off`);
    const uart = new Recorder();
    server.attach(uart);
    const first = client();
    await until(() => server.connected);
    const second = client();
    second.write('2');
    first.write('1');
    await until(() => uart.text === '1');
    first.destroy();
    await until(() => uart.text === '12');
    server.write(bytesOf('x'));
    await until(() => second.text === 'x');
    expect(uart.events).toEqual(['opened', 'closed', 'opened']);
  });

  it('waits for its first client with wait=on', async () => {
    let ready = false;
    const opening = backend(`unix:${path},server=on`).then((server) => {
      ready = true;
      return server;
    });
    await until(() => existsSync(path));
    expect(ready).toBe(false);
    client();
    expect((await opening).connected).toBe(true);
  });

  it('replaces a stale socket file, removes its own at the end and spares other files', async () => {
    const first = await backend(`unix:${path},server=on,wait=off`);
    const second = await backend(`unix:${path},server=on,wait=off`);
    await second.close();
    await first.close();
    expect(existsSync(path)).toBe(false);
    writeFileSync(path, 'precious');
    await expect(backend(`unix:${path},server=on,wait=off`)).rejects.toThrow(/cannot listen at unix:/);
    expect(existsSync(path)).toBe(true);
  });

  it('stops taking bytes for a peer that does not read, and calls back when it does', async () => {
    const server = await backend(`unix:${path},server=on,wait=off`);
    server.attach(new Recorder());
    const peer = client();
    peer.pause();
    await until(() => server.connected);
    const chunk = new Uint8Array(65_536);
    let sent = 0;
    for (let taken = 1; taken > 0; sent += taken) {
      taken = server.write(chunk);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    let writable = false;
    server.onWritable(() => {
      writable = true;
    });
    peer.resume();
    await until(() => writable && peer.text.length === sent);
  });

  it('listens on tcp, also at a port the system chooses', async () => {
    const server = await backend('tcp:127.0.0.1:0,server=on,wait=off');
    const uart = new Recorder();
    server.attach(uart);
    const peer = connect(server.listeningPort!, '127.0.0.1');
    peer.end('tcp');
    await until(() => uart.text === 'tcp');
  });
});

describe('socket client', () => {
  it('says where it could not connect', async () => {
    await expect(backend(`unix:${path}`)).rejects.toMatchObject({
      code: 'STERNA_ERR_CHARDEV',
      message: expect.stringContaining(`unix:${path}`),
    });
  });

  it('keeps trying with reconnect=, also after the peer has gone', async () => {
    const uart = new Recorder();
    const target = parseChardev(`unix:${path}`, 'test');
    if (target.kind !== 'backend') throw new Error();
    const spec = { ...(target.spec as SocketSpec), reconnectMs: 20 };
    const socket = await SocketBackend.open('c', spec);
    open.push(socket);
    socket.attach(uart);
    const peers: Socket[] = [];
    await listen((peer) => peers.push(peer));
    await until(() => peers.length === 1 && socket.connected);
    peers[0]!.destroy();
    await until(() => peers.length === 2 && socket.connected);
    peers[1]!.write('again');
    await until(() => uart.text === 'again');
    expect(uart.events).toEqual(['opened', 'closed', 'opened']);
  });
});
