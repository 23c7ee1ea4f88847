import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  decodeHello,
  decodePagesHeader,
  decodeStateHeader,
  encodeHello,
  encodePagesHeader,
  encodeStateHeader,
  MAX_STATE,
  METHOD_FLAG,
  MULTIFD_FLAG,
  PAGES_HEADER_SIZE,
  PacketError,
  STATE_HEADER_SIZE,
} from '../../src/multifd/packets.ts';

const view = () => new DataView(new ArrayBuffer(PAGES_HEADER_SIZE));

test('the first packet has 64 bytes, and comes back as it was', () => {
  const hello = { uuid: Uint8Array.from({ length: 16 }, (_, i) => i), id: 3 };
  const bytes = encodeHello(hello);
  expect(Buffer.from(bytes).toString('hex')).toBe(
    `1122334400000001000102030405060708090a0b0c0d0e0f03${'00'.repeat(39)}`,
  );
  expect(decodeHello(bytes)).toEqual(hello);
});

test('a header of pages comes back as it was', () => {
  fc.assert(
    fc.property(
      fc.record({
        flags: fc.constantFrom(0, MULTIFD_FLAG.sync),
        normal: fc.integer({ min: 0, max: 128 }),
        number: fc.integer({ min: 0, max: 2 ** 40 }),
        block: fc.string({ unit: fc.constantFrom('a', '.', '/', '0'), minLength: 1, maxLength: 255 }),
        zero: fc.integer({ min: 0, max: 128 }),
      }),
      ({ normal, zero, block, ...rest }) => {
        const zeros = Math.min(zero, 128 - normal);
        const header = { ...rest, normal, zero: zeros, payload: normal * 4096, block: normal + zeros > 0 ? block : '' };
        const bytes = view();
        encodePagesHeader(bytes, header);
        expect(decodePagesHeader(bytes, 0)).toEqual(header);
      },
    ),
  );
});

/** A header with one field changed; offsets as in QEMU's MultiFDPacket_t. */
function changed(at: number, value: number, method = 0, payload = 5 * 4096): () => unknown {
  const bytes = view();
  encodePagesHeader(bytes, { flags: method, normal: 5, zero: 2, payload, number: 7, block: 'ram' });
  bytes.setUint32(at, value);
  return () => decodePagesHeader(bytes, method);
}

test('what cannot be is refused, by name', () => {
  expect(changed(0, 0x11223345)).toThrow('begins with 0x11223345');
  expect(changed(4, 2)).toThrow('version 2');
  expect(changed(8, 0x80)).toThrow('flags 0x80');
  expect(changed(8, MULTIFD_FLAG.zlib)).toThrow('compression flags 0x2, expected are 0x0');
  expect(changed(8, 0, METHOD_FLAG.zstd)).toThrow('compression flags 0x0, expected are 0x4');
  expect(changed(12, 129)).toThrow('room for 129 pages');
  expect(changed(12, 4)).toThrow('5 pages and room for 4');
  expect(changed(12, 6)).toThrow('2 zero pages and room for 6');
  expect(changed(16, 129)).toThrow('129 pages');
  // 7.2 leaves the size of the packet before in one without pages.
  expect(changed(16, 0)()).toMatchObject({ normal: 0, payload: 0 });
  expect(changed(20, 4096)).toThrow('4096 bytes for 5 pages');
  expect(changed(20, 2 ** 20 + 1, METHOD_FLAG.zlib)).toThrow('compressed bytes');
  expect(changed(20, 0, METHOD_FLAG.zlib)).toThrow('0 compressed bytes');
  expect(changed(20, 77, METHOD_FLAG.zlib)).not.toThrow();
});

test('a name without an end is refused', () => {
  const bytes = view();
  encodePagesHeader(bytes, { flags: 0, normal: 1, zero: 0, payload: 4096, number: 0, block: 'x'.repeat(256) });
  expect(() => decodePagesHeader(bytes, 0)).toThrow('without an end');
});

test('any bytes give a header that is possible, or a PacketError', () => {
  const bytes = fc.uint8Array({ minLength: PAGES_HEADER_SIZE, maxLength: PAGES_HEADER_SIZE });
  fc.assert(
    fc.property(bytes, fc.boolean(), fc.constantFrom(0, 2, 4), (raw, whole, method) => {
      const at = new DataView(raw.buffer);
      if (whole) {
        at.setUint32(0, 0x11223344);
        at.setUint32(4, 1);
        at.setUint32(8, method);
        for (const place of [12, 16, 32]) at.setUint32(place, at.getUint32(place) % 140);
      }
      try {
        const { normal, zero, payload } = decodePagesHeader(at, method);
        expect(normal + zero).toBeLessThanOrEqual(128);
        expect(payload).toBeLessThanOrEqual(2 ** 20);
      } catch (error) {
        expect(error).toBeInstanceOf(PacketError);
      }
    }),
  );
});

test('a header of device state comes back as it was; one that cannot be is refused', () => {
  const header = { idstr: '0000:00:03.0/vfio', instanceId: 7, length: 1000 };
  const bytes = encodeStateHeader(header);
  expect(bytes.length).toBe(276);
  expect(STATE_HEADER_SIZE).toBe(276);
  const at = new DataView(bytes.buffer);
  expect(decodeStateHeader(at)).toEqual(header);
  at.setUint32(272, MAX_STATE + 1);
  expect(() => decodeStateHeader(at)).toThrow('bytes of device state');
  expect(() => encodeStateHeader({ ...header, idstr: 'x'.repeat(256) })).toThrow('longer than 255');
});
