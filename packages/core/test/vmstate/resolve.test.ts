import { expect, test } from 'vitest';
import { wireName } from '../../src/vmstate/builder.ts';
import { resolveVmState } from '../../src/vmstate/resolve.ts';
import type { VmStateTable } from '../../src/vmstate/table.ts';

class Pit {
  lastIrr = 3;
  count = 2;
  elements = [1, 2, 3];
}

const table: VmStateTable<Pit> = {
  name: 'pit',
  version: 3,
  minimumVersion: 2,
  fields: ({ u8, array, unused }) => [
    u8('lastIrr'),
    u8('count', { name: 'n', since: 3 }),
    array('i32', 'elements', 'count'),
    unused(8),
  ],
  subsections: [{ name: 'pit/part', version: 1, needed: (pit) => pit.count > 0 }],
};

test('keys become wire names in snake_case', () => {
  expect(['lastIrr', 'init4', 'rotateOnAutoEoi', 'CTRL'].map(wireName)).toEqual([
    'last_irr',
    'init4',
    'rotate_on_auto_eoi',
    'c_t_r_l',
  ]);
});

test('resolves fields in order with names, versions and counts', () => {
  const pit = new Pit();
  const { fields } = resolveVmState(table);
  expect(fields.map((field) => [field.kind, field.name, field.since])).toEqual([
    ['scalar', 'last_irr', 0],
    ['scalar', 'n', 3],
    ['scalar', 'elements', 0],
    ['unused', 'unused', 0],
  ]);
  const elements = fields[2]!;
  if (elements.kind !== 'scalar' || typeof elements.count !== 'function') throw new Error('not a counted array');
  expect([elements.count(pit), elements.maxCount?.(pit), elements.get(pit, 1)]).toEqual([2, 3, 2]);
  elements.set(pit, 9, 1);
  expect(pit.elements).toEqual([1, 9, 3]);
});

test('resolves a table once', () => {
  expect(resolveVmState(table)).toBe(resolveVmState(table));
});

test('refuses tables that break the format', () => {
  const broken = (change: Partial<VmStateTable<Pit>>) => () => resolveVmState({ ...table, ...change });
  expect(broken({ name: 'x'.repeat(256) })).toThrow('longer than 255 bytes');
  expect(broken({ minimumVersion: 4 })).toThrow('above version 3');
  expect(broken({ fields: ({ u8 }) => [u8('count', { since: 4 })] })).toThrow('since 4');
  expect(broken({ subsections: [{ name: 'other', version: 1, needed: () => true }] })).toThrow("parent's name");
  expect(broken({ subsections: [{ name: 'pit/x', version: 256, needed: () => true }] })).toThrow('8 bits');
});

test('timers are armed and cancelled by a load, wide numbers are checked', () => {
  const dev = {
    nextTime: 5.75,
    held: 7n,
    timer: {
      expiryNs: 9.5,
      arm(ns: number) {
        this.expiryNs = ns;
      },
      cancel() {
        this.expiryNs = -1;
      },
    },
  };
  const { fields } = resolveVmState<typeof dev>({
    name: 't',
    version: 1,
    fields: ({ ns, timer }) => [ns('nextTime'), timer('held'), timer('timer')],
  });
  const scalars = fields.filter((field) => field.kind === 'scalar');
  expect(scalars.map((field) => [field.name, field.type, field.get(dev, 0)])).toEqual([
    ['next_time', 'i64', 5n],
    ['held', 'timer', 7n],
    ['timer', 'timer', 9n],
  ]);
  for (const field of scalars) field.set(dev, 11n, 0);
  expect([dev.nextTime, dev.held, dev.timer.expiryNs]).toEqual([11, 11n, 11]);
  scalars[2]!.set(dev, -1n, 0);
  expect(dev.timer.expiryNs).toBe(-1);
  expect(() => scalars[0]!.set(dev, 1n << 60n, 0)).toThrow(RangeError);
});
