import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { encodePacket, MAX_PACKET, type PacketEvent, PacketReader } from '../src/packet.ts';

const bytes = (text: string): number[] => Array.from(text, (char) => char.charCodeAt(0));

function read(input: Iterable<number>, reader = new PacketReader()): PacketEvent[] {
  const events: PacketEvent[] = [];
  for (const byte of input) {
    const event = reader.push(byte);
    if (event !== undefined) events.push(event);
  }
  return events;
}

describe('packets', () => {
  test('what is sent comes back, whatever it is', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 600 }), (data) => {
        expect(read(encodePacket(data))).toEqual([{ kind: 'packet', data }]);
      }),
    );
  });

  test('escapes and checksum are those of the protocol', () => {
    expect(Buffer.from(encodePacket(Uint8Array.from(bytes('OK')))).toString()).toBe('$OK#9a');
    expect(Buffer.from(encodePacket(Uint8Array.from(bytes('}#$*')))).toString('latin1')).toBe('$}]}\x03}\x04}\n#62');
  });

  test('any stream of bytes is taken, and what is whole in it is found', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 40 })), fc.uint8Array({ maxLength: 200 }), (noise, data) => {
        const reader = new PacketReader();
        for (const part of noise) read(part, reader);
        // a packet that has begun ends at the next one's start; the third `#` ends its checksum
        const events = read([...bytes('###'), ...encodePacket(data)], reader);
        expect(events.at(-1)).toEqual({ kind: 'packet', data });
      }),
    );
  });

  test('a changed byte is noticed', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 1, maxLength: 80 }),
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        (data, at, by) => {
          const packet = encodePacket(data);
          const inside = 1 + (at % (packet.length - 4));
          const changed = packet[inside]! ^ by;
          fc.pre(changed !== 0x23 && changed !== 0x24 && packet[inside] !== 0x7d && changed !== 0x7d);
          packet[inside] = changed;
          expect(read(packet).map(({ kind }) => kind)).toEqual(['damaged']);
        },
      ),
    );
  });

  test('acknowledgements and Ctrl-C between packets only', () => {
    const kinds = read([...bytes('+-\x03'), ...encodePacket(Uint8Array.of(3, 43, 45))]).map(({ kind }) => kind);
    expect(kinds).toEqual(['ack', 'nak', 'interrupt', 'packet']);
  });

  test('a checksum must be two digits', () => {
    for (const text of ['$OK#9', '$OK#9g', '$OK#  ', '$OK#00'])
      expect(read(bytes(`${text}x`))[0]?.kind).toBe('damaged');
    expect(read(bytes('$OK#9A'))[0]?.kind).toBe('packet');
  });

  test('one that is too long is told from others', () => {
    expect(read(encodePacket(new Uint8Array(MAX_PACKET + 1)))[0]?.kind).toBe('oversize');
    expect(read(encodePacket(new Uint8Array(MAX_PACKET)))[0]?.kind).toBe('packet');
  });

  test('a start inside a packet begins anew', () => {
    expect(read(bytes('$garb$OK#9a'))).toEqual([{ kind: 'packet', data: Uint8Array.from(bytes('OK')) }]);
  });
});
