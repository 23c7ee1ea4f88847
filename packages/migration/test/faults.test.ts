import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { TransportError } from '../src/errors.ts';
import type { MigrationChannel } from '../src/transport/channel.ts';
import { BLOCKS, Pair } from './support/pair.ts';

/** A channel whose n-th call of a kind fails, as if the connection broke. */
class FailingChannel implements MigrationChannel {
  readonly name = 'failing';
  readonly bidirectional = true;
  readonly #inner: MigrationChannel;
  readonly #kind: 'write' | 'end';
  #left: number;

  constructor(inner: MigrationChannel, kind: 'write' | 'end', n: number) {
    this.#inner = inner;
    this.#kind = kind;
    this.#left = n;
  }
  #step(kind: 'write' | 'end'): void {
    if (kind !== this.#kind || this.#left-- > 0) return;
    const error = new TransportError(`${kind} failed on purpose`);
    this.#inner.abort(error);
    throw error;
  }
  async write(bytes: Uint8Array): Promise<void> {
    this.#step('write');
    await this.#inner.write(bytes);
  }
  read(): Promise<Uint8Array | undefined> {
    return this.#inner.read();
  }
  async end(): Promise<void> {
    this.#step('end');
    await this.#inner.end();
  }
  abort(reason: Error): void {
    this.#inner.abort(reason);
  }
  close(): Promise<void> {
    return this.#inner.close();
  }
}

function fill(pair: Pair): void {
  const { hostOffset, usedLength } = pair.source.block('fake.ram');
  for (let at = 0; at < usedLength; at += 4096) pair.source.guestWrite(hostOffset + at, 1 + (at % 255));
}

/** Waits for both ends, whatever they come to. */
async function settle(pair: Pair, both: { out: Promise<unknown>; in: Promise<unknown> }): Promise<[string, string]> {
  const results = await pair.loop.run(Promise.allSettled([both.out, both.in]));
  return [results[0].status, results[1].status];
}

describe('a source whose channel fails', () => {
  test('at any write goes on running, says why, and can try again', async () => {
    for (let n = 0; n < 25; n++) {
      const pair = new Pair();
      fill(pair);
      const result = await settle(
        pair,
        pair.start((channel) => new FailingChannel(channel, 'write', n)),
      );
      if (result[0] === 'fulfilled') {
        expect(n).toBeGreaterThan(10);
        return;
      }
      expect([n, pair.source.runState, pair.source.statuses.at(-1)]).toEqual([n, 'running', 'failed']);
      expect(pair.out.query()['error-desc']).toContain('on purpose');
      expect(pair.destination.runState).toBe('inmigrate');
      // The source is as it was: another machine can still get the guest.
      const again = new Pair({ loop: pair.loop });
      const next = again.in.migrateIncomingOverChannel(again.channels[1]);
      const out = pair.out.migrateOverChannel(again.channels[0]);
      await pair.loop.run(Promise.all([next, out]));
      expect(Buffer.compare(again.destination.content('fake.ram'), pair.source.content('fake.ram'))).toBe(0);
    }
  });
});

describe('a cancelled source', () => {
  test('runs on from whatever moment, and never beside a running destination', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: 1500 }), fc.boolean(), async (tenths, pause) => {
        const pair = new Pair({ bytesPerMs: 60_000 });
        fill(pair);
        if (pause) pair.out.setCapabilities([{ capability: 'pause-before-switchover', state: true }]);
        const both = pair.start();
        pair.loop.after(tenths / 10, () => pair.out.cancel());
        if (pause)
          pair.loop.after(
            130,
            () => pair.out.query().status === 'pre-switchover' && pair.out.continue('pre-switchover'),
          );
        await settle(pair, both);
        const owners = [pair.source, pair.destination].filter(({ runState }) => runState === 'running');
        expect(owners).toHaveLength(1);
        const status = pair.out.query().status;
        expect(status).toBe(owners[0] === pair.source ? 'cancelled' : 'completed');
        if (status === 'cancelled') expect(pair.source.statuses.slice(-2)).toEqual(['cancelling', 'cancelled']);
      }),
      { numRuns: 60 },
    );
  });

  test('can be cancelled while it connects', async () => {
    const pair = new Pair();
    const { MigrationController } = await import('../src/controller.ts');
    const out = new MigrationController(pair.source, {
      pace: pair.loop.pace,
      transport: {
        connect: (_, signal) =>
          new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error))),
        listen: () => Promise.reject(new Error('unused')),
      },
    });
    const running = out.migrate('tcp:nowhere:1');
    running.catch(() => {});
    out.cancel();
    await expect(running).rejects.toMatchObject({ code: 'STERNA_ERR_MIGRATION_CANCELLED' });
    expect(out.query().status).toBe('cancelled');
    expect(pair.source.runState).toBe('running');
  });

  test('nothing happens without a migration, or after one', async () => {
    const pair = new Pair();
    pair.out.cancel();
    await pair.migrate();
    pair.out.cancel();
    expect(pair.out.query().status).toBe('completed');
  });
});

