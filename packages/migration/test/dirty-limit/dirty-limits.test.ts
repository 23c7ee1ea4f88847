import { PAGE_CLEAN_LIMIT } from '@sterna/core';
import { beforeEach, describe, expect, test } from 'vitest';
import { DirtyLimits } from '../../src/dirty-limit/dirty-limits.ts';
import type { DirtyingCpus } from '../../src/dirty-limit/dirtying-cpus.ts';
import { FakeHost } from '../support/fake-host.ts';
import { BLOCKS } from '../support/pair.ts';
import { SimLoop } from '../support/sim-loop.ts';

/** vCPUs that do what they are told. */
class Cpus implements DirtyingCpus {
  readonly count = 2;
  readonly counters = [2 ** 32 - 100, 0];
  readonly limits: (number | undefined)[] = [undefined, undefined];
  dirtied(index: number): number {
    return this.counters[index]!;
  }
  limit(index: number, pagesPerSecond: number | undefined): void {
    this.limits[index] = pagesPerSecond;
  }
  takeLongestRest(): number {
    return 5_000_000;
  }
}

let loop: SimLoop;
let cpus: Cpus;
let host: FakeHost & { dirtying?: DirtyingCpus };
let limits: DirtyLimits;
beforeEach(() => {
  loop = new SimLoop();
  cpus = new Cpus();
  host = Object.assign(new FakeHost('running', BLOCKS), { dirtying: cpus });
  limits = new DirtyLimits(host, loop.pace);
});

const pass = (ms: number) => loop.run(loop.pace.sleep(ms, new AbortController().signal));

function marked(): boolean {
  const { hostOffset } = host.block('fake.ram');
  return (host.u8[host.pageFlags + hostOffset / 4096]! & PAGE_CLEAN_LIMIT) !== 0;
}

describe('limits', () => {
  test('are MiB per second, of one vCPU or all, with the rate of the last period', async () => {
    limits.set(4);
    expect(cpus.limits).toEqual([1024, 1024]);
    limits.set(8, 1);
    expect(cpus.limits).toEqual([1024, 2048]);
    expect(marked()).toBe(true);
    await pass(500);
    // Its counter begins anew.
    cpus.counters[0] = 412;
    await pass(600);
    expect(limits.query()).toEqual([
      { 'cpu-index': 0, 'limit-rate': 4, 'current-rate': 2 },
      { 'cpu-index': 1, 'limit-rate': 8, 'current-rate': 0 },
    ]);
    expect(limits.longestRestUs).toBe(5000);
    limits.cancel(0);
    expect([limits.active, cpus.limits]).toEqual([true, [undefined, 2048]]);
    limits.set(0);
    expect([limits.active, cpus.limits, marked()]).toEqual([false, [undefined, undefined], false]);
    expect(limits.query()).toEqual([]);
    limits.cancel();
  });

  test('of a migration have its period, cannot be changed, and end with it', async () => {
    limits.begin(1, 100);
    expect(cpus.limits).toEqual([256, 256]);
    cpus.counters[1] = 256;
    await pass(50);
    expect(limits.query()[1]!['current-rate']).toBeCloseTo(10, 0);
    for (const change of [() => limits.set(5), () => limits.cancel()])
      expect(change).toThrow(expect.objectContaining({ code: 'STERNA_ERR_MIGRATION_STATE' }));
    limits.end();
    expect(cpus.limits).toEqual([undefined, undefined]);
    limits.set(5);
    limits.end();
    expect(limits.active).toBe(true);
    limits[Symbol.dispose]();
    expect(limits.active).toBe(false);
  });

  test.for([-1, Number.NaN])('of %d are refused', (rate) => {
    expect(() => limits.set(rate)).toThrow('dirty-rate');
  });

  test('of a vCPU that is not there, or does not count, are refused', () => {
    for (const index of [2, -1, 0.5]) expect(() => limits.set(1, index)).toThrow('incorrect cpu index');
    delete host.dirtying;
    expect(() => limits.set(1)).toThrow(expect.objectContaining({ code: 'STERNA_ERR_UNSUPPORTED' }));
  });
});
