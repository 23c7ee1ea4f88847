/**
 * RAM that is dirtied faster than it can be sent must not keep another live device from sending. QEMU before 9.0
 * asked the second device only when the first had nothing left; with switchover-ack VFIO's initial data was then never
 * sent, and the migration never ended.
 */
import type { LiveHandlers } from '@sterna/core';
import { vfioStub } from '@sterna/device-vfio-stub';
import { describe, expect, it } from 'vitest';
import { VfioPair, type VfioPairOptions } from './vfio-pair.ts';

const MIB = 2 ** 20;
const STUB = { size: 24 * MIB, 'initial-size': 16 * MIB };

/** What a device says it has left, without a look. */
function pending(pair: VfioPair, id: string): number {
  const { state, type } = pair.source.machine.devices.find((device) => device.id === id)!;
  return (type.descriptor.live as LiveHandlers<object>).statePendingEstimate!(state).mustPrecopy;
}

async function makePair(options: Partial<VfioPairOptions> & { linkBytesPerSecond: number }): Promise<VfioPair> {
  const pair = new VfioPair({
    devices: [vfioStub({ id: 'v0', ...STUB })],
    ramMiB: 32,
    // All of RAM changes more than ten times in a second.
    ramDirtyPerSecond: 400 * MIB,
    ...options,
  });
  pair.enable('return-path', 'switchover-ack');
  // Pages that were never written would not have to be sent.
  await pair.pass(200);
  return pair;
}

const status = (pair: VfioPair) => pair.source.controller.query().status;

describe('RAM that is never clean', () => {
  it("does not starve a device's initial data on a link of 32 MiB/s; the switchover follows as soon as it may", async () => {
    const pair = await makePair({ linkBytesPerSecond: 32 * MIB });
    // What is left always fits: nothing but the missing approval holds the switchover.
    pair.source.controller.setParameters({ 'downtime-limit': 2000 });
    const ended = pair.start();
    await pair.until(() => status(pair) === 'active', 1000);
    const sent = pair.until(() => pending(pair, 'v0') <= 8 * MIB + 2 * 4100, 20_000);
    const ms = await sent;
    expect(status(pair)).toBe('active');
    // Half of the link is the device's: 16 MiB take a second.
    expect(ms).toBeLessThan(1500);
    await pair.time.run(ended, 10_000);
    expect(status(pair)).toBe('completed');
    expect(pair.time.ns / 1e9).toBeLessThan(5.2);
    expect(pair.destination.machine.runState).toBe('running');
  });

  it.each([
    ['32 MiB/s', 32 * MIB, 300],
    ['3 MB/s', 3e6, 3000],
  ])('nor one that fits the downtime, which makes every round of RAM begin anew, at %s', async (_, link, downtime) => {
    // Less than the budget: RAM is looked at again before it has nothing left.
    const pair = await makePair({
      linkBytesPerSecond: link,
      devices: [vfioStub({ id: 'v0', size: 5 * MIB, 'initial-size': 4 * MIB })],
    });
    pair.source.controller.setParameters({ 'downtime-limit': downtime });
    const ended = pair.start();
    await pair.until(() => status(pair) === 'active', 1000);
    await pair.pass((5 * MIB * 3 * 1000) / link + 2000);
    // The device has had its say long ago; only RAM is in the way.
    expect([status(pair), pending(pair, 'v0')]).toEqual(['active', 0]);
    pair.source.controller.setParameters({ 'downtime-limit': 40 * downtime });
    await pair.time.run(ended, 30_000);
    expect(status(pair)).toBe('completed');
  });

  it('nor when the limit is max-bandwidth and not the link', async () => {
    const pair = await makePair({ linkBytesPerSecond: 1000 * MIB });
    pair.source.controller.setParameters({ 'downtime-limit': 2000, 'max-bandwidth': 32 * MIB });
    await pair.time.run(pair.start(), 5000);
    expect(status(pair)).toBe('completed');
  });

  it.each([
    ['the link', { link: 3e6, max: 0 }],
    ['max-bandwidth', { link: 100e6, max: 3e6 }],
  ])('nor at 3 MB/s of %s', async (_, { link, max }) => {
    const pair = await makePair({ linkBytesPerSecond: link });
    pair.source.controller.setParameters({ 'downtime-limit': 20_000, 'max-bandwidth': max });
    const ended = pair.start();
    // Half of 3 MB/s: 16 MiB take 11 s.
    const ms = await pair.until(() => pending(pair, 'v0') <= 8 * MIB + 2 * 4100, 60_000);
    expect(ms).toBeLessThan(16_000);
    await pair.time.run(ended, 60_000);
    expect(status(pair)).toBe('completed');
  });

  it('leaves two devices the same share', async () => {
    const pair = await makePair({
      linkBytesPerSecond: 32 * MIB,
      devices: [vfioStub({ id: 'v0', ...STUB }), vfioStub({ id: 'v1', ...STUB })],
    });
    pair.source.controller.setParameters({ 'downtime-limit': 3000 });
    const ended = pair.start();
    await pair.until(() => status(pair) === 'active', 1000);
    const first = await pair.until(() => pending(pair, 'v0') <= 12 * MIB || pending(pair, 'v1') <= 12 * MIB, 20_000);
    const left = [pending(pair, 'v0'), pending(pair, 'v1')];
    expect(Math.abs(left[0]! - left[1]!)).toBeLessThan(2.5 * MIB);
    // A third of the link each: 12 MiB take 1.1 s.
    expect(first).toBeLessThan(1800);
    await pair.time.run(ended, 20_000);
    expect(status(pair)).toBe('completed');
  });

  it('and a device that is never clean does not starve RAM either', async () => {
    const pair = await makePair({
      linkBytesPerSecond: 32 * MIB,
      devices: [vfioStub({ id: 'v0', size: 16 * MIB, 'load-rate': 200 * MIB })],
      ramDirtyPerSecond: 0,
    });
    pair.source.controller.setParameters({ 'downtime-limit': 1500 });
    await pair.time.run(pair.start(), 10_000);
    expect(status(pair)).toBe('completed');
  });

  it('never converges by itself, and the guest keeps running', async () => {
    const pair = await makePair({ linkBytesPerSecond: 32 * MIB });
    pair.source.controller.setParameters({ 'downtime-limit': 1 });
    const ended = pair.start();
    await pair.pass(8000);
    expect([status(pair), pair.source.machine.runState]).toEqual(['active', 'running']);
    pair.source.controller.setParameters({ 'downtime-limit': 2000 });
    await pair.time.run(ended, 5000);
    expect(status(pair)).toBe('completed');
  });
});
