import { channelPair, type MigrationTransport, parseMigrationUri, TransportError } from '@sterna/migration';
import { FaultTransport, faultyChannel } from '@sterna/testkit';
import { describe, expect, test } from 'vitest';

const bytes = (length: number, from = 0) => Uint8Array.from({ length }, (_, i) => from + i);

describe('a faulty channel', () => {
  test('without faults is the channel it wraps', async () => {
    const [a, b] = channelPair();
    const faulty = faultyChannel(a, {});
    await faulty.write(bytes(10));
    await faulty.end();
    expect(await b.read()).toEqual(bytes(10));
    expect(await b.read()).toBeUndefined();
    await b.write(bytes(3));
    expect(await faulty.read()).toEqual(bytes(3));
    await faulty.close();
  });

  test('breaks at the very byte, and tells both directions', async () => {
    const [a, b] = channelPair();
    const faulty = faultyChannel(a, { breakAfterWritten: 12 });
    const reading = faulty.read();
    reading.catch(() => {});
    await faulty.write(bytes(10));
    const [cut, behind] = [faulty.write(bytes(10, 10)), faulty.write(bytes(1))];
    behind.catch(() => {});
    await expect(cut).rejects.toThrow('on purpose');
    await expect(behind).rejects.toThrow('on purpose');
    await expect(reading).rejects.toThrow('on purpose');
    expect(await b.read()).toEqual(bytes(10));
    expect(await b.read()).toEqual(bytes(2, 10));
    await expect(b.read()).rejects.toBeInstanceOf(TransportError);
  });

  test('stalls until somebody gives up', async () => {
    const [a, b] = channelPair();
    const faulty = faultyChannel(a, { stallAfterWritten: 4, stallAfterRead: 2 });
    const states: string[] = [];
    const writing = faulty.write(bytes(8)).catch((error: Error) => states.push(error.message));
    await b.write(bytes(5));
    expect(await faulty.read()).toEqual(bytes(2));
    const reading = faulty.read().catch((error: Error) => states.push(error.message));
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect([await b.read(), states]).toEqual([bytes(4), []]);
    faulty.abort(new TransportError('given up'));
    await Promise.all([writing, reading]);
    expect(states).toEqual(['given up', 'given up']);
  });

  test('reads in pieces that a seed decides, and breaks behind so many of their bytes', async () => {
    const sizes = async () => {
      const [a, b] = channelPair();
      await b.write(bytes(20_000));
      const faulty = faultyChannel(a, { shortReads: 7, breakAfterRead: 15_000 });
      const found: number[] = [];
      for (let left = 15_000; left > 0; left -= found.at(-1)!) found.push((await faulty.read())!.length);
      await expect(faulty.read()).rejects.toThrow('on purpose');
      return found;
    };
    const first = await sizes();
    expect(first.length).toBeGreaterThan(4);
    expect(await sizes()).toEqual(first);
  });
});

test('a faulty transport refuses, then breaks the connection it was told', async () => {
  const ends: ReturnType<typeof channelPair>[] = [];
  const inner: MigrationTransport = {
    connect: async () => {
      const pair = channelPair();
      ends.push(pair);
      return pair[0];
    },
    listen: async () => ({ uri: 'tcp:x:1', accept: async () => ends.at(-1)![1], close: async () => {} }),
  };
  const transport = new FaultTransport(inner, {
    refused: 1,
    channel: (nth) => (nth === 1 ? { breakAfterWritten: 0 } : undefined),
  });
  const address = parseMigrationUri('tcp:x:1');
  const { signal } = new AbortController();
  await expect(transport.connect(address, signal)).rejects.toThrow('refused on purpose');
  const good = await transport.connect(address, signal);
  await good.write(bytes(1));
  const listener = await transport.listen(address);
  const bad = await listener.accept();
  await expect(bad.write(bytes(1))).rejects.toThrow('on purpose');
  expect(listener.uri).toBe('tcp:x:1');
  await listener.close();
});
