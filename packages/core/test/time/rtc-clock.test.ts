import { describe, expect, it } from 'vitest';
import { MachineMemory } from '../../src/memory/machine-memory.ts';
import { MachineClock } from '../../src/time/machine-clock.ts';
import { MachineRtcClock } from '../../src/time/rtc-clock.ts';

const SECOND = 1_000_000_000n;

function clocks() {
  const host = { wall: 1_000n * SECOND, monotonicNs: () => 0, wallNs: () => host.wall };
  const clock = new MachineClock(new MachineMemory(65536), host, { tscHz: 1e9 });
  return { host, clock, rtc: new MachineRtcClock(clock, host, { source: 'host' }) };
}

describe('rtc clock on host time', () => {
  it('fires a timer once a read shows that its time has come, though virtual time lags', () => {
    const { host, clock, rtc } = clocks();
    let fired = 0;
    const timer = rtc.timer('second', () => fired++);
    timer.arm(host.wall + SECOND);
    clock.timers.run(clock.now());
    expect(fired).toBe(0);
    host.wall += SECOND;
    rtc.now();
    clock.timers.run(clock.now());
    expect([fired, timer.expiryNs]).toEqual([1, -1n]);
  });

  it('leaves a cancelled timer alone', () => {
    const { host, clock, rtc } = clocks();
    const timer = rtc.timer('second', () => expect.unreachable());
    timer.arm(host.wall);
    timer.cancel();
    rtc.now();
    clock.timers.run(clock.now());
    expect(timer.expiryNs).toBe(-1n);
  });

  it('starts from the date of -rtc base', () => {
    const { clock, host } = clocks();
    expect(new MachineRtcClock(clock, host, { source: 'host', baseNs: 5n }).dateNs()).toBe(5n);
    expect(new MachineRtcClock(clock, host, { source: 'vm', baseNs: 7n }).dateNs()).toBe(7n);
  });
});