describe('refusals', () => {
  test('a blocker is named', async () => {
    const pair = new Pair();
    pair.source.blockers = ['a host file is open'];
    expect(() => pair.out.checkMigrate()).toThrow('a host file is open');
    await expect(pair.start().out).rejects.toMatchObject({ code: 'STERNA_ERR_MIGRATION_BLOCKED' });
    expect(pair.out.query()).toEqual({ 'blocked-reasons': ['a host file is open'] });
  });

  test('a second migration waits for the first', async () => {
    const pair = new Pair();
    const both = pair.start();
    expect(() => pair.out.checkMigrate()).toThrow('in progress');
    expect(() => pair.out.setCapabilities([])).toThrow('in progress');
    await settle(pair, both);
  });

  test.for([
    ['machine', () => [{ machineName: 'other' }, "from machine 'fake', this one is 'other'"] as const],
    [
      'blocks',
      () =>
        [
          { blocks: [['fake.ram', 2 * 2 ** 20], ...BLOCKS.slice(1)] },
          'fake.ram has 0x400000 bytes in the stream, 0x200000 here',
        ] as const,
    ],
    ['block names', () => [{ blocks: [['other.ram', 4 * 2 ** 20]] }, "'fake.ram' does not exist here"] as const],
  ] as const)('a destination with another %s says both values', async ([, make]) => {
    const [difference, text] = make();
    const pair = new Pair(
      'blocks' in difference ? { destinationBlocks: difference.blocks as unknown as typeof BLOCKS } : {},
    );
    if ('machineName' in difference) Object.assign(pair.destination, difference);
    const both = pair.start();
    await settle(pair, both);
    await expect(both.in).rejects.toMatchObject({ code: 'STERNA_ERR_STREAM', message: expect.stringContaining(text) });
    expect(pair.in.query()).toMatchObject({ status: 'failed', 'error-desc': expect.stringContaining(text) });
    expect([pair.source.runState, pair.destination.runState]).toEqual(['running', 'inmigrate']);
  });

  test('a device of the source that is missing here is named, and so is one missing in the stream', async () => {
    const extra = {
      idstr: 'extra',
      instanceId: 3,
      state: { value: 1 },
      vmstate: { name: 'extra', version: 1, fields: () => [] },
    };
    const more = new Pair();
    more.source.extra = [extra];
    await settle(more, more.start());
    expect(more.in.query()['error-desc']).toContain("section 'extra' instance 3");
    const fewer = new Pair();
    fewer.destination.extra = [extra];
    await settle(fewer, fewer.start());
    expect(fewer.in.query()['error-desc']).toContain('without extra/3');
    expect(fewer.destination.runState).toBe('inmigrate');
  });

  test('a device that refuses its state is named with field and offset', async () => {
    const pair = new Pair();
    Object.defineProperty(pair.destination.counter, 'ticks', {
      set(value: number) {
        throw new RangeError(`${value} ticks are too many`);
      },
      get: () => 0,
    });
    pair.source.counter.ticks = 99;
    await settle(pair, pair.start());
    expect(pair.in.query()['error-desc']).toMatch(
      /section 'counter' instance 0, field ticks, stream offset \d+: 99 ticks are too many/,
    );
  });

  test('a failing destination is reported to a source that listens', async () => {
    const pair = new Pair();
    for (const side of [pair.out, pair.in]) side.setCapabilities([{ capability: 'return-path', state: true }]);
    pair.destination.machineName satisfies string;
    Object.assign(pair.destination, { machineName: 'other' });
    await settle(pair, pair.start());
    expect(pair.source.runState).toBe('running');
    expect(pair.out.query().status).toBe('failed');
  });
});
