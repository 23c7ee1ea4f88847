import type { LoadStream, SaveStream, VmStateTable } from '@sterna/core';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { hex, load, save } from '../support/codec.ts';

/** One of everything. */
class Device {
  flag = false;
  byte = 0;
  half = 0;
  word = 0;
  long = 0n;
  signedByte = 0;
  signedHalf = 0;
  signedWord = 0;
  signedLong = 0n;
  deadline = -1n;
  time = 0;
  count = 0;
  readonly words: Uint32Array = new Uint32Array(6);
  readonly raw: Uint8Array = new Uint8Array(5);
  line = { level: 0, name: 0n };
  channels: { count: number }[] = [{ count: 0 }, { count: 0 }, { count: 0 }];
  blob: Uint8Array = new Uint8Array();
}

const lineTable: VmStateTable<Device['line']> = {
  name: 'line',
  version: 1,
  fields: ({ u8, u64 }) => [u8('level'), u64('name')],
};
const channelTable: VmStateTable<{ count: number }> = {
  name: 'channel',
  version: 7,
  fields: ({ i16 }) => [i16('count')],
};

const table: VmStateTable<Device> = {
  name: 'device',
  version: 3,
  fields: ({
    bool,
    u8,
    u16,
    u32,
    u64,
    i8,
    i16,
    i32,
    i64,
    timer,
    ns,
    array,
    buffer,
    struct,
    structArray,
    unused,
    custom,
    tmp,
  }) => [
    bool('flag'),
    u8('byte'),
    u16('half'),
    u32('word'),
    u64('long'),
    i8('signedByte'),
    i16('signedHalf'),
    i32('signedWord'),
    i64('signedLong'),
    timer('deadline'),
    ns('time'),
    u8('count'),
    array('u32', 'words', 'count'),
    buffer('raw'),
    unused(3),
    struct('line', lineTable),
    structArray('channels', channelTable, 3),
    tmp('tmp', { name: 'extra', version: 0, fields: ({ u8: byte }) => [byte('byte', { name: 'again' })] }),
    custom({
      name: 'blob',
      type: 'counted',
      save(device, stream: SaveStream) {
        stream.u16(device.blob.length);
        stream.bytes(device.blob);
      },
      load(device, stream: LoadStream) {
        device.blob = stream.bytes(stream.u16());
      },
    }),
  ],
  subsections: [
    { name: 'device/half', version: 2, needed: ({ half }) => half > 100, fields: ({ u16 }) => [u16('half')] },
    { name: 'device/word', version: 1, needed: ({ word }) => word > 100, fields: ({ u32 }) => [u32('word')] },
  ],
};

const signed = (bits: number) => fc.integer({ min: -(2 ** (bits - 1)), max: 2 ** (bits - 1) - 1 });
const devices = fc
  .record({
    flag: fc.boolean(),
    byte: fc.nat(0xff),
    half: fc.nat(0xffff),
    word: fc.nat(0xffff_ffff),
    long: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
    signedByte: signed(8),
    signedHalf: signed(16),
    signedWord: signed(32),
    signedLong: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
    deadline: fc.bigInt({ min: -1n, max: 2n ** 62n }),
    time: fc.nat(Number.MAX_SAFE_INTEGER),
    count: fc.nat(6),
    line: fc.record({ level: fc.nat(255), name: fc.bigInt({ min: 0n, max: 9n }) }),
    channels: fc.array(fc.record({ count: signed(16) }), { minLength: 3, maxLength: 3 }),
    blob: fc.uint8Array({ maxLength: 400 }),
    words: fc.array(fc.nat(0xffff_ffff), { maxLength: 6 }),
    raw: fc.array(fc.nat(255), { maxLength: 5 }),
  })
  .map(({ words, raw, ...rest }) => {
    const device = Object.assign(new Device(), rest);
    device.words.set(words.slice(0, device.count));
    device.raw.set(raw);
    return device;
  });

