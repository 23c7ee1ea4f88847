import { closeSync, mkdtempSync, openSync, readFileSync, readlinkSync, readSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CharFrontend } from '@sterna/core';
import { SocketBackend } from '@sterna/core/node';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { sendDescriptors } from '../../support/send-descriptors.ts';

let dir: string;
let backend: SocketBackend;
let client: Socket;
let room: number;
const heard: string[] = [];
const passed: number[] = [];

const frontend: CharFrontend = {
  canReceive: () => room,
  receive: (bytes) => void heard.push(Buffer.from(bytes).toString()),
  event: (event) => void heard.push(`<${event}>`),
  descriptors: (fds) => void passed.push(...fds),
};

const connected = (path: string) =>
  new Promise<Socket>((resolve) => {
    const socket = connect(path, () => resolve(socket));
    socket.on('error', () => {});
  });

async function until(condition: () => boolean): Promise<void> {
  for (let i = 0; i < 1000 && !condition(); i++) await new Promise((resolve) => setTimeout(resolve, 5));
  expect(condition()).toBe(true);
}

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'sterna-fd-'));
  room = 4096;
  heard.length = passed.length = 0;
  const path = join(dir, 's');
  backend = await SocketBackend.open('test', { kind: 'unix', path, server: true, wait: false, reconnectMs: 0 });
  backend.attach(frontend);
  client = await connected(path);
});

afterEach(async () => {
  for (const fd of passed) closeSync(fd);
  client.destroy();
  await backend.close();
  rmSync(dir, { recursive: true, force: true });
});

it('takes files, pipes and sockets with the bytes they came with, and answers', async () => {
  const file = join(dir, 'f');
  writeFileSync(file, 'content');
  const fd = openSync(file, 'r');
  const sink = openSync('/dev/null', 'w');
  client.write('first ');
  await until(() => heard.join('').includes('first'));
  sendDescriptors(client, 'second', [fd, sink]);
  closeSync(fd);
  closeSync(sink);
  await until(() => heard.join('').includes('second'));
  expect(passed).toHaveLength(2);
  const buffer = Buffer.alloc(7);
  expect(readSync(passed[0]!, buffer)).toBe(7);
  expect(buffer.toString()).toBe('content');
  expect(readlinkSync(`/proc/self/fd/${passed[1]}`)).toBe('/dev/null');
  // Descriptors that were taken are not inherited by programs that the process starts.
  const flags = Number.parseInt(
    /flags:\s*(\d+)/.exec(readFileSync(`/proc/self/fdinfo/${passed[0]}`, 'latin1'))![1]!,
    8,
  );
  expect(flags & 0o2000000).not.toBe(0);
  const answer = new Promise<string>((resolve) => client.once('data', (chunk) => resolve(chunk.toString())));
  backend.write(Buffer.from('answer'));
  expect(await answer).toBe('answer');
});

it('keeps bytes in the host while the frontend has no room', async () => {
  room = 0;
  client.write('a'.repeat(100));
  await new Promise((resolve) => setTimeout(resolve, 30));
  expect(heard).toEqual(['<opened>']);
  client.write('b'.repeat(100));
  room = 4096;
  backend.acceptInput();
  await until(() => heard.join('') === `<opened>${'a'.repeat(100)}${'b'.repeat(100)}`);
});

it('serves the next client after the first has gone, also one that broke off', async () => {
  client.end('bye');
  await until(() => heard.includes('<closed>'));
  expect(heard.join('')).toBe('<opened>bye<closed>');
  const second = await connected(join(dir, 's'));
  await until(() => heard.at(-1) === '<opened>');
  second.write('again');
  await until(() => heard.at(-1) === 'again');
  backend.write(Buffer.from('unread'));
  second.destroy();
  await until(() => heard.at(-1) === '<closed>');
  expect(backend.connected).toBe(false);
});

it('is broken by yank', async () => {
  const closed = new Promise((resolve) => client.once('close', resolve));
  await until(() => backend.connected);
  client.resume();
  backend.yank();
  await closed;
  await until(() => heard.at(-1) === '<closed>');
});
