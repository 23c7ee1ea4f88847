import { describe, expect, it } from 'vitest';
import { CpuExit, type VCpu } from '../../src/cpu/define-cpu.ts';
import { RunLoop } from '../../src/machine/run-loop.ts';
import { MachineMemory } from '../../src/memory/machine-memory.ts';
import { MachineClock } from '../../src/time/machine-clock.ts';

/** A vCPU that only notes when it ran. */
class NotingCpu {
  readonly index: number;
  readonly log: string[];
  executed = 0;
  halted = false;
  work = false;
  exitRequested = false;
  /** What it does with its turn, and why it comes back. */
  act: () => CpuExit = () => CpuExit.BUDGET;

  constructor(index: number, log: string[]) {
    this.index = index;
    this.log = log;
  }
  run(budget: number, contended = false): CpuExit {
    this.exitRequested = false;
    this.log.push(`${this.index}${contended ? '!' : ''}`);
    this.executed = Math.min(budget, 1000);
    return this.act();
  }
  hasWork(): boolean {
    return this.work;
  }
  limitBudget(): void {}
  requestExit(): void {
    this.exitRequested = true;
  }
}

function rig(count: number) {
  const log: string[] = [];
  const cpus = Array.from({ length: count }, (_, index) => new NotingCpu(index, log));
  const queue: (() => void)[] = [];
  let ns = 0;
  const host = {
    monotonicNs: () => {
      ns += 100_000;
      return ns;
    },
    wallNs: () => 0n,
  };
  const clock = new MachineClock(new MachineMemory(65_536), host, { tscHz: 1e9, icountShift: 0 });
  const slept: number[] = [];
  const loop = new RunLoop(
    cpus as unknown as VCpu[],
    clock,
    host,
    {
      soon: (callback) => void queue.push(callback),
      after: (ms) => {
        slept.push(ms);
        return { cancel: () => {} };
      },
    },
    {
      afterSlice: () => true,
      cpuShutdown: () => {},
      debugStop: () => {},
      failed: (error) => {
        throw error;
      },
    },
  );
  loop.start();
  return {
    cpus,
    log,
    loop,
    clock,
    /** Runs one turn of the host's loop; false when nothing is scheduled. */
    turn: (): boolean => {
      const next = queue.shift();
      next?.();
      return next !== undefined;
    },
  };
}

describe('RunLoop with several vCPUs', () => {
  it('gives turns in order and says that others wait', () => {
    const { log, turn } = rig(3);
    turn();
    turn();
    expect(log.slice(0, 6)).toEqual(['0!', '1!', '2!', '0!', '1!', '2!']);
  });

  it('gives none to halted ones, and tells the last one that nobody waits', () => {
    const { log, turn, cpus } = rig(3);
    cpus[0]!.halted = true;
    cpus[2]!.halted = true;
    turn();
    expect(new Set(log)).toEqual(new Set(['1']));
    cpus[2]!.work = true;
    log.length = 0;
    turn();
    expect(log.slice(0, 4)).toEqual(['2!', '1!', '2!', '1!']);
  });

  it('ends the turn of a vCPU that signals another one, not of one that signals itself', () => {
    const { turn, cpus, loop } = rig(2);
    const ended: boolean[] = [];
    cpus[0]!.act = () => {
      loop.wake(0);
      ended.push(cpus[0]!.exitRequested);
      loop.wake();
      ended.push(cpus[0]!.exitRequested);
      loop.wake(1);
      ended.push(cpus[0]!.exitRequested);
      return CpuExit.REQUEST;
    };
    turn();
    expect(ended.slice(0, 3)).toEqual([false, false, true]);
  });

  it('lets the others run while one waits for a page', () => {
    const { turn, cpus, log, loop } = rig(2);
    let there = false;
    cpus[0]!.act = () => (there ? CpuExit.BUDGET : CpuExit.PAGE_WAIT);
    turn();
    expect(log.filter((entry) => entry.startsWith('0'))).toHaveLength(1);
    expect(log.at(-1)).toBe('1');
    there = true;
    loop.wake();
    log.length = 0;
    turn();
    turn();
    expect(log).toContain('0!');
  });

  it('sleeps when all wait for pages or are halted', () => {
    const { turn, cpus, log, loop } = rig(2);
    cpus[0]!.act = () => CpuExit.PAGE_WAIT;
    cpus[1]!.halted = true;
    turn();
    expect(turn()).toBe(false);
    expect(log).toEqual(['0']);
    loop.wake();
    expect(turn()).toBe(true);
    expect(log).toEqual(['0', '0']);
  });
});

