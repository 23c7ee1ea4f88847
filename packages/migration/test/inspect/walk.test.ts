import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { StreamError } from '../../src/errors.ts';
import { leavesOf, pathPattern } from '../../src/inspect/fields.ts';
import type { StreamItem } from '../../src/inspect/items.ts';
import { meaningOf } from '../../src/inspect/meaning.ts';
import { applyXbzrle, RamImage } from '../../src/inspect/ram-image.ts';
import { MemorySource } from '../../src/inspect/source.ts';
import { diffStreams, ignoring } from '../../src/inspect/stream-diff.ts';
import { walkStream } from '../../src/inspect/walk.ts';
import { COMMAND, RAM_FLAG, SECTION } from '../../src/stream/constants.ts';
import { ByteSink } from '../../src/stream/cursor.ts';
import type { VmDescription } from '../../src/vmstate/describe.ts';

const PAGE = 4096;
const DESCRIPTION: VmDescription = {
  page_size: PAGE,
  devices: [
    {
      name: 'thing',
      instance_id: 1,
      vmsd_name: 'thing',
      version: 2,
      fields: [
        { name: 'count', type: 'uint32', size: 4 },
        { name: 'list', array_len: 3, type: 'uint16', size: 2 },
      ],
      subsections: [{ vmsd_name: 'thing/more', version: 1, fields: [{ name: 'flag', type: 'bool', size: 1 }] }],
    },
  ],
};

interface Content {
  readonly count?: number;
  readonly pages?: readonly (readonly [address: number, fill: number])[];
  readonly encoded?: readonly (readonly [address: number, data: readonly number[]])[];
  readonly described?: boolean;
}

/** A stream with a block of four pages and a device. */
function stream({
  count = 7,
  pages = [
    [0, 1],
    [PAGE, 0],
  ],
  encoded = [],
  described = true,
}: Content = {}): Uint8Array {
  const sink = new ByteSink();
  sink.u32(0x5145564d);
  sink.u32(3);
  sink.u8(SECTION.configuration);
  sink.u32(3);
  for (const char of 'box') sink.u8(char.charCodeAt(0));
  sink.u8(SECTION.command);
  sink.u16(COMMAND.ping);
  sink.u16(4);
  sink.u32(1);
  section(sink, SECTION.start, () => {
    sink.countedString('ram');
    sink.u32(0);
    sink.u32(4);
    sink.u64(4 * PAGE + RAM_FLAG.memSize);
    sink.countedString('mem');
    sink.u64(4 * PAGE);
    sink.u64(RAM_FLAG.multifdFlush);
    sink.u64(RAM_FLAG.eos);
  });
  section(sink, SECTION.end, () => {
    for (const [address, fill] of pages) {
      sink.u64(address + (fill === 0 ? RAM_FLAG.zero : RAM_FLAG.page));
      sink.countedString('mem');
      if (fill === 0) sink.u8(0);
      else sink.bytes(new Uint8Array(PAGE).fill(fill));
    }
    for (const [address, data] of encoded) {
      sink.u64(address + RAM_FLAG.xbzrle);
      sink.countedString('mem');
      sink.u8(1);
      sink.u16(data.length);
      sink.bytes(Uint8Array.from(data));
    }
    sink.u64(RAM_FLAG.eos);
  });
  section(
    sink,
    SECTION.full,
    () => {
      sink.countedString('thing');
      sink.u32(1);
      sink.u32(2);
      sink.u32(count);
      for (const value of [1, 2, 3]) sink.u16(value);
      sink.u8(SECTION.subsection);
      sink.countedString('thing/more');
      sink.u32(1);
      sink.u8(1);
    },
    9,
  );
  sink.u8(SECTION.eof);
  if (described) {
    const json = new TextEncoder().encode(JSON.stringify(DESCRIPTION));
    sink.u8(SECTION.vmdescription);
    sink.u32(json.length);
    sink.bytes(json);
  }
  return sink.data.slice();
}

function section(sink: ByteSink, type: number, body: () => void, id = 2): void {
  sink.u8(type);
  sink.u32(id);
  body();
  sink.u8(SECTION.footer);
  sink.u32(id);
}

