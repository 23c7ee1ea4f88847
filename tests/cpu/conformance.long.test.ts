import { describe, expect, it } from 'vitest';
import { NOT_PASSED, runUnitTest, UNIT_TESTS, unitTestFolder } from '../../tools/conformance/kvm-unit-tests.ts';
import { STERNA } from '../../tools/conformance/programs.ts';
import { runTest386, test386Rom } from '../../tools/conformance/test386.ts';

const ci = (process.env['CI'] ?? '') !== '';

/** Why a suite is left out: it runs where its programs have been built. */
function reason(program: string | undefined, variable: string): string {
  return program !== undefined || ci ? '' : `(not built; see tools/conformance/run.ts and ${variable})`;
}

const folder = unitTestFolder();
const noUnitTests = reason(folder, 'STERNA_KVM_UNIT_TESTS');

describe.skipIf(noUnitTests !== '')(`kvm-unit-tests ${noUnitTests}`, () => {
  const passing = UNIT_TESTS.filter(({ name }) => NOT_PASSED[name] === undefined);

  it('at least 20 of the 31 programs must pass', () => {
    expect(UNIT_TESTS.filter(({ counted }) => counted)).toHaveLength(31);
    expect(passing.filter(({ counted }) => counted).length).toBeGreaterThanOrEqual(20);
  });

  it.each(passing.map((test) => [test.name, test] as const))(
    '%s',
    async (_name, test) => {
      const { verdict, output } = await runUnitTest(folder!, test, STERNA);
      expect(verdict, output.slice(-2000)).toBe('pass');
    },
    700_000,
  );
});

const rom = test386Rom();
const noTest386 = reason(rom, 'STERNA_TEST386');

describe.skipIf(noTest386 !== '')(`test386.asm ${noTest386}`, () => {
  it('runs to its end, and computes what its reference has', async () => {
    const { done, lines, different } = await runTest386(rom!, STERNA, 'qemu64,x-i386=on');
    expect({ done, different }).toEqual({ done: true, different: 0 });
    expect(lines).toBeGreaterThan(0);
  }, 200_000);
});
