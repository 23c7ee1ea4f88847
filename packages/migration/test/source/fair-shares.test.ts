import fc from 'fast-check';
import { expect, test } from 'vitest';
import { FairShares } from '../../src/source/fair-shares.ts';

test('devices that take more than they are given get no more than the others in the end', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 2_000_000 }), { minLength: 2, maxLength: 5 }), (pieces) => {
      // Each device sends in pieces of its own, whatever its share.
      const shares = new FairShares();
      const devices = pieces.map((piece) => ({ piece, sent: 0 }));
      for (let round = 0; round < 2000; round++)
        for (const device of devices) {
          const share = shares.grant(device, 100_000, devices.length);
          if (share <= 0) continue;
          let used = 0;
          while (used < share) used += device.piece;
          device.sent += used;
          shares.used(device, used);
        }
      const [least, most] = [
        Math.min(...devices.map(({ sent }) => sent)),
        Math.max(...devices.map(({ sent }) => sent)),
      ];
      expect(most - least).toBeLessThanOrEqual(2 * Math.max(...pieces) + 100_000);
    }),
    { numRuns: 50 },
  );
});

test('what a device did not want is not saved up', () => {
  const shares = new FairShares();
  const device = {};
  for (let i = 0; i < 100; i++) shares.grant(device, 1000, 2);
  expect(shares.grant(device, 1000, 2)).toBe(500);
});

test('there is progress on the slowest link', () => {
  expect(new FairShares().grant({}, 0.4, 3)).toBe(1);
});
