import { describe, expect, test } from 'vitest';
import { ReturnPathReader } from '../../src/source/return-path.ts';
import { channelPair } from '../../src/transport/pipe.ts';

/** A message as it is on the wire. */
function message(type: number, payload: readonly number[] = [], length = payload.length): Uint8Array {
  return Uint8Array.of(type >>> 8, type & 255, length >>> 8, length & 255, ...payload);
}

function listening(mayEnd = true) {
  const [source, destination] = channelPair();
  const failures: string[] = [];
  const reader = new ReturnPathReader(source, {
    mayEnd: () => mayEnd,
    failed: (error) => void failures.push(error.message),
  });
  return { reader, destination, failures };
}

describe('the return path', () => {
  test('collects PONGs and the approval of the switchover, up to a goodbye', async () => {
    const { reader, destination, failures } = listening();
    expect(reader.switchoverAcks).toBe(0);
    await destination.write(message(2, [0, 0, 0, 0x42]));
    await destination.write(message(7));
    await destination.write(message(1, [0, 0, 0, 0]));
    expect(await reader.ended).toBeUndefined();
    expect([reader.pongs, reader.switchoverAcks, failures]).toEqual([[0x42], 1, []]);
    reader.check();
  });

  test('a goodbye with an error is the word of the destination', async () => {
    const { reader, destination, failures } = listening(false);
    await destination.write(message(1, [0, 0, 0, 1]));
    expect(await reader.ended).toMatchObject({ code: 'STERNA_ERR_DESTINATION' });
    expect(failures).toHaveLength(1);
    expect(() => reader.check()).toThrow('could not load the guest');
  });

  test('an end without a goodbye is a failure', async () => {
    const { reader, destination } = listening();
    await destination.end();
    expect(await reader.ended).toMatchObject({ code: 'STERNA_ERR_TRANSPORT' });
  });

  test.each([
    ['a goodbye that comes too early', message(1, [0, 0, 0, 0]), /before it has everything/],
    ['an invalid type', message(0), /message 0 of 0 bytes is not known/],
    ['an unknown type', message(8, [1]), /message 8 of 1 bytes/],
    ['a SHUT that is too short', message(1, [0, 0]), /SHUT has 2 bytes instead of 4/],
    ['an approval with a payload', message(7, [1]), /SWITCHOVER_ACK has 1 bytes instead of 0/],
    ['a page request without a block', message(4, new Array(12).fill(0)), /REQ_PAGES, and postcopy has not landed/],
    ['a page request', message(3, new Array(13).fill(0)), /REQ_PAGES_ID, and postcopy/],
    ['a bitmap', message(5, [0]), /RECV_BITMAP, and recovery of postcopy/],
    ['an answer to a recovery', message(6, [0, 0, 0, 1]), /RESUME_ACK, and recovery of postcopy/],
    ['more than a message may have', message(3, [], 513), /REQ_PAGES_ID has 513 bytes instead of at most 512/],
  ])('%s is refused by name', async (_, bytes, text) => {
    const { reader, destination } = listening(false);
    await destination.write(bytes);
    expect(await reader.ended).toMatchObject({ code: 'STERNA_ERR_STREAM', message: expect.stringMatching(text) });
  });
});
