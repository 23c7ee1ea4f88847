import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseDuration } from '../../src/system/duration.ts';

test.each([
  ['50ms', 50],
  ['50', 50],
  ['60s', 60_000],
  ['1.5s', 1500],
  ['2m', 120_000],
  ['2min', 120_000],
  ['1h', 3_600_000],
  [' 3 S ', 3000],
  ['0', 0],
])('%s are %i ms', (text, ms) => {
  expect(parseDuration(text, '--x')).toBe(ms);
});

test.each(['', 'soon', '-1s', '1d', 's', '1e3', '1 2'])("'%s' is refused, with the option's name", (text) => {
  expect(() => parseDuration(text, '--deadline')).toThrow(/^--deadline: .*is no time/);
});

test('whatever is given, an answer is a whole number or a coded error', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      try {
        expect(Number.isInteger(parseDuration(text, '--x'))).toBe(true);
      } catch (error) {
        expect(error).toMatchObject({ code: 'STERNA_ERR_OPTION_VALUE' });
      }
    }),
  );
});
