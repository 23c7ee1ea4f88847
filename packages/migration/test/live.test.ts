import type { LiveHandlers } from '@sterna/core';
import { describe, expect, test } from 'vitest';
import type { StateSection } from '../src/host.ts';
import { Pair } from './support/pair.ts';

/** A device with a log that is sent while it grows. */
class Log {
  words: number[] = [];
  sent = 0;
  approved = false;
}

const handlers: LiveHandlers<Log> = {
  version: 1,
  saveSetup: (log) => {
    log.sent = 0;
  },
  saveLiveIterate(log, stream) {
    send(log, stream, 10);
    return log.sent < log.words.length ? 'more' : 'done';
  },
  statePendingEstimate: (log) => ({ mustPrecopy: (log.words.length - log.sent) * 4, canPostcopy: 0 }),
  saveComplete: (log, stream) => send(log, stream, Number.POSITIVE_INFINITY),
  loadState(log, stream, { phase, approveSwitchover }) {
    if (phase === 'setup') return;
    const first = stream.u32();
    const words = Array.from({ length: stream.u32() }, () => stream.u32());
    if (first > log.words.length) throw new RangeError(`words from ${first}, only ${log.words.length} are here`);
    log.words.splice(first, words.length, ...words);
    if (log.words.length >= 40) approveSwitchover();
  },
  switchoverAckNeeded: () => true,
};

function send(log: Log, stream: { u32(value: number): void }, most: number): void {
  const end = Math.min(log.words.length, log.sent + most);
  stream.u32(log.sent);
  stream.u32(end - log.sent);
  for (; log.sent < end; log.sent++) stream.u32(log.words[log.sent]!);
}

function section(log: Log): StateSection {
  return { idstr: 'log', instanceId: 0, vmstate: 'stateless', state: log, live: handlers };
}

function withLogs(pair: Pair, words: number): { source: Log; destination: Log } {
  const [source, destination] = [new Log(), new Log()];
  source.words = Array.from({ length: words }, (_, i) => i * 7);
  pair.source.extra = [section(source)];
  pair.destination.extra = [section(destination)];
  return { source, destination };
}

describe('a live device', () => {
  test('is sent in parts while it grows', async () => {
    const pair = new Pair();
    const { source, destination } = withLogs(pair, 35);
    pair.loop.onTick = () => {
      if (pair.source.runState === 'running' && source.words.length < 500) source.words.push(source.words.length * 3);
    };
    await pair.migrate();
    expect(destination.words).toEqual(source.words);
    expect(source.words.length).toBeGreaterThan(35);
  });

  test('starts over in a second attempt', async () => {
    const first = new Pair();
    const { source } = withLogs(first, 100);
    const both = first.start();
    first.loop.after(5, () => first.out.cancel());
    await first.loop.run(Promise.allSettled([both.out, both.in]));
    expect(source.sent).toBeGreaterThan(0);
    const second = new Pair();
    const { destination } = withLogs(second, 0);
    second.source.extra = [section(source)];
    await second.migrate();
    expect(destination.words).toEqual(source.words);
  });

  test('is not starved by a RAM that is dirtied faster than it is sent', async () => {
    const pair = new Pair({ bytesPerMs: 2000 });
    const { destination } = withLogs(pair, 40);
    const base = pair.source.block('fake.ram').hostOffset;
    let page = 0;
    pair.loop.onTick = () => {
      for (let i = 0; i < 5 && pair.source.runState === 'running'; i++)
        pair.source.guestWrite(base + (page++ % 1024) * 4096, page % 250);
    };
    pair.out.setParameters({ 'max-bandwidth': 2 * 2 ** 20, 'downtime-limit': 1 });
    const both = pair.start();
    await pair.loop.run(Promise.all([both.out, both.in]), 3000).catch(() => {});
    expect(pair.out.query().status).toBe('active');
    expect(destination.words).toHaveLength(40);
    pair.out.cancel();
    await pair.loop.run(Promise.allSettled([both.out, both.in]), 10_000);
  });

  test('holds the switchover until it has approved', async () => {
    const pair = new Pair();
    for (const side of [pair.out, pair.in]) {
      side.setCapabilities([
        { capability: 'return-path', state: true },
        { capability: 'switchover-ack', state: true },
      ]);
    }
    const { source, destination } = withLogs(pair, 20);
    const both = pair.start();
    pair.loop.after(1000, () => {
      expect([pair.out.query().status, pair.source.runState]).toEqual(['active', 'running']);
      for (let i = 20; i < 45; i++) source.words.push(i);
    });
    await pair.loop.run(Promise.all([both.out, both.in]));
    expect(destination.words).toEqual(source.words);
  });

  test('has an approval of its own since QEMU 11.1, and none is awaited without a device that wants one', async () => {
    for (const [count, late] of [
      [2, true],
      [0, false],
    ] as const) {
      const pair = new Pair({ wire: { switchoverAckLegacy: false } });
      for (const side of [pair.out, pair.in]) {
        side.setCapabilities([
          { capability: 'return-path', state: true },
          { capability: 'switchover-ack', state: true },
        ]);
      }
      const logs = Array.from({ length: count }, () => [new Log(), new Log()] as const);
      pair.source.extra = logs.map(([log], instanceId) => ({ ...section(log), instanceId }));
      pair.destination.extra = logs.map(([, log], instanceId) => ({ ...section(log), instanceId }));
      // The first approves at once, the second only when it has grown.
      if (late) logs[0]![0].words = Array.from({ length: 50 }, (_, i) => i);
      const both = pair.start();
      pair.loop.after(1000, () => {
        expect(pair.out.query().status).toBe(late ? 'active' : 'completed');
        if (late) logs[1]![0].words = Array.from({ length: 50 }, (_, i) => i);
      });
      await pair.loop.run(Promise.all([both.out, both.in]));
      for (const [source, destination] of logs) expect(destination.words).toEqual(source.words);
    }
  });

  test('that refuses stops the migration before anything is sent', async () => {
    const pair = new Pair();
    const log = new Log();
    const refusing: LiveHandlers<Log> = {
      ...handlers,
      savePrepare: () => {
        throw new RangeError('the log is in use');
      },
    };
    pair.source.extra = [{ ...section(log), live: refusing }];
    const both = pair.start();
    await pair.loop.run(Promise.allSettled([both.out, both.in]));
    await expect(both.out).rejects.toThrow('the log is in use');
    expect(pair.source.runState).toBe('running');
  });

  test('that fails in the last part leaves the source running, and is cleaned up', async () => {
    const pair = new Pair();
    const { source } = withLogs(pair, 3);
    let cleaned = 0;
    const failing: LiveHandlers<Log> = {
      ...handlers,
      saveComplete: () => {
        throw new RangeError('the log is gone');
      },
      saveCleanup: () => {
        cleaned++;
      },
    };
    pair.source.extra = [{ ...section(source), live: failing }];
    const both = pair.start();
    await pair.loop.run(Promise.allSettled([both.out, both.in]));
    await expect(both.out).rejects.toThrow('the log is gone');
    expect([pair.source.runState, pair.destination.runState, cleaned]).toEqual(['running', 'inmigrate', 1]);
    expect(
      pair.source.events.map(({ event }) => event).filter((event) => event === 'STOP' || event === 'RESUME'),
    ).toEqual(['STOP', 'RESUME']);
  });
});
