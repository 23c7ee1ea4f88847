import type { MigrationDecision, MigrationEstimate } from '@sterna/core';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { deadlineDecision } from '../../src/source/policy.ts';
import type { MigrationChannel } from '../../src/transport/channel.ts';
import { Pair } from '../support/pair.ts';

/** A guest that writes all of its RAM faster than the link takes it. */
function hopeless(): Pair {
  const pair = new Pair({ bytesPerMs: 4096 });
  const { hostOffset, usedLength } = pair.source.block('fake.ram');
  let page = 0;
  pair.loop.onTick = () => {
    if (pair.source.runState !== 'running') return;
    for (let i = 0; i < 20; i++) {
      page = (page + 1) % (usedLength / 4096);
      pair.source.guestWrite(hostOffset + page * 4096, (pair.loop.nowNs / 1e5) & 0xff || 1);
    }
  };
  pair.out.setParameters({ 'max-bandwidth': 0, 'downtime-limit': 1 });
  return pair;
}

function withPolicy(pair: Pair, decide: (estimate: MigrationEstimate) => MigrationDecision | undefined): void {
  (pair.source as { decide?: typeof decide }).decide = decide;
}

const outcome = (pair: Pair, promise: Promise<unknown>) =>
  pair.loop.run(promise, 100_000).then(
    () => 'moved',
    (error: Error) => error.message,
  );

describe('the deadline of the parameters', () => {
  test('cancel: the guest runs on here, and the reason is told', async () => {
    const pair = hopeless();
    pair.out.setParameters({ 'x-deadline': 3000 });
    const message = await outcome(pair, pair.start().out);
    expect(message).toMatch(/cancelled: it has not converged within its deadline of 3000 ms: [\d.]+ MiB are left/);
    expect(pair.loop.nowNs / 1e6).toBeLessThan(3300);
    expect(pair.source.runState).toBe('running');
    expect(pair.out.query()).toMatchObject({ status: 'cancelled', 'error-desc': expect.stringContaining('MiB/s') });
  });

  test('pause: the guest stops and moves with all that is left', async () => {
    const pair = hopeless();
    pair.out.setParameters({ 'x-deadline': 3000, 'x-on-timeout': 'pause' });
    const both = pair.start();
    expect(await outcome(pair, Promise.all([both.out, both.in]))).toBe('moved');
    expect(pair.loop.nowNs / 1e6).toBeGreaterThan(3000);
    expect(pair.destination.runState).toBe('running');
    expect(pair.source.differenceFrom(pair.destination)).toBeUndefined();
  });

  test('without one the migration goes on', async () => {
    const pair = hopeless();
    const { out } = pair.start();
    await pair.loop.run(pair.loop.pace.sleep(20_000, new AbortController().signal), 100_000);
    expect(pair.out.query().status).toBe('active');
    pair.out.cancel();
    await outcome(pair, out);
  });

  test('a migration that converges in time does not feel it', async () => {
    const pair = new Pair();
    pair.out.setParameters({ 'x-deadline': 60_000 });
    await pair.migrate();
    expect(pair.out.query().status).toBe('completed');
  });

  test('counts also while the channel is stuck', async () => {
    const pair = hopeless();
    pair.out.setParameters({ 'x-deadline': 2000 });
    let abort: (reason: Error) => void = () => {};
    const stuck = (inner: MigrationChannel): MigrationChannel => ({
      name: 'stuck',
      bidirectional: false,
      write: () => new Promise((_, reject) => (abort = reject)),
      read: () => inner.read(),
      end: () => inner.end(),
      abort: (reason) => {
        abort(reason);
        inner.abort(reason);
      },
      close: () => inner.close(),
    });
    expect(await outcome(pair, pair.start(stuck).out)).toMatch(/has not converged|cancelled/);
    expect(pair.source.runState).toBe('running');
  });

  test('is a function of the estimate alone', () => {
    const estimate = (elapsedMs: number): MigrationEstimate => ({
      elapsedMs,
      pass: 3,
      remainingBytes: 5,
      dirtyBytesPerSecond: 6,
      bytesPerSecond: 7,
      expectedDowntimeMs: 8,
      downtimeLimitMs: 9,
      throttlePercentage: 0,
    });
    fc.assert(
      fc.property(fc.nat(100_000), fc.nat(100_000), fc.constantFrom('cancel', 'pause'), (elapsed, deadline, action) => {
        const decision = deadlineDecision(estimate(elapsed), { 'x-deadline': deadline, 'x-on-timeout': action });
        expect(decision.action).toBe(deadline > 0 && elapsed >= deadline ? action : 'continue');
      }),
    );
  });
});

