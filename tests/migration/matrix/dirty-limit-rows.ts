import { expect } from 'vitest';
import { Patience } from '../../support/vm.ts';
import { type Info, NEVER, PatternPair, PatternVm, SOON } from './pattern-pair.ts';
import type { Row } from './row.ts';

/** MiB per second, and how far off a rate may be (under QEMU 25). */
const [LIMIT, TOLERANCE] = [2, 1];

/** Element of `query-vcpu-dirty-limit`. */
interface Limit {
  readonly 'cpu-index': number;
  readonly 'limit-rate': number;
  readonly 'current-rate': number;
}

async function limits(vm: PatternVm): Promise<readonly Limit[]> {
  return (await vm.qmp('query-vcpu-dirty-limit')) as readonly Limit[];
}

/** Waits for a period that ends with a rate. */
async function rate(vm: PatternVm, what: string, condition: (rate: number) => boolean): Promise<number> {
  const patience = new Patience(60_000);
  for (;;) {
    const current = (await limits(vm))[0]!['current-rate'];
    if (condition(current)) return current;
    if (patience.over) throw new Error(`waited for ${what}, the rate is ${current}`);
    await patience.pause(100);
  }
}

/** As QEMU's test: a guest that writes as fast as it can keeps to its limit, and no longer when that is taken away. */
async function vcpuDirtyLimit(): Promise<void> {
  await using vm = await PatternVm.start('sterna', ['-S'], {});
  await vm.boot();
  expect(await limits(vm)).toEqual([]);
  await vm.qmp('set-vcpu-dirty-limit', { 'dirty-rate': 10_000 });
  // However busy the host is.
  await rate(vm, 'a rate far above the limit', (current) => current > 3 * LIMIT);
  await vm.qmp('set-vcpu-dirty-limit', { 'cpu-index': 0, 'dirty-rate': LIMIT });
  expect(await limits(vm)).toMatchObject([{ 'cpu-index': 0, 'limit-rate': LIMIT }]);
  // The period in which it was set is neither.
  await rate(vm, 'the limit', (current) => Math.abs(current - LIMIT) <= TOLERANCE);
  await expect(vm.qmp('set-vcpu-dirty-limit', { 'cpu-index': 5, 'dirty-rate': 1 })).rejects.toThrow(/cpu index/);
  await vm.qmp('cancel-vcpu-dirty-limit');
  expect(await limits(vm)).toEqual([]);
  await vm.qmp('cancel-vcpu-dirty-limit');
  await vm.saysB();
}

function restOf(info: Info): number | undefined {
  return (info as { 'dirty-limit-throttle-time-per-round'?: number })['dirty-limit-throttle-time-per-round'];
}

/** A migration that does not converge limits the guest; cancelled it lets it run, and tried again it moves it. */
async function dirtyLimit(): Promise<void> {
  await using pair = await PatternPair.start({ capabilities: ['dirty-limit'] });
  const { source } = pair;
  await expect(source.capability('auto-converge')).rejects.toThrow(/auto-converge/);
  await source.boot();
  await source.parameters({ ...NEVER, 'vcpu-dirty-limit': 1, 'x-vcpu-dirty-limit-period': 500 });
  await pair.begin(`unix:${pair.path('mig')}`);
  await source.parameters({ 'max-bandwidth': 30_000_000 });
  await source.until('limits', (info) => (restOf(info) ?? 0) > 0);
  expect(await limits(source)).toMatchObject([{ 'limit-rate': 1 }]);
  await expect(source.qmp('set-vcpu-dirty-limit', { 'dirty-rate': 5 })).rejects.toThrow(/dirty-limit/);
  await source.qmp('migrate_cancel');
  await source.status('cancelled');
  expect(await limits(source)).toEqual([]);
  await source.saysB();
  await pair.destination.until('the end', ({ status }) => status === 'failed');
  await source.parameters(SOON);
  source.vm.events.length = 0;
  await pair.begin(`unix:${pair.path('mig')}`);
  await pair.finish();
  expect(await limits(source)).toEqual([]);
}

/** QEMU's tests of limits on dirtying. */
export const DIRTY_LIMIT_ROWS: readonly Row[] = [
  {
    name: 'vcpu_dirty_limit',
    proves: 'a vCPU keeps to its limit, until that is taken away',
    note: 'the engine counts, without a dirty ring',
    directions: [],
    longDirections: [{ from: 'sterna', to: 'sterna' }],
    run: vcpuDirtyLimit,
  },
  {
    name: 'dirty_limit',
    proves:
      'a migration that does not converge limits the guest; cancelled, the guest runs free; a second one succeeds',
    directions: [],
    longDirections: [{ from: 'sterna', to: 'sterna' }],
    run: dirtyLimit,
  },
  { name: 'dirty_ring', proves: 'pages found by the dirty ring', instead: 'not planned: only KVM has the ring' },
];