describe('a throttled RunLoop', () => {
  /** A machine in real time: each slice takes a millisecond of it. */
  function throttled(percentage: number) {
    let ns = 0;
    let slices = 0;
    const queue: (() => void)[] = [];
    const timers: { at: number; callback: () => void }[] = [];
    const host = { monotonicNs: () => ns, wallNs: () => 0n };
    const clock = new MachineClock(new MachineMemory(65_536), host, { tscHz: 1e9 });
    const cpu = new NotingCpu(0, []);
    cpu.act = () => {
      ns += 1e6;
      slices++;
      return CpuExit.BUDGET;
    };
    const hooks = {
      soon: (callback: () => void) => void queue.push(callback),
      after: (ms: number, callback: () => void) => {
        const timer = { at: ns + ms * 1e6, callback };
        timers.push(timer);
        return { cancel: () => void timers.splice(timers.indexOf(timer), 1) };
      },
    };
    const loop = new RunLoop([cpu] as unknown as VCpu[], clock, host, hooks, {
      afterSlice: () => true,
      cpuShutdown: () => {},
      debugStop: () => {},
      failed: (error) => {
        throw error;
      },
    });
    loop.throttle = percentage;
    loop.start();
    return {
      loop,
      clock,
      slices: () => slices,
      now: () => ns,
      run: (ms: number) => {
        for (const end = ns + ms * 1e6; ns < end; ) {
          const next = queue.shift();
          if (next !== undefined) next();
          else {
            timers.sort((a, b) => b.at - a.at);
            const timer = timers.at(-1);
            if (timer === undefined || timer.at > end) {
              ns = end;
              break;
            }
            timers.pop();
            ns = Math.max(ns, timer.at);
            timer.callback();
          }
        }
      },
    };
  }

  it.each([
    [0, 1000],
    [20, 800],
    [50, 500],
    [99, 10],
  ])('at %i percent runs %i ms of each second', (percentage, wanted) => {
    const { slices, run } = throttled(percentage);
    run(1000);
    expect(Math.abs(slices() - wanted)).toBeLessThanOrEqual(Math.max(2, wanted / 50));
  });

  it('is not woken in a pause by interrupts, and runs on at once when the throttle ends', () => {
    const { loop, slices, run, now } = throttled(90);
    run(11);
    const before = slices();
    loop.wake();
    loop.wake(0);
    run(3);
    expect(slices()).toBe(before);
    loop.throttle = 0;
    const at = now();
    run(5);
    expect(slices() - before).toBe((now() - at) / 1e6);
  });

  it('lets timers expire in a pause', () => {
    const { clock, run } = throttled(90);
    let ticks = 0;
    const timer = clock.timer('tick', () => {
      ticks++;
      timer.arm(clock.now() + 1e6);
    });
    timer.arm(1e6);
    run(500);
    expect(ticks).toBeGreaterThan(400);
  });

  it('refuses what is no percentage', () => {
    const { loop } = throttled(0);
    for (const wrong of [-1, 100, Number.NaN]) expect(() => (loop.throttle = wrong)).toThrow(RangeError);
  });
});

describe('a vCPU with a limit on dirtying', () => {
  /** Slices of a millisecond; in each a vCPU dirties some pages. */
  function limited(pagesPerSlice: readonly number[]) {
    let ns = 0;
    const slices = pagesPerSlice.map(() => 0);
    const queue: (() => void)[] = [];
    const timers: { at: number; callback: () => void }[] = [];
    const host = { monotonicNs: () => ns, wallNs: () => 0n };
    const clock = new MachineClock(new MachineMemory(65_536), host, { tscHz: 1e9 });
    const cpus = pagesPerSlice.map((pages, index) => {
      const cpu = Object.assign(new NotingCpu(index, []), { dirtied: 2 ** 32 - 5 });
      cpu.act = () => {
        ns += 1e6;
        slices[index]!++;
        cpu.dirtied = (cpu.dirtied + pages) >>> 0;
        return CpuExit.BUDGET;
      };
      return cpu;
    });
    const hooks = {
      soon: (callback: () => void) => void queue.push(callback),
      after: (ms: number, callback: () => void) => {
        const timer = { at: ns + ms * 1e6, callback };
        timers.push(timer);
        return { cancel: () => void timers.splice(timers.indexOf(timer), 1) };
      },
    };
    const loop = new RunLoop(cpus as unknown as VCpu[], clock, host, hooks, {
      afterSlice: () => true,
      cpuShutdown: () => {},
      debugStop: () => {},
      failed: (error) => {
        throw error;
      },
    });
    loop.start();
    const run = (ms: number) => {
      for (const end = ns + ms * 1e6; ns < end; ) {
        const next = queue.shift();
        timers.sort((a, b) => b.at - a.at);
        if (next !== undefined) next();
        else if (timers.length === 0 || timers.at(-1)!.at > end) ns = end;
        else {
          const timer = timers.pop()!;
          ns = Math.max(ns, timer.at);
          timer.callback();
        }
      }
    };
    return { loop, cpus: cpus as unknown as VCpu[], slices, run };
  }

  it.each([
    [10, 1000],
    [100, 1000],
    [3, 250],
    [1, 5000],
  ])('dirties %i pages in a slice and %i in a second', (pages, limit) => {
    const { loop, cpus, slices, run } = limited([pages]);
    loop.limitDirtying(cpus[0]!, limit);
    run(10_000);
    const wanted = Math.min(1000, limit / pages) * 10;
    expect(Math.abs(slices[0]! - wanted)).toBeLessThanOrEqual(Math.max(2, wanted / 20));
    expect(loop.takeLongestRest() > 0).toBe(wanted < 10_000);
    expect(loop.takeLongestRest()).toBe(0);
  });

  it('rests while others run, and runs on when the limit is taken away', () => {
    const { loop, cpus, slices, run } = limited([10, 10]);
    loop.limitDirtying(cpus[0]!, 1000);
    run(1000);
    expect(slices[0]! / 100).toBeCloseTo(1, 0);
    expect(slices[1]!).toBeGreaterThan(850);
    loop.limitDirtying(cpus[0]!, undefined);
    run(1000);
    expect(slices[0]!).toBeGreaterThan(550);
  });

  it('refuses limits that are none, and CPUs that do not count', () => {
    const { loop, cpus } = limited([1]);
    for (const wrong of [0, -1, Number.NaN]) expect(() => loop.limitDirtying(cpus[0]!, wrong)).toThrow(RangeError);
    const plain = new NotingCpu(0, []) as unknown as VCpu;
    expect(() => loop.limitDirtying(plain, 5)).toThrow(TypeError);
  });
});