describe('every kind of field', () => {
  test('comes back as it was, byte by byte, and ends where it should', async () => {
    await fc.assert(
      fc.asyncProperty(devices, async (device) => {
        const { bytes } = await save(table, device);
        const copy = new Device();
        const reader = await load(table, copy, bytes);
        expect({ ...copy, blob: hex(copy.blob) }).toEqual({ ...device, blob: hex(device.blob) });
        expect(reader.offset).toBe(bytes.length);
        expect(hex((await save(table, copy)).bytes)).toBe(hex(bytes));
      }),
      { numRuns: 150 },
    );
  });

  test('is described as QEMU describes it', async () => {
    const device = Object.assign(new Device(), { count: 2, half: 200 });
    const { description } = await save(table, device);
    const brief = description.fields.map(
      ({ name, type, size, array_len }) => `${name} ${type} ${size}${array_len ? ` x${array_len}` : ''}`,
    );
    expect(brief.slice(8)).toEqual([
      'signed_long int64 8',
      'deadline timer 8',
      'time int64 8',
      'count uint8 1',
      'words uint32 4 x2',
      'raw buffer 5',
      'unused unused_buffer 3',
      'line struct 9',
      'channels struct 2 x3',
      'tmp tmp 1',
      'blob counted 2',
    ]);
    expect(description.subsections).toEqual([
      { vmsd_name: 'device/half', version: 2, fields: [{ name: 'half', type: 'uint16', size: 2 }] },
    ]);
  });

  test('any cut is a coded error, and never another', async () => {
    const { bytes } = await save(
      table,
      Object.assign(new Device(), { count: 3, half: 500, word: 500, blob: new Uint8Array(9) }),
    );
    // The last 40 bytes are subsections, which may be missing, and the byte behind the cut is one more.
    for (let length = 0; length < bytes.length - 41; length++) {
      await expect(load(table, new Device(), bytes.subarray(0, length).slice())).rejects.toMatchObject({
        code: 'STERNA_ERR_STREAM',
      });
    }
  });
});

describe('versions and conditions', () => {
  interface State {
    old: number;
    young: number;
  }
  const versioned: VmStateTable<State> = {
    name: 'versioned',
    version: 2,
    minimumVersion: 1,
    fields: ({ u8 }) => [u8('old'), u8('young', { since: 2 })],
  };

  test('a field younger than the stream keeps its value', async () => {
    const state = { old: 0, young: 7 };
    const reader = await load(versioned, state, Uint8Array.of(5), 1);
    expect([state, reader.offset]).toEqual([{ old: 5, young: 7 }, 1]);
  });

  test('versions out of range are refused with both numbers', async () => {
    await expect(load(versioned, { old: 0, young: 0 }, Uint8Array.of(1, 2), 3)).rejects.toThrow(
      'version 3, newer than the local 2',
    );
    await expect(load(versioned, { old: 0, young: 0 }, Uint8Array.of(1, 2), 0)).rejects.toThrow(
      'version 0, older than',
    );
  });

  test('a condition decides alone', async () => {
    const conditional: VmStateTable<State> = {
      name: 'conditional',
      version: 1,
      fields: ({ u8 }) => [u8('old'), u8('young', { when: ({ old }) => old > 3 })],
    };
    expect(hex((await save(conditional, { old: 4, young: 9 })).bytes)).toBe('0409');
    expect(hex((await save(conditional, { old: 3, young: 9 })).bytes)).toBe('03');
    const state = { old: 0, young: 0 };
    await load(conditional, state, Uint8Array.of(4, 9));
    expect(state).toEqual({ old: 4, young: 9 });
  });

  test('a value that must be equal names both and the way out', async () => {
    const equal: VmStateTable<State> = {
      name: 'equal',
      version: 1,
      fields: ({ u32 }) => [u32('old', { equal: 'use the same -smp' })],
    };
    await load(equal, { old: 1, young: 0 }, Uint8Array.of(0, 0, 0, 1));
    await expect(load(equal, { old: 2, young: 0 }, Uint8Array.of(0, 0, 0, 1))).rejects.toThrow(
      'field old, stream offset 0: the stream has 1, this machine 2: use the same -smp',
    );
    expect((await save(equal, { old: 1, young: 0 })).description.fields[0]?.type).toBe('uint32 equal');
  });

  test('elements that may differ are described one by one', async () => {
    const part: VmStateTable<{ n: number }> = {
      name: 'part',
      version: 1,
      fields: ({ u8 }) => [u8('n'), u8('n', { name: 'more', when: ({ n }) => n > 0 })],
    };
    const whole: VmStateTable<{ parts: { n: number }[] }> = {
      name: 'whole',
      version: 1,
      fields: ({ structArray }) => [structArray('parts', part, 2)],
    };
    const { bytes, description } = await save(whole, { parts: [{ n: 0 }, { n: 1 }] });
    expect(hex(bytes)).toBe('000101');
    expect(description.fields.map(({ index, size }) => [index, size])).toEqual([
      [0, 1],
      [1, 2],
    ]);
  });

  test('repeated names are numbered', async () => {
    const repeated: VmStateTable<State> = {
      name: 'r',
      version: 1,
      fields: ({ u8, unused }) => [unused(1), u8('old'), unused(2)],
    };
    const { description } = await save(repeated, { old: 0, young: 0 });
    expect(description.fields.map(({ name }) => name)).toEqual(['unused[0]', 'old', 'unused[1]']);
  });
});

