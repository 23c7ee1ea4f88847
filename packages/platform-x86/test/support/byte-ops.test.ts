import fc from 'fast-check';
import { expect, it } from 'vitest';
import { byteOps } from '../../src/support/byte-ops.ts';
import { muldiv64 } from '../../src/support/muldiv64.ts';

it('splits wide accesses into bytes, lowest address first', () => {
  const log: string[] = [];
  const ops = byteOps(
    (offset) => 0xf0 + offset,
    (offset, value) => log.push(`${offset}=${value}`),
  );
  expect(ops.read(0, 4)).toBe(0xf3f2f1f0);
  ops.write(2, 0x1234, 2);
  expect(log).toEqual(['2=52', '3=18']);
});

it('multiplies and divides exactly', () => {
  const cases = fc.record({
    a: fc.integer({ min: 0, max: 2 ** 53 - 1 }),
    b: fc.integer({ min: 1, max: 2 ** 30 }),
    c: fc.integer({ min: 1, max: 2 ** 31 - 1 }),
  });
  fc.assert(
    fc.property(cases, ({ a, b, c }) => {
      const exact = (BigInt(a) * BigInt(b)) / BigInt(c);
      fc.pre(exact <= BigInt(Number.MAX_SAFE_INTEGER));
      expect(muldiv64(a, b, c)).toBe(Number(exact));
    }),
    { numRuns: 2000 },
  );
});
