import { createHash, randomBytes } from 'node:crypto';
import net from 'node:net';
import tls from 'node:tls';
import { afterEach, expect, test } from 'vitest';
import { SecuredReader } from '../../src/node/secured-reader.ts';

const open: { destroy(): void }[] = [];
afterEach(() => {
  for (const socket of open.splice(0)) socket.destroy();
});

/** Both ends of a secured connection. */
async function pair(): Promise<readonly [client: tls.TLSSocket, server: tls.TLSSocket]> {
  const psk = randomBytes(32);
  const ciphers = 'DHE-PSK-AES128-GCM-SHA256';
  const secure = tls.createServer({ ciphers, maxVersion: 'TLSv1.2', dhparam: 'auto', pskCallback: () => psk });
  const listener = net.createServer({ pauseOnConnect: true, allowHalfOpen: true }, (socket) => {
    secure.emit('connection', socket);
  });
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  const server = new Promise<tls.TLSSocket>((resolve) => secure.once('secureConnection', resolve));
  const client = tls.connect({
    port: (listener.address() as net.AddressInfo).port,
    host: '127.0.0.1',
    ciphers,
    rejectUnauthorized: false,
    checkServerIdentity: () => undefined,
    pskCallback: () => ({ psk, identity: 'x' }),
  });
  const both = [client, await server] as const;
  listener.close();
  open.push(...both);
  return both;
}

test('bytes arrive in order, whatever their sizes, however slowly they are taken', async () => {
  const [client, server] = await pair();
  const reader = new SecuredReader(server);
  // Node's internals are as they were: no buffer is made for each record.
  expect(server.listenerCount('data')).toBe(0);
  const [sent, got] = [createHash('sha256'), createHash('sha256')];
  const sizes = [1, 5, 16_384, 16_385, 100_000, 1_000_000, 3, 2_000_000, 40_000];
  const total = sizes.reduce((a, b) => a + b, 0);
  for (const size of sizes) {
    const bytes = randomBytes(size);
    sent.update(bytes);
    client.write(bytes);
  }
  let received = 0;
  while (received < total) {
    await new Promise<void>((resolve) => {
      reader.arrived = resolve;
      setTimeout(resolve, 20);
    });
    // A slow reader: what is taken stays as it is while more comes.
    for (let bytes = reader.take(); bytes !== null; bytes = reader.take()) {
      const before = createHash('sha256').update(bytes).digest('hex');
      await new Promise((resolve) => setTimeout(resolve, 5));
      expect(createHash('sha256').update(bytes).digest('hex')).toBe(before);
      got.update(bytes);
      received += bytes.length;
    }
  }
  expect(received).toBe(total);
  expect(got.digest('hex')).toBe(sent.digest('hex'));
});

test('the end is told, after everything', async () => {
  const [client, server] = await pair();
  const reader = new SecuredReader(server);
  const ended = new Promise<void>((resolve) => server.once('end', resolve));
  client.end('last words');
  await ended;
  expect(Buffer.from(reader.take()!).toString()).toBe('last words');
  expect(reader.take()).toBeNull();
});