describe('a policy of the machine', () => {
  test('is told what there is to know, ten times a second', async () => {
    const pair = hopeless();
    const told: MigrationEstimate[] = [];
    withPolicy(pair, (estimate) => {
      told.push(estimate);
      return told.length === 30 ? { action: 'cancel', reason: 'enough' } : { action: 'continue' };
    });
    expect(await outcome(pair, pair.start().out)).toBe('the migration was cancelled: enough');
    expect(told.at(-1)!.elapsedMs).toBeGreaterThan(2900);
    expect(told.at(-1)).toMatchObject({ downtimeLimitMs: 1, throttlePercentage: 0 });
    const { pass, remainingBytes, dirtyBytesPerSecond, bytesPerSecond } = told.at(-1)!;
    expect(pass).toBeGreaterThan(1);
    expect(remainingBytes).toBeGreaterThan(0);
    expect(dirtyBytesPerSecond).toBeGreaterThan(2 ** 20);
    expect(bytesPerSecond).toBeGreaterThan(2 ** 20);
  });

  test('lets the guest move with a longer pause', async () => {
    const pair = hopeless();
    withPolicy(pair, ({ elapsedMs }) =>
      elapsedMs > 2000 ? { action: 'switchover', downtimeLimitMs: 5000 } : { action: 'continue' },
    );
    const both = pair.start();
    expect(await outcome(pair, Promise.all([both.out, both.in]))).toBe('moved');
    expect(pair.source.differenceFrom(pair.destination)).toBeUndefined();
  });

  test('throttles, and everything runs freely again afterwards', async () => {
    const pair = hopeless();
    const throttled: number[] = [];
    (pair.source as { throttle?: (percentage: number) => void }).throttle = (percentage) =>
      void throttled.push(percentage);
    withPolicy(pair, ({ throttlePercentage }) =>
      throttlePercentage < 60
        ? { action: 'throttle', percentage: throttlePercentage + 30 }
        : { action: 'cancel', reason: 'x' },
    );
    await outcome(pair, pair.start().out);
    expect(throttled).toEqual([30, 60, 0]);
  });

  test('goes before the deadline; without an opinion the deadline counts', async () => {
    const patient = hopeless();
    patient.out.setParameters({ 'x-deadline': 1000 });
    let asked = 0;
    withPolicy(patient, () => (++asked < 30 ? { action: 'continue' } : undefined));
    expect(await outcome(patient, patient.start().out)).toContain('deadline of 1000 ms');
    expect(asked).toBe(30);
  });

  test.each<[string, () => MigrationDecision, RegExp]>([
    ['asks for postcopy', () => ({ action: 'postcopy' }), /postcopy, which has not landed yet/],
    [
      'gives nonsense',
      () => ({ action: 'switchover', downtimeLimitMs: Number.NaN }),
      /gives NaN instead of a downtime limit/,
    ],
    ['gives more nonsense', () => ({ action: 'throttle', percentage: 100 }), /gives 100 instead of a percentage/],
    [
      'fails',
      () => {
        throw new Error('out of ideas');
      },
      /out of ideas/,
    ],
  ])('that %s ends the migration with its error; the guest runs on', async (_what, decide, message) => {
    const pair = hopeless();
    withPolicy(pair, decide);
    expect(await outcome(pair, pair.start().out)).toMatch(message);
    expect(pair.source.runState).toBe('running');
    expect(pair.out.query()).toMatchObject({ status: 'failed', 'error-desc': expect.stringMatching(message) });
  });
});
