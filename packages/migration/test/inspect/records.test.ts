import { describe, expect, test } from 'vitest';
import { StreamError } from '../../src/errors.ts';
import { findDescription } from '../../src/inspect/description.ts';
import { encodeStream, parseStream, type StreamRecord } from '../../src/inspect/records.ts';
import { MemorySource } from '../../src/inspect/source.ts';
import { COMMAND, RAM_FLAG, SECTION } from '../../src/stream/constants.ts';
import { ByteSink } from '../../src/stream/cursor.ts';
import type { VmDescription } from '../../src/vmstate/describe.ts';

const DESCRIPTION: VmDescription = {
  page_size: 4096,
  devices: [
    {
      name: 'thing',
      instance_id: 7,
      vmsd_name: 'thing',
      version: 1,
      fields: [{ name: 'value', type: 'uint32', size: 4 }],
    },
  ],
};
const json = new TextEncoder().encode(JSON.stringify(DESCRIPTION));

/** A stream with every kind of record, with the bytes that `change` puts between header and end. */
function stream(middle: (sink: ByteSink) => void, { version = 3, magic = 0x5145564d } = {}): Uint8Array {
  const sink = new ByteSink();
  sink.u32(magic);
  sink.u32(version);
  middle(sink);
  sink.u8(SECTION.eof);
  sink.u8(SECTION.vmdescription);
  sink.u32(json.length);
  sink.bytes(json);
  return sink.data.slice();
}

function full(sink: ByteSink, idstr = 'thing', footer = 9): void {
  sink.u8(SECTION.full);
  sink.u32(9);
  sink.countedString(idstr);
  sink.u32(7);
  sink.u32(1);
  sink.u32(0x01020304);
  sink.u8(SECTION.footer);
  sink.u32(footer);
}

describe('records that no golden stream has', () => {
  test('come back byte by byte', () => {
    const records: StreamRecord[] = [
      { type: 'header', offset: 0, version: 3 },
      {
        type: 'configuration',
        offset: 8,
        machine: 'box',
        subsections: [
          { name: 'configuration/target-page-bits', version: 1, body: Uint8Array.of(0, 0, 0, 12) },
          { name: 'configuration/uuid', version: 1, body: new Uint8Array(16).fill(5) },
          {
            name: 'configuration/capabilities',
            version: 1,
            body: Uint8Array.of(0, 0, 0, 1, 2, 0x61, 0x62),
          },
        ],
      },
      { type: 'command', offset: 0, command: COMMAND.ping, payload: Uint8Array.of(0, 0, 0, 1) },
      {
        type: 'ram',
        offset: 0,
        kind: 'start',
        id: 2,
        instance: 0,
        version: 4,
        records: [
          { flags: RAM_FLAG.page, address: 0x5000, block: 'ram', data: new Uint8Array(4096).fill(3) },
          { flags: RAM_FLAG.xbzrle | RAM_FLAG.continue, address: 0x6000, data: Uint8Array.of(1, 2, 3) },
          { flags: RAM_FLAG.zero | RAM_FLAG.continue, address: 0x7000, data: Uint8Array.of(0) },
          { flags: RAM_FLAG.multifdFlush, address: 0 },
          { flags: RAM_FLAG.eos, address: 0 },
        ],
      },
    ];
    const bytes = encodeStream([
      ...records,
      { type: 'eof', offset: 0 },
      { type: 'vmdescription', offset: 0, json },
    ]).slice();
    const parsed = parseStream(bytes);
    expect(parsed.map(({ type }) => type)).toEqual([
      'header',
      'configuration',
      'command',
      'ram',
      'eof',
      'vmdescription',
    ]);
    for (const [i, record] of records.entries()) {
      const { offset, ...rest } = parsed[i]!;
      expect(rest).toEqual({ ...record, offset: undefined });
      expect(offset).toBeGreaterThanOrEqual(0);
    }
    expect(Buffer.compare(encodeStream(parsed), bytes)).toBe(0);
  });

  test('a description is found behind bytes that look like one', () => {
    const bytes = stream((sink) => full(sink));
    const trap = Uint8Array.of(SECTION.vmdescription, 0, 0, 0, 2, 0x7b, 0x21);
    expect(findDescription(new MemorySource(Buffer.concat([bytes, trap])))?.description).toEqual(DESCRIPTION);
    expect(findDescription(new MemorySource(Uint8Array.of(SECTION.vmdescription, 0)))).toBeUndefined();
    expect(findDescription(new MemorySource(new Uint8Array()))).toBeUndefined();
  });
});

describe('a stream that cannot be read is refused with the place', () => {
  test.for([
    ['without a description', () => Uint8Array.of(1, 2, 3), 'no vmdescription'],
    ['with another magic', () => stream(() => {}, { magic: 1 }), 'no QEVM'],
    ['of another version', () => stream(() => {}, { version: 4 }), 'stream version 4, known is 3'],
    ['with an unknown section', () => stream((sink) => sink.u8(0x33)), 'unknown section type 51'],
    [
      'with a package',
      () =>
        stream((sink) => {
          sink.u8(SECTION.command);
          sink.u16(COMMAND.packaged);
          sink.u16(0);
        }),
      'packaged',
    ],
    [
      'with an unknown subsection',
      () =>
        stream((sink) => {
          sink.u8(SECTION.configuration);
          sink.u32(0);
          sink.u8(SECTION.subsection);
          sink.countedString('configuration/moon');
          sink.u32(1);
        }),
      "subsection 'configuration/moon' is not known",
    ],
    [
      'with a live section that is not RAM',
      () =>
        stream((sink) => {
          sink.u8(SECTION.start);
          sink.u32(1);
          sink.countedString('slirp');
          sink.u32(0);
          sink.u32(1);
          sink.u8(SECTION.footer);
          sink.u32(1);
        }),
      "section 'slirp' instance 0, stream offset 8: the section is not described",
    ],
    [
      'with an unknown RAM record',
      () =>
        stream((sink) => {
          sink.u8(SECTION.start);
          sink.u32(1);
          sink.countedString('ram');
          sink.u32(0);
          sink.u32(4);
          sink.u64(RAM_FLAG.hook | RAM_FLAG.continue);
        }),
      'unknown RAM record flags',
    ],
    [
      'with a device that is not described',
      () => stream((sink) => full(sink, 'other')),
      "section 'other' instance 7, stream offset 8: the section is not described",
    ],
    ['with a wrong footer', () => stream((sink) => full(sink, 'thing', 8)), 'the footer is of section 8, not 9'],
  ] as const)('%s', ([, make, text]) => {
    const bytes = make();
    expect(() => parseStream(bytes)).toThrow(StreamError);
    expect(() => parseStream(bytes)).toThrow(text);
  });

  test('cut anywhere', () => {
    const bytes = stream((sink) => full(sink));
    const end = bytes.length - json.length - 5;
    // The description stays, since a stream cannot be decoded without it.
    for (let at = 9; at < end - 1; at++) {
      const cut = Buffer.concat([bytes.subarray(0, at), bytes.subarray(end)]);
      expect(() => parseStream(cut)).toThrow();
    }
  });
});
