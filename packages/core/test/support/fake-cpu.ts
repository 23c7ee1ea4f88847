import { type CpuBus, CpuExit, defineCpu, type RegisterView, type VCpu } from '@sterna/core';
import type { FakeHost } from './fake-host.ts';

/** A CPU whose "program" is a function per instruction; costs host time as told. */
export class FakeCpu implements VCpu {
  readonly index = 0;
  executed = 0;
  halted = false;
  resets = 0;
  flushes = 0;
  readonly sections = [];
  readonly bus: CpuBus;
  work = false;
  #limit = 0;

  constructor(bus: CpuBus) {
    this.bus = bus;
  }

  /** One instruction. */
  step: (cpu: FakeCpu) => void = () => {};
  /** Host ns that a slice of n instructions takes. */
  cost: (n: number) => number = (n) => n * 2;
  host: FakeHost | undefined;

  run(budget: number): CpuExit {
    this.executed = 0;
    this.halted = false;
    this.#limit = budget;
    while (this.executed < this.#limit && !this.halted) {
      this.executed++;
      this.step(this);
    }
    if (this.host !== undefined) this.host.ns += this.cost(this.executed);
    return this.halted ? CpuExit.HALT : CpuExit.BUDGET;
  }
  hasWork(): boolean {
    return this.work;
  }
  limitBudget(n: number): void {
    this.#limit = Math.min(this.#limit, this.executed + n);
  }
  requestExit(): void {
    this.#limit = 0;
  }
  reset(): void {
    this.resets++;
    this.halted = false;
  }
  flushTlb(): void {
    this.flushes++;
  }
  flushWriteTags(): void {}
  invalidateCode(): void {}
  registers(): readonly RegisterView[] {
    return [];
  }
  describe(): string {
    return '';
  }
  translateDebug(): undefined {
    return undefined;
  }
}

/** CPU type whose instances end up in `made`. */
export function fakeCpuType(made: FakeCpu[], host?: FakeHost) {
  return defineCpu({
    name: 'fake',
    description: 'test CPU',
    properties: {},
    hasTimestampCounter: true,
    create: (_, { bus }) => {
      const cpu = new FakeCpu(bus);
      cpu.host = host;
      made.push(cpu);
      return cpu;
    },
  });
}
