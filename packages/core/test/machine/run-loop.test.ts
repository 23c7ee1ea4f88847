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
