import { defineDevice, isVmStateTable, type VmStateTable } from '@sterna/core';
import { dumpVmState } from '@sterna/migration';
import { type ConformanceOptions, conformance, type DeviceHarness, runConformance } from '@sterna/testkit';
import { describe, expect, it, test } from 'vitest';
import { alarm, Bell, type Mistake, makeBell } from './alarm.ts';

function options(): ConformanceOptions {
  return {
    provide: (scope) => scope.provide(Bell, makeBell()),
    operations: [
      { name: 'enable', run: (h) => h.write(0, 1) },
      { name: 'wait 1 ms', run: (h) => h.write(4, 1000) },
      { name: 'ring the bell', run: (h) => ringOf(h) },
      { name: '2 ms pass', run: (h) => h.advance(2_000_000) },
      { name: 'read COUNT', run: (h) => h.read(8) },
      { name: 'note', run: (h) => h.write(20, 0x41) },
      { name: 'wait 5 ms', run: (h) => h.write(4, 5000) },
    ],
  };
}

function ringOf(h: DeviceHarness): void {
  h.machine.scope.get(Bell).ring();
}

function publishedDump() {
  const { vmstate } = alarm().descriptor;
  if (!isVmStateTable(vmstate)) throw new Error('no table');
  return dumpVmState('bench', new Map([['alarm', { table: vmstate as VmStateTable<object> }]]));
}

describe('a device that keeps the rules', () => {
  for (const { name, skipped, run } of conformance(alarm(), { ...options(), published: publishedDump() }))
    if (skipped === undefined) test(name, run, 120_000);
});

/** The check that finds it, and what it says. */
const FINDINGS: Readonly<Record<Mistake, readonly [check: string, finding: RegExp]>> = {
  'forgotten field': [
    'migrates between any two operations',
    /state is lost: .*'rung'.*Add 'rung' to the fields of vmstate 'alarm'/,
  ],
  'irq not restored': ['migrates between any two operations', /interrupt line 0 is not restored.*postLoad/],
  'timer lost': ['migrates between any two operations', /a timer is lost: .*timer 'alarm'.*postLoad/],
  'version not bumped': [
    'is compatible with the published version',
    /not compatible with the published one.*rung_again.*Raise the version/,
  ],
  'length trusted': ['distrusts the stream', /is accepted, and then the device fails.*check it in postLoad/],
  'tap leaked': [
    'leaves nothing behind when unrealized',
    /still acts after unrealize: in 'ring the bell' its field 'rung'/,
  ],
  'host clock': [
    'whatever the guest does, the device answers',
    /Date\.now\(\) was called in a read at 0x8 of alarm: guest time is VirtualClock/,
  ],
  'state in a closure': [
    'migrates between any two operations',
    /behaves unlike one that stayed: .*state is in a closure/,
  ],
  'reset incomplete': ['reset is complete', /reset is incomplete: .*leaves 'count'/],
  'save with a side effect': ['saving has no side effect', /saving has a side effect: it changes 'count'/],
};

describe('a planted mistake is found, and its cause is named', () => {
  it.each(Object.entries(FINDINGS))(
    '%s',
    async (mistake, [check, finding]) => {
      const checks = conformance(alarm(mistake as Mistake), { ...options(), published: publishedDump() });
      await expect(checks.find(({ name }) => name === check)!.run()).rejects.toThrow(finding);
    },
    120_000,
  );
});

it('says what does not apply', async () => {
  const plain = defineDevice({
    name: 'plain',
    bus: 'sysbus',
    description: 'a constant',
    create: () => ({}),
    registers: () => ({ ID: { offset: 0, read: () => 42 } }),
    vmstate: 'stateless',
  });
  const results = await runConformance(plain);
  expect(results.filter(({ outcome }) => outcome === 'failed')).toEqual([]);
  expect(results.filter(({ outcome }) => outcome === 'skipped').map(({ message }) => message)).toEqual([
    'the device does no DMA',
    'the device has no live phases',
    'no published table was given',
  ]);
});
