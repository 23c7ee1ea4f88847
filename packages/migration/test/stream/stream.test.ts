import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { StreamReader } from '../../src/stream/reader.ts';
import { StreamWriter } from '../../src/stream/writer.ts';
import { Collector, Feeder } from '../support/codec.ts';

const values = fc.array(
  fc.oneof(
    fc.nat(0xff).map((value) => ['u8', value] as const),
    fc.nat(0xffff).map((value) => ['u16', value] as const),
    fc.nat(0xffff_ffff).map((value) => ['u32', value] as const),
    fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map((value) => ['u64', value] as const),
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map((value) => ['i64', value] as const),
    fc.nat(Number.MAX_SAFE_INTEGER).map((value) => ['u64Number', value] as const),
    fc.string({ maxLength: 20, unit: 'grapheme-ascii' }).map((value) => ['countedString', value] as const),
    fc.uint8Array({ maxLength: 3000 }).map((value) => ['bytes', value] as const),
  ),
  { maxLength: 40 },
);

describe('a stream', () => {
  test('gives back what was written, in whatever pieces it arrives', async () => {
    await fc.assert(
      fc.asyncProperty(values, fc.integer({ min: 1, max: 5000 }), async (list, piece) => {
        const channel = new Collector();
        // Small chunks, so that most values cross one.
        const writer = new StreamWriter(channel, new Uint8Array(256));
        for (const [kind, value] of list) {
          // Each pair was made with the type its method takes; i64 is written by u64.
          (writer[kind === 'i64' ? 'u64' : kind] as (value: unknown) => void)(value);
          await writer.drain();
        }
        await writer.flushed();
        expect(channel.bytes.length).toBe(writer.transferred);
        const reader = new StreamReader(new Feeder(channel.bytes, piece), new Uint8Array(4096));
        for (const [kind, value] of list) {
          if (kind === 'bytes') {
            await reader.ensure(value.length);
            expect(Buffer.compare(reader.bytes(value.length), value)).toBe(0);
          } else expect(await reader.restartable(() => reader[kind]())).toEqual(value);
        }
        expect(reader.offset).toBe(channel.bytes.length);
        expect(await reader.hasMore()).toBe(false);
      }),
      { numRuns: 100 },
    );
  });

  test('signed values keep their sign', async () => {
    const reader = new StreamReader(new Feeder(Uint8Array.of(0xff, 0xff, 0xfe, 0x80, 0, 0, 0), 7));
    await reader.ensure(7);
    expect([reader.i8(), reader.i16(), reader.i32()]).toEqual([-1, -2, -(2 ** 31)]);
  });
});

describe('a reader', () => {
  test('takes no size beyond what a number holds exactly', async () => {
    for (const [high, fits] of [
      [0x1f_ffff, true],
      [0x20_0000, false],
      [0xffff_ffff, false],
    ] as const) {
      const bytes = Buffer.alloc(8, 0xff);
      bytes.writeUInt32BE(high);
      const reader = new StreamReader(new Feeder(bytes, 8));
      await reader.ensure(8);
      if (fits) expect(reader.u64Number()).toBe(Number.MAX_SAFE_INTEGER);
      else expect(() => reader.u64Number()).toThrow('is not a possible size');
    }
  });

  test('says how much is missing at the end, and where', async () => {
    const reader = new StreamReader(new Feeder(Uint8Array.of(1, 2, 3)));
    await reader.ensure(2);
    reader.skip(2);
    await expect(reader.ensure(5)).rejects.toThrow('stream offset 2: the stream ends 4 bytes too early');
  });

  test('grows for one large record and returns to its own buffer behind it', async () => {
    const storage = new Uint8Array(4096);
    const reader = new StreamReader(new Feeder(new Uint8Array(20_000).fill(7), 1000), storage);
    await reader.ensure(10_000);
    expect(reader.buffer).not.toBe(storage);
    reader.skip(10_000);
    await reader.ensure(3000);
    reader.skip(reader.available);
    await reader.ensure(100);
    expect(reader.buffer).toBe(storage);
  });

  test('refuses to hold more than a section may have', async () => {
    const reader = new StreamReader(new Feeder(new Uint8Array(10)));
    await expect(reader.ensure(2 ** 30)).rejects.toThrow('too many');
  });

  test('calls a synchronous reader again from its start when bytes come late', async () => {
    const reader = new StreamReader(new Feeder(Uint8Array.of(1, 2, 3, 4), 1));
    let calls = 0;
    const sum = await reader.restartable(() => {
      calls++;
      return reader.u8() + reader.u8() + reader.u16();
    });
    expect(sum).toBe(1 + 2 + 0x304);
    expect(calls).toBeGreaterThan(1);
  });

  test('does not call one again that waits for its bytes', async () => {
    const reader = new StreamReader(new Feeder(Uint8Array.of(1, 2, 3), 1));
    let calls = 0;
    const value = await reader.restartable(async () => {
      calls++;
      await reader.ready(3);
      return reader.u8();
    });
    expect([value, calls]).toEqual([1, 1]);
    const careless = reader.restartable(async () => {
      await reader.ready(1);
      return reader.u32();
    });
    await expect(careless).rejects.toThrow('without waiting');
  });
});

describe('a writer', () => {
  test('drops what is written after the channel failed, and says the first error', async () => {
    const channel = new Collector();
    channel.write = () => Promise.reject(new Error('broken'));
    const writer = new StreamWriter(channel, new Uint8Array(64));
    for (let i = 0; i < 1000; i++) writer.u32(i);
    await expect(writer.flushed()).rejects.toThrow('broken');
    expect(() => writer.check()).toThrow('broken');
    await expect(writer.drain()).rejects.toThrow('broken');
  });

  test('takes a whole device section in spite of a channel that is behind', async () => {
    const channel = new Collector();
    const slow = channel.write.bind(channel);
    channel.write = async (bytes) => {
      await new Promise((resolve) => setTimeout(resolve, 1));
      await slow(bytes);
    };
    const writer = new StreamWriter(channel, new Uint8Array(64));
    writer.bytes(new Uint8Array(1000).fill(3));
    expect(writer.congested).toBe(true);
    await writer.storageReady();
    expect(writer.congested).toBe(false);
    await writer.flushed();
    expect(channel.bytes).toHaveLength(1000);
  });

  test('refuses names that do not fit their length byte', () => {
    const writer = new StreamWriter(new Collector());
    expect(() => writer.countedString('x'.repeat(256))).toThrow(RangeError);
  });
});
