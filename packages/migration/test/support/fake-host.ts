import type { RunState, VmStateTable } from '@sterna/core';
import { type BlockShape, SimHost } from '@sterna/testkit';
import type { StateSection } from '../../src/host.ts';

/** A device with a little state. */
export class Counter {
  ticks = 0;
  deadline = -1n;
  readonly log: Uint32Array = new Uint32Array(4);
}

/** Its table. */
export const counterTable: VmStateTable<Counter> = {
  name: 'counter',
  version: 2,
  minimumVersion: 1,
  fields: ({ u32, timer, array, unused }) => [
    u32('ticks'),
    unused(3),
    timer('deadline', { since: 2 }),
    array('u32', 'log', 4),
  ],
  subsections: [
    { name: 'counter/late', version: 1, needed: (counter) => counter.ticks > 5, fields: ({ u32 }) => [u32('ticks')] },
  ],
};

/** A simulated machine with one plain device, to which tests add others. */
export class FakeHost extends SimHost {
  readonly counter: Counter = new Counter();
  extra: StateSection[] = [];

  constructor(runState: RunState, blocks: readonly BlockShape[], machineName?: string) {
    super(runState, blocks, machineName);
  }
  override sections(): readonly StateSection[] {
    return [{ idstr: 'counter', instanceId: 0, vmstate: counterTable, state: this.counter }, ...this.extra];
  }
}