const walk = (bytes: Uint8Array) => [...walkStream(new MemorySource(bytes))];
const side = (bytes: Uint8Array) => ({ source: new MemorySource(bytes) });

describe('walking a stream', () => {
  test('shows every part, with paths and values', () => {
    const items = walk(stream());
    expect(items.map(({ type }) => type)).toEqual([
      'header',
      'configuration',
      'command',
      'section',
      'section',
      'section',
      'eof',
      'vmdescription',
    ]);
    const [start, end, device] = items.filter((item) => item.type === 'section');
    expect(start!.body).toMatchObject({ kind: 'ram', summary: { blocks: [{ name: 'mem', length: 4 * PAGE }] } });
    expect(start!.body.kind === 'ram' && start!.body.summary.multifdFlushes).toHaveLength(1);
    expect(end!.body).toMatchObject({ kind: 'ram', summary: { normal: 1, zero: 1 } });
    expect([...leavesOf(device!)].map(({ path, value }) => [path, value])).toEqual([
      ['thing/1/count', 7n],
      ['thing/1/list[0]', 1n],
      ['thing/1/list[1]', 2n],
      ['thing/1/list[2]', 3n],
      ['thing/1/more/flag', true],
    ]);
    const offsets = [...leavesOf(device!)].map(({ offset }) => offset - device!.bodyOffset);
    expect(offsets).toEqual([0, 4, 6, 8, 26]);
  });

  test('a stream without a description is walked to its end', () => {
    const items = walk(stream({ described: false }));
    expect(items.at(-1)!.type).toBe('eof');
    expect(items.at(-2)).toMatchObject({ idstr: 'thing', body: { kind: 'bytes' }, bodyLength: 27, footer: true });
  });

  test('cut anywhere it shows what was there, and says where it ends', () => {
    const whole = stream();
    const names = walk(whole).map(shape);
    fc.assert(
      fc.property(fc.integer({ min: 0, max: whole.length - 1 }), (length) => {
        const items = walk(whole.subarray(0, length));
        const last = items.at(-1)!;
        // A cut right behind the end mark leaves nothing out that a destination needs.
        if (last.type === 'eof') return;
        expect(last.type).toBe('damage');
        expect(last.offset).toBeLessThanOrEqual(length);
        const shown = items.slice(0, -1).map(shape);
        expect(shown).toEqual(names.slice(0, shown.length));
      }),
    );
  });

  test('whatever the bytes are, it ends and throws nothing', () => {
    const whole = stream();
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { minLength: 1, maxLength: 8 }),
        (changes) => {
          const bytes = whole.slice();
          for (const [at, value] of changes) bytes[at] = value;
          const source = new MemorySource(bytes);
          expect([...walkStream(source, { ram: new RamImage(source) })].length).toBeLessThan(10_000);
        },
      ),
      { numRuns: 500 },
    );
  });
});

/** What an item is, also when it is not complete. */
function shape(item: StreamItem): string {
  return item.type === 'section' ? `${item.kind} ${item.idstr}` : item.type;
}

describe('RAM as it is after loading', () => {
  test('has whole, zero and encoded pages, and says what it has not', () => {
    const bytes = stream({
      pages: [
        [0, 1],
        [PAGE, 0],
      ],
      encoded: [
        [0, [2, 3, 9, 9, 9]],
        [0, [3, 1, 8]],
      ],
    });
    const source = new MemorySource(bytes);
    const image = new RamImage(source);
    for (const _ of walkStream(source, { ram: image }));
    const page = new Uint8Array(PAGE);
    expect(image.read('mem', 0, page)).toBe(true);
    expect([...page.subarray(0, 6)]).toEqual([1, 1, 9, 8, 9, 1]);
    expect(image.read('mem', 1, page)).toBe(true);
    expect(page.every((byte) => byte === 0)).toBe(true);
    expect(image.read('mem', 2, page)).toBe(false);
    expect(image.read('other', 0, page)).toBe(false);
  });

  test.for([
    ['an empty run', [1, 1, 5, 0, 1, 5]],
    ['no changed bytes', [1, 0]],
    ['bytes behind the page', [0xff, 0x1f, 2, 1, 1]],
    ['fewer bytes than said', [0, 5, 1]],
    ['a length of three bytes', [0x80, 0x80, 1]],
  ] as const)('encoded pages with %s are refused', ([, data]) => {
    expect(() => applyXbzrle(new Uint8Array(PAGE), Uint8Array.from(data), 0)).toThrow(StreamError);
  });
});