describe('what a stream may not do', () => {
  const counted: VmStateTable<{ count: number; words: Uint32Array }> = {
    name: 'counted',
    version: 1,
    fields: ({ u32, array }) => [u32('count'), array('u32', 'words', 'count')],
  };
  test('announce more elements than there is room for', async () => {
    await expect(load(counted, { count: 0, words: new Uint32Array(4) }, Uint8Array.of(0, 0, 0, 5))).rejects.toThrow(
      'field words, stream offset 4: 5 elements, at most 4 fit here',
    );
  });

  test('ask for more memory than a section may have', async () => {
    const greedy: VmStateTable<object> = {
      name: 'greedy',
      version: 1,
      fields: ({ custom }) => [
        custom({ name: 'blob', type: 'blob', save: () => {}, load: (_, stream) => void stream.bytes(stream.u32()) }),
      ],
    };
    await expect(load(greedy, {}, Uint8Array.of(0x7f, 0xff, 0xff, 0xff))).rejects.toMatchObject({
      code: 'STERNA_ERR_STREAM',
    });
  });

  test('bring a subsection that is not known, but one of an outer table is left alone', async () => {
    const unknown = Uint8Array.from([...Buffer.from('\x05\x05'), ...Buffer.from('sub/x'), 0, 0, 0, 1]);
    const table: VmStateTable<object> = { name: 'sub', version: 1 };
    await expect(load(table, {}, unknown)).rejects.toThrow("subsection 'sub/x' is not known here");
    const reader = await load({ name: 'other', version: 1 }, {}, unknown);
    expect(reader.offset).toBe(0);
  });

  test("break a device's own rules unnoticed", async () => {
    const strict: VmStateTable<{ head: number }> = {
      name: 'strict',
      version: 1,
      fields: ({ u8 }) => [u8('head')],
      postLoad({ head }) {
        if (head > 3) throw new RangeError(`head ${head} exceeds 3`);
      },
    };
    await expect(load(strict, { head: 0 }, Uint8Array.of(9))).rejects.toMatchObject({
      code: 'STERNA_ERR_STREAM',
      message: 'stream offset 1: head 9 exceeds 3',
    });
  });
});

describe('hooks', () => {
  test('run in the order of QEMU', async () => {
    const calls: string[] = [];
    const hooked: VmStateTable<{ a: number }> = {
      name: 'h',
      version: 1,
      fields: ({ u8 }) => [u8({ name: 'a', get: () => calls.push('get'), set: () => void calls.push('set') })],
      subsections: [
        {
          name: 'h/s',
          version: 1,
          needed: () => true,
          preLoad: () => void calls.push('sub pre'),
          postLoad: () => void calls.push('sub post'),
        },
      ],
      preSave: () => void calls.push('preSave'),
      postSave: () => void calls.push('postSave'),
      preLoad: () => void calls.push('preLoad'),
      postLoad: (_, version) => void calls.push(`postLoad ${version}`),
    };
    const { bytes } = await save(hooked, { a: 1 });
    await load(hooked, { a: 0 }, bytes);
    expect(calls).toEqual(['preSave', 'get', 'postSave', 'preLoad', 'set', 'sub pre', 'sub post', 'postLoad 1']);
  });

  test('postSave also runs after a failure', async () => {
    let after = false;
    const failing: VmStateTable<{ a: number }> = {
      name: 'f',
      version: 1,
      fields: ({ u8 }) => [
        u8({
          name: 'a',
          get: () => {
            throw new Error('no value');
          },
          set: () => {},
        }),
      ],
      postSave: () => {
        after = true;
      },
    };
    await expect(save(failing, { a: 0 })).rejects.toThrow('saving f/a: no value');
    expect(after).toBe(true);
  });
});
