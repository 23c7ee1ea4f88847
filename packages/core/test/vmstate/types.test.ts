/** Compile-time promises of the vmstate tables: checked by tsc, run only to prove the file loads. */
import { expect, test } from 'vitest';
import {
  type AnyVmState,
  isVmStateTable,
  unmigratable,
  type VmState,
  type VmStateTable,
} from '../../src/vmstate/table.ts';

class Uart {
  divider = 0;
  pending = false;
  lastUpdate = 0n;
  fifo = new Uint8Array(16);
  readonly words = new Uint32Array(4);
  readonly wide = new BigUint64Array(2);
  line = { level: 0 };
  channels = [{ count: 0 }, { count: 1 }];
  timeout = { expiryNs: -1, arm(_ns: number): void {}, cancel(): void {} };
  alarm = { expiryNs: -1n, arm(_ns: bigint): void {}, cancel(): void {} };
  setDivider(value: number): void {
    this.divider = value;
  }
}

const lineTable: VmStateTable<{ level: number }> = { name: 'line', version: 1, fields: ({ u8 }) => [u8('level')] };
const channelTable: VmStateTable<{ count: number }> = { name: 'ch', version: 1, fields: ({ i32 }) => [i32('count')] };

const state: VmState<Uart> = {
  name: 'uart',
  version: 2,
  minimumVersion: 1,
  fields: ({ u16, bool, u64, timer, ns, size, array, buffer, struct, structArray, tmp, unused, custom }) => [
    u16('divider', { since: 2 }),
    bool('pending'),
    u64('lastUpdate', { name: 'last' }),
    timer('lastUpdate'),
    timer('timeout'),
    timer('alarm'),
    ns('divider'),
    size('divider'),
    array('u32', 'words', 4),
    array('u64', 'wide', (uart) => uart.divider),
    array('u8', 'fifo', 'divider'),
    buffer('fifo', { size: 8 }),
    u16({ name: 'derived', get: (uart) => uart.divider, set: (uart, value) => uart.setDivider(value) }),
    struct('line', lineTable),
    structArray('channels', channelTable, 2),
    tmp('tmp', { name: 'part', version: 1, fields: ({ bool: flag }) => [flag('pending')] }),
    unused(4, { when: (uart, version) => uart.pending && version > 1 }),
    custom({
      name: 'blob',
      type: 'blob',
      save: (uart, stream) => stream.bytes(uart.fifo),
      load: (uart, stream) => stream.bytesInto(uart.fifo),
    }),
  ],
  subsections: [{ name: 'uart/line', version: 1, needed: (uart) => uart.pending, fields: ({ u8 }) => [u8('divider')] }],
  postLoad(uart, version) {
    if (uart.divider > version) throw new RangeError('divider');
  },
};

const wrong: VmStateTable<Uart> = {
  name: 'uart',
  version: 1,
  fields: ({ u16, u64, bool, array, struct, structArray }) => [
    // @ts-expect-error a key that does not exist
    u16('dividr'),
    // @ts-expect-error a bigint does not fit a 16-bit field
    u16('lastUpdate'),
    // @ts-expect-error a number does not hold 64 bits
    u64('divider'),
    // @ts-expect-error a number is not a truth value
    bool('divider'),
    // @ts-expect-error 64-bit elements need a bigint array
    array('u64', 'words', 4),
    // @ts-expect-error 32-bit elements are numbers
    array('u32', 'wide', 2),
    // @ts-expect-error the count must come from a number
    array('u32', 'words', 'pending'),
    // @ts-expect-error the table is for another shape
    struct('line', channelTable),
    // @ts-expect-error not an array of structs
    structArray('line', lineTable, 1),
    // @ts-expect-error a derived value of the wrong type
    u64({ name: 'x', get: (uart) => uart.divider, set: () => {} }),
  ],
};

// @ts-expect-error a table needs a version
const versionless: VmState<Uart> = { name: 'uart', fields: () => [] };

// @ts-expect-error a subsection needs a condition
const unconditional: VmState<Uart> = { name: 'u', version: 1, subsections: [{ name: 'u/x', version: 1 }] };

// @ts-expect-error no other words
const word: VmState<Uart> = 'none';

// Lists of sections hold tables of different devices: that must need no cast.
const listed: readonly AnyVmState[] = [state, lineTable, 'stateless'];
test('a declaration is a table, stateless or unmigratable', () => {
  const declared: VmState<Uart>[] = [state, 'stateless', unmigratable('holds a host file')];
  expect(declared.map((one) => isVmStateTable(one))).toEqual([true, false, false]);
  expect([wrong, versionless, unconditional, word, listed[1]]).toHaveLength(5);
});
