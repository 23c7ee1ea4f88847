import type { MigrationEstimate } from '@sterna/core';
import { conformance, DeviceHarness } from '@sterna/testkit';
import { describe, expect, it, test } from 'vitest';
import plugin, { decide, patientPolicy } from '../src/index.ts';

const SETTINGS = { firstPauseMs: 50, maxPauseMs: 400, stepMs: 1000, maxThrottle: 40 };

function at(elapsedMs: number, downtimeLimitMs = 400): MigrationEstimate {
  return {
    elapsedMs,
    pass: 3,
    remainingBytes: 1 << 20,
    dirtyBytesPerSecond: 1e8,
    bytesPerSecond: 1e7,
    expectedDowntimeMs: 4321,
    downtimeLimitMs,
    throttlePercentage: 0,
  };
}

describe('the policy', () => {
  it.each([
    [0, { action: 'switchover', downtimeLimitMs: 50 }],
    [999, { action: 'switchover', downtimeLimitMs: 50 }],
    [1000, { action: 'switchover', downtimeLimitMs: 100 }],
    [2500, { action: 'switchover', downtimeLimitMs: 200 }],
    [3000, { action: 'switchover', downtimeLimitMs: 400 }],
    [4000, { action: 'throttle', percentage: 20 }],
    [5500, { action: 'throttle', percentage: 40 }],
  ] as const)('after %d ms wants %j', (elapsedMs, decision) => {
    expect(decide(at(elapsedMs), SETTINGS)).toEqual(decision);
  });

  it('sets the longest pause before it slows the guest down', () => {
    expect(decide(at(4000, 200), SETTINGS)).toEqual({ action: 'switchover', downtimeLimitMs: 400 });
  });

  it('leaves the guest here in the end, and says why', () => {
    expect(decide(at(6000), SETTINGS)).toEqual({
      action: 'cancel',
      reason: 'a pause of 400 ms and a guest slowed down by 40 % were not enough; it expects 4321 ms',
    });
  });

  it.each([
    [{ 'step-ms': 0 }, /must not be 0/],
    [{ 'max-ms': 10 }, /max-ms is less than first-ms/],
    [{ 'max-throttle': 100 }, /more than 99/],
  ])('refuses %j', (properties, reason) => {
    expect(() => new DeviceHarness(patientPolicy, { properties })).toThrow(reason);
  });

  it('is asked by the machine until it is pulled out', async () => {
    await using bench = new DeviceHarness(patientPolicy);
    const { hooks } = bench.machine;
    expect(hooks.migrationRound.call(at(0))).toEqual({ action: 'switchover', downtimeLimitMs: 50 });
    bench.unplug();
    expect(hooks.migrationRound.call(at(0))).toBeUndefined();
  });

  it('is offered by the plugin', () => {
    expect(plugin.devices).toEqual([patientPolicy]);
  });
});

describe('it keeps the rules of devices', () => {
  for (const { name, skipped, run } of conformance(patientPolicy)) if (skipped === undefined) test(name, run, 120_000);
});
