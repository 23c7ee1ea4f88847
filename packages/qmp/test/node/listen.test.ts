import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { QmpError } from '@sterna/qmp';
import { connectQmp, listenQmp } from '@sterna/qmp/node';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { FakeTarget } from '../fake-target.ts';

let dir: string;
let path: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'sterna-qmp-'));
  path = join(dir, 'q');
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

it('serves several clients of this user at once, with events', async () => {
  const target = new FakeTarget();
  const server = await listenQmp(path, target);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  const [a, b] = [await connectQmp(path), await connectQmp(`unix:${path}`)];
  const events: string[] = [];
  b.onEvent(({ event, timestamp }) => events.push(`${event} ${timestamp.seconds}`));
  await a.execute('cont');
  expect(await b.execute('query-status')).toEqual({ running: true, status: 'running' });
  expect(events).toEqual(['RESUME 1795199250']);
  await expect(a.execute('migrate', { uri: 'bad:x' })).rejects.toThrow('unknown scheme');
  const unknown = a.executeAny('query-foo').catch((error: unknown) => error);
  expect(await unknown).toBeInstanceOf(QmpError);
  a.close();
  const waiting = b.execute('query-name');
  await server.close();
  await waiting.catch(() => {});
  await expect(b.execute('query-name')).rejects.toThrow(/closed|ECONNRESET/);
  expect(target.listeners).toBe(0);
  expect(existsSync(path)).toBe(false);
});

it('says that nobody is there, or that somebody does not answer', async () => {
  await expect(connectQmp(path)).rejects.toMatchObject({ code: 'STERNA_ERR_HOST_IO' });
  const silent = createServer(() => {}).listen(path);
  await expect(connectQmp(path, { timeoutMs: 50 })).rejects.toThrow(/no answer/);
  silent.close();
});
