import { readFileSync } from 'node:fs';
import { prepareInterpreter } from '@sterna/cpu-x86/node';
import { buildTinyGuest, fetchLinuxGuest } from '@sterna/guests/node';
import { beforeAll, describe, expect, it } from 'vitest';
import { type LockstepEngine, type LockstepGuest, lockstep } from '../support/lockstep.ts';
import { missing } from '../support/peers.ts';

const long = process.env['STERNA_LONG'] === '1';
const reason = missing({ apt: true });
const SHELL = 'STERNA-SHELL-READY';
const MILLION = 1_000_000;

/** As the run loop does it, without translation. */
const INTERPRETER: LockstepEngine = {
  name: 'interpreter',
  cpu: 'qemu64',
  translation: { enabled: false },
  slice: () => 50_000,
};
/** The same with slices that are cut differently; the primes are nothing special. */
const CUT: LockstepEngine = {
  ...INTERPRETER,
  name: 'short slices',
  slice: (n) => [7919, 1, 104_729, 613, 17][n % 5]!,
};
/** Translation after few executions, so that most of what runs is translated, in the guest's thread, so that runs repeat. */
const TRANSLATED: LockstepEngine = {
  ...INTERPRETER,
  name: 'translated',
  translation: { enabled: true, threshold: long ? 20 : 200, threaded: false },
};
const PAIRS: readonly { readonly first: LockstepEngine; readonly second: LockstepEngine }[] = [
  { first: INTERPRETER, second: CUT },
  { first: INTERPRETER, second: TRANSLATED },
];

beforeAll(() => prepareInterpreter());

describe('a boot in lockstep: registers and memory are the same function of the instruction count', () => {
  it.each(PAIRS)('the tiny guest: $first.name and $second.name', ({ first, second }) => {
    const guest: LockstepGuest = { kernel: buildTinyGuest('pvh'), cmdline: 'tick=5 rate=10 work=1', ramMiB: 16 };
    const { divergence, instructions } = lockstep(guest, [first, second], {
      instructions: 30 * MILLION,
      stride: 50_000,
      ramEvery: 50,
    });
    expect(divergence?.lines).toBe(undefined);
    expect(instructions).toBe(30 * MILLION);
  });

  const most = long ? 3000 : 50;
  it.skipIf(reason !== '').each(PAIRS)(
    `a Debian kernel, ${long ? 'to its shell' : `its first ${most} million instructions`}: $first.name and $second.name ${reason}`,
    { timeout: 900_000 },
    async ({ first, second }) => {
      const { kernel, initrd } = await fetchLinuxGuest();
      const guest: LockstepGuest = {
        kernel: readFileSync(kernel.path),
        initrd: readFileSync(initrd),
        cmdline: 'console=ttyS0',
        ramMiB: 128,
      };
      const { divergence, instructions, serial } = lockstep(guest, [first, second], {
        instructions: most * MILLION,
        stride: 100_000,
        ramEvery: 200,
        until: SHELL,
      });
      expect(divergence?.lines, serial.slice(-500)).toBe(undefined);
      if (long) expect(serial).toContain(SHELL);
      else expect(instructions).toBe(most * MILLION);
    },
  );
});
