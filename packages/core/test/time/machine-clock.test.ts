import { MachineMemory } from '@sterna/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MachineClock } from '../../src/time/machine-clock.ts';
import { FakeHost } from '../support/fake-host.ts';

const memory = new MachineMemory(65536);

function slice(clock: MachineClock, host: FakeHost, executed: number, hostNs: number): void {
  const cpu = { executed: 0, limitBudget: () => {} };
  clock.beginSlice(cpu);
  cpu.executed = executed;
  host.ns += hostNs;
  clock.endSlice(executed);
}

describe('MachineClock', () => {
  it('settles on the speed of the host', () => {
    const host = new FakeHost();
    const clock = new MachineClock(memory, host.clock, { tscHz: 1e9 });
    clock.start();
    const start = host.ns;
    for (let i = 0; i < 2000; i++) slice(clock, host, 50_000, 250_000);
    expect(clock.now() / (host.ns - start)).toBeCloseTo(1, 2);
  });

  it('a preempted host stretches guest time: no slice moves it by more than its instructions and a tenth', () => {
    const host = new FakeHost();
    const clock = new MachineClock(memory, host.clock, { tscHz: 1e9 });
    clock.start();
    for (let i = 0; i < 500; i++) slice(clock, host, 50_000, 100_000);
    const before = clock.now();
    slice(clock, host, 50_000, 80_000_000);
    expect(clock.now() - before).toBeLessThan(150_000);
  });

  it('does not jump between slices, however far behind it is: a calibration loop must see every step of a counter', () => {
    const host = new FakeHost();
    const clock = new MachineClock(memory, host.clock, { tscHz: 1e9 });
    clock.start();
    host.ns += 1e9;
    for (let i = 0; i < 100; i++) {
      const cpu = { executed: 0, limitBudget: () => {} };
      clock.beginSlice(cpu);
      cpu.executed = clock.budget(50_000);
      const end = clock.now();
      host.ns += 1e6;
      clock.endSlice(cpu.executed);
      expect(clock.now() - end).toBeLessThan(2);
    }
  });

  it('repays the time the host took when the guest idles', () => {
    const host = new FakeHost();
    const clock = new MachineClock(memory, host.clock, { tscHz: 1e9 });
    clock.start();
    slice(clock, host, 50_000, 80_000_000);
    const timer = clock.timer('t', () => {});
    timer.arm(clock.now() + 50e6);
    expect(clock.idle()).toBe(0);
    expect(clock.now()).toBe(timer.expiryNs);
  });

  it('wakes an idle guest once for each tick, and keeps its average rate, though host timers are up to 1 ms short', () => {
    const host = new FakeHost();
    const clock = new MachineClock(memory, host.clock, { tscHz: 1e9 });
    clock.start();
    const begin = host.ns;
    let ticks = 0;
    const timer = clock.timer('tick', () => {
      ticks++;
      timer.arm(clock.now() + 4e6);
    });
    timer.arm(4e6);
    let sleeps = 0;
    while (ticks < 1000) {
      const sleep = clock.idle();
      if (sleep > 0) {
        sleeps++;
        host.ns += Math.round(sleep / 1e6) * 1e6 - (sleeps % 3 === 0 ? 900_000 : 0);
      }
      clock.timers.run(clock.now());
    }
    expect(sleeps).toBeLessThan(1200);
    expect((host.ns - begin) / 4e9).toBeCloseTo(1, 2);
  });

  it('never goes backwards and keeps TSC and clock in step, whatever the host does', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: 1, max: 60_000 }), fc.integer({ min: 0, max: 50_000_000 })), {
          maxLength: 60,
        }),
        (slices) => {
          const host = new FakeHost();
          const clock = new MachineClock(memory, host.clock, { tscHz: 3e9 });
          clock.start();
          let last = clock.now();
          for (const [executed, hostNs] of slices) {
            slice(clock, host, executed, hostNs);
            clock.idle();
            expect(clock.now()).toBeGreaterThanOrEqual(last);
            expect(Math.abs(Number(clock.tsc()) - clock.now() * 3)).toBeLessThan(2);
            last = clock.now();
          }
        },
      ),
    );
  });

  it('counts instructions in icount mode and skips idle time', () => {
    const host = new FakeHost();
    const clock = new MachineClock(memory, host.clock, { tscHz: 1e9, icountShift: 3 });
    clock.start();
    slice(clock, host, 1000, 12345);
    expect(clock.now()).toBe(8000);
    clock.timer('t', () => {}).arm(1e6);
    expect(clock.budget(1e9)).toBe((1e6 - 8000) / 8);
    expect(clock.idle()).toBe(0);
    expect(clock.now()).toBe(1e6);
  });

  it('continues from a restored time and TSC', () => {
    const host = new FakeHost();
    const clock = new MachineClock(memory, host.clock, { tscHz: 2e9 });
    clock.restore(5e9, 77n);
    clock.start();
    expect(clock.tsc()).toBe(77n);
    slice(clock, host, 1000, 1000);
    expect(Number(clock.tsc()) - 77).toBeCloseTo((clock.now() - 5e9) * 2, -1);
  });
});
