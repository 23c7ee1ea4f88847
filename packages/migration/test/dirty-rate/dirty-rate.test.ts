import { PAGE_CLEAN_RATE, PAGE_UNTOUCHED } from '@sterna/core';
import { describe, expect, it } from 'vitest';
import { DirtyRateMeter } from '../../src/dirty-rate/dirty-rate-meter.ts';
import { FakeHost } from '../support/fake-host.ts';
import { SimLoop } from '../support/sim-loop.ts';

const MIB = 2 ** 20;
const PAGE = 4096;

function bench(blocks: ConstructorParameters<typeof FakeHost>[1] = [['ram', 256 * MIB]]) {
  const host = new FakeHost('running', blocks);
  const loop = new SimLoop();
  let seed = 1;
  const random = () => {
    seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fff_ffff;
    return seed / 0x8000_0000;
  };
  const meter = new DirtyRateMeter(host, { pace: loop.pace, wallNs: () => 1_700_000_000_500_000_000n, random });
  /** A store by the guest into each of the pages. */
  const write = (pages: number, value = 1) => {
    for (let page = 0; page < pages; page++) {
      const at = host.blocks[0]!.hostOffset + page * PAGE;
      host.u8[at] = value;
      host.u8[host.pageFlags + at / PAGE] = 0;
    }
  };
  const rate = async (request: Parameters<typeof meter.start>[0], meanwhile: () => void) => {
    const { ended } = meter.start(request);
    loop.after((request['calc-time'] * (request['calc-time-unit'] === 'millisecond' ? 1 : 1000)) / 2, meanwhile);
    await loop.run(ended);
    return meter.query()['dirty-rate'];
  };
  return { host, loop, meter, write, rate };
}

describe('dirty rate', () => {
  it('answers as QEMU before and while it measures', async () => {
    const { meter, loop } = bench();
    expect(meter.query()).toEqual({
      status: 'unstarted',
      'start-time': 0,
      'calc-time': 0,
      'calc-time-unit': 'second',
      'sample-pages': 0,
      mode: 'page-sampling',
    });
    const { ended } = meter.start({ 'calc-time': 2 });
    expect(meter.query('millisecond')).toEqual({
      status: 'measuring',
      'start-time': 1_700_000_000,
      'calc-time': 2000,
      'calc-time-unit': 'millisecond',
      'sample-pages': 512,
      mode: 'page-sampling',
    });
    expect(() => meter.start({ 'calc-time': 1 })).toThrow('already being measured');
    await loop.run(ended);
    expect(meter.query()).toMatchObject({ status: 'measured', 'dirty-rate': 0, 'calc-time': 2 });
  });

  it('refuses what QEMU refuses', () => {
    const { meter } = bench();
    for (const [request, why] of [
      [{ 'calc-time': 0 }, '[50 ms, 60000 ms]'],
      [{ 'calc-time': 61 }, '[50 ms, 60000 ms]'],
      [{ 'calc-time': 49, 'calc-time-unit': 'millisecond' }, '[50 ms, 60000 ms]'],
      [{ 'calc-time': 1, 'sample-pages': 127 }, '[128, 16384]'],
      [{ 'calc-time': 1, 'sample-pages': 16_385 }, '[128, 16384]'],
      [{ 'calc-time': 1, 'sample-pages': 512, mode: 'dirty-bitmap' }, 'page-sampling only'],
      [{ 'calc-time': 1, mode: 'dirty-ring' }, 'count the pages'],
    ] as const)
      expect(() => meter.start(request)).toThrow(why);
    expect(meter.query().status).toBe('unstarted');
  });

  it('counts every written page with the bitmap, beside a migration', async () => {
    const { host, write, rate } = bench();
    const first = host.pageFlags + host.blocks[0]!.hostOffset / PAGE;
    const flags = host.u8.subarray(first, first + (256 * MIB) / PAGE);
    expect(flags[0]).toBe(PAGE_UNTOUCHED);
    const request = { 'calc-time': 1, mode: 'dirty-bitmap' } as const;
    expect(await rate(request, () => write((64 * MIB) / PAGE))).toBe(63);
    expect(flags.some((flag) => (flag & PAGE_CLEAN_RATE) !== 0)).toBe(false);
    expect(await rate(request, () => {})).toBe(0);
  });

  it('estimates by samples of large blocks', async () => {
    const { write, rate } = bench([
      ['ram', 256 * MIB],
      ['small', MIB],
    ]);
    const request = { 'calc-time': 500, 'calc-time-unit': 'millisecond', 'sample-pages': 4096 } as const;
    const found = await rate(request, () => write((128 * MIB) / PAGE));
    expect(found).toBeGreaterThan(230);
    expect(found).toBeLessThan(280);
    // The same bytes once more are no change.
    expect(await rate(request, () => write((128 * MIB) / PAGE))).toBe(0);
    expect(await rate(request, () => write(0))).toBe(0);
  });

  it('counts for each vCPU what it was the first to write', async () => {
    const { host, meter, rate } = bench();
    const counters = [10, 2 ** 32 - 5];
    Object.assign(host, {
      dirtying: { count: 2, dirtied: (index: number) => counters[index]!, limit: () => {}, takeLongestRest: () => 0 },
    });
    const found = await rate({ 'calc-time': 1, mode: 'dirty-ring' }, () => {
      counters[0] = 10 + 1024 * 10;
      counters[1] = 1024 * 3 - 5;
    });
    expect(found).toBe(39 + 11);
    expect(meter.query()['vcpu-dirty-rate']).toEqual([
      { id: 0, 'dirty-rate': 39 },
      { id: 1, 'dirty-rate': 11 },
    ]);
  });

  it('finds nothing in small blocks', async () => {
    const { write, rate } = bench([['ram', 64 * MIB]]);
    expect(await rate({ 'calc-time': 1 }, () => write(100))).toBe(0);
  });

  it('ends with its machine', async () => {
    const { meter, loop } = bench();
    const { ended } = meter.start({ 'calc-time': 60 });
    meter[Symbol.dispose]();
    await loop.run(ended);
  });
});