describe('comparing streams', () => {
  test('equal ones do not differ', async () => {
    expect(await diffStreams(side(stream()), side(stream()))).toMatchObject({ fields: [], pageCount: 0, damage: [] });
  });

  test('fields and pages are named, with both values', async () => {
    const a = stream({
      pages: [
        [0, 1],
        [PAGE, 0],
        [2 * PAGE, 4],
      ],
    });
    const b = stream({
      count: 8,
      pages: [
        [0, 1],
        [PAGE, 3],
        [2 * PAGE, 5],
        [3 * PAGE, 0],
      ],
    });
    const diff = await diffStreams(side(a), side(b));
    expect(diff.fields).toEqual([{ path: 'thing/1/count', a: '0x7', b: '0x8' }]);
    expect(diff.pages).toMatchObject([{ block: 'mem', address: PAGE, pages: 2, at: PAGE }]);
    expect(diff.pages[0]!.b).toEqual(new Uint8Array(16).fill(3));
    expect(diff.pageCount).toBe(2);
    const ignored = await diffStreams(side(a), side(b), ignoring(['thing/*/count', '@ram']));
    expect(ignored).toMatchObject({ fields: [], pageCount: 0, ignored: 3 });
    expect(() => ignoring(['@nonsense'])).toThrow('there is no set @nonsense');
  });

  test('a section that only one has is one difference', async () => {
    const bytes = stream();
    const device = walk(bytes).find((item) => item.type === 'section' && item.kind === 'full')!;
    const without = Buffer.concat([bytes.subarray(0, device.offset), bytes.subarray(device.offset + 50)]);
    const diff = await diffStreams(side(bytes), side(without));
    expect(diff.fields).toEqual([{ path: 'thing/1', a: 'section', b: undefined }]);
  });

  test('damage is told, and compared up to there', async () => {
    const diff = await diffStreams(side(stream()), side(stream().subarray(0, 300)));
    expect(diff.damage).toMatchObject([{ stream: 'b' }]);
  });
});

test.for([
  ['apic/0', 'apic/0/lvt[2]', true],
  ['apic/0/...', 'apic/0/lvt[2]', true],
  ['apic/0/lvt', 'apic/0/lvt[2]', true],
  ['apic/0/lvt[2]', 'apic/0/lvt[2]', true],
  ['apic/*/LVT[?]', 'apic/0/lvt[2]', true],
  ['**/lvt[2]', 'apic/0/lvt[2]', true],
  ['apic/0/lv', 'apic/0/lvt[2]', false],
  ['*', 'apic/0/lvt[2]', true],
  ['*/lvt[2]', 'apic/0/lvt[2]', false],
  ['apic/0/l.t', 'apic/0/lvt', false],
] as const)('pattern %s and path %s', ([pattern, path, expected]) => {
  expect(pathPattern(pattern)(path)).toBe(expected);
});

test.for([
  ['cpu/0/env.eflags', 0x246n, 'PF ZF IF'],
  ['cpu/0/env.segs[1]/flags', 0xa09b00n, 'CS code, DPL 0, 64 bits'],
  ['apic/0/lvt[0]', 0x200ecn, 'timer: vector 236, periodic'],
  ['ioapic/0/ioredtbl[4]', 0x10000n, 'masked'],
  ['i8259/1/irr', 3n, 'lines 8, 9'],
  ['thing/0/x', 3n, undefined],
] as const)('the meaning of %s', ([path, value, text]) => {
  expect(meaningOf({ path, type: 'uint64', offset: 0, size: 8, value })).toBe(text);
});
