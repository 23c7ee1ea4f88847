import fc from 'fast-check';
import { expect, test } from 'vitest';
import { encodePacket, PacketQueue } from '../src/packets.ts';

test('packets in any order are written in theirs, once loading has begun', () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ minLength: 1, maxLength: 20 }), { maxLength: 12 }),
      fc.array(fc.nat(), { minLength: 13, maxLength: 13 }),
      fc.nat(13),
      (pieces, order, begin) => {
        const packets = [
          ...pieces.map((piece, i) => encodePacket(i, piece, false)),
          encodePacket(pieces.length, new Uint8Array(), true),
        ];
        const shuffled = packets.map((packet, i) => ({ packet, at: order[i]! })).sort((a, b) => a.at - b.at);
        const written: number[] = [];
        const queue = new PacketQueue((bytes) => written.push(...bytes));
        for (const [i, { packet }] of shuffled.entries()) {
          if (i === begin) {
            expect(written).toEqual([]);
            queue.begin();
          }
          queue.add(packet);
        }
        if (begin >= shuffled.length) queue.begin();
        expect(queue.ended).toBe(true);
        expect(written).toEqual(pieces.flatMap((piece) => [...piece]));
      },
    ),
  );
});

test('what cannot be a packet is refused', () => {
  const queue = new PacketQueue(() => {});
  queue.begin();
  const add = (...words: number[]) => {
    const packet = new Uint8Array(words.length * 4);
    for (const [i, word] of words.entries()) new DataView(packet.buffer).setUint32(i * 4, word);
    return () => queue.add(packet);
  };
  expect(add(0, 0)).toThrow('8 bytes');
  expect(add(1, 0, 0)).toThrow('version 1');
  expect(add(0, 0, 2)).toThrow('flags 0x2');
  expect(add(0, 5000, 0)).toThrow('packet 0 has not yet');
  expect(add(0, 0, 0)).not.toThrow();
  expect(add(0, 0, 0)).toThrow('comes twice');
  add(0, 2, 0)();
  expect(add(0, 1, 1)).toThrow('behind the last one');
});

test('any bytes are refused or taken, and nothing else', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 20 }), (packets) => {
      const queue = new PacketQueue(() => {});
      queue.begin();
      for (const packet of packets)
        try {
          queue.add(packet);
        } catch (error) {
          expect(error).toBeInstanceOf(RangeError);
        }
    }),
  );
});
