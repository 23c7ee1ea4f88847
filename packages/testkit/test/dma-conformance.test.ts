import { type ConformanceOptions, conformance, type DeviceHarness } from '@sterna/testkit';
import { describe, expect, it, test } from 'vitest';
import { type BlitterMistake, blitter } from './blitter.ts';

const options: ConformanceOptions = {
  randomOperations: 16,
  operations: [
    {
      name: 'copy',
      run: (h: DeviceHarness) => {
        h.ram.set([1, 2, 3, 4], 0x100);
        h.write(4, 0x100);
        h.write(8, 0x200);
        h.write(12, 4);
        h.write(0, 1);
        h.advance(50_000);
        return h.read(16);
      },
    },
    { name: 'start', run: (h) => h.write(0, 1) },
    { name: '20 us pass', run: (h) => h.advance(20_000) },
    { name: 'acknowledge', run: (h) => h.write(16, 0) },
  ],
};

describe('a device with DMA that keeps the rules', () => {
  for (const { name, skipped, run } of conformance(blitter(), options))
    if (skipped === undefined) test(name, run, 120_000);
});

/** The check that finds it, and what it says. */
const FINDINGS: Readonly<Record<BlitterMistake, readonly [check: string, finding: RegExp]>> = {
  'request lost': [
    'migrates while its DMA waits for guest pages',
    /a DMA request is lost: 'copy' left 1 waiting.*dma\.run again in postLoad/,
  ],
  'request outlives reset': [
    'migrates while its DMA waits for guest pages',
    /a DMA request outlives a reset: .*look at it first in the function given to dma\.run/,
  ],
  'phase lost': [
    'migrates in the middle of any operation',
    /state is lost: migrated (\d+ ns into|in) 'copy'.*, 'phase' .*Add 'phase' to the fields/,
  ],
  'guest length trusted': [
    'whatever any guest writes, the device stays sound',
    /a guest that does 'write 0x\w+ \(4 bytes\) at 0xc' makes the device allocate \d+ MiB/,
  ],
  'throws at the guest': [
    'whatever any guest writes, the device stays sound',
    /a guest that does 'write 0x80000000 \(4 bytes\) at 0x0' makes the device throw: .*unexpected control word/,
  ],
  'state of its own refused': [
    'whatever any guest writes, the device stays sound',
    /a guest that does 'write .* at 0xc' brings the device into a state that its own destination refuses/,
  ],
  'load builds on the last': [
    'works on after a load that failed',
    /a destination that gave up a stream is not what the next one says: .*section blitter/,
  ],
};

describe('a planted mistake is found, and its cause is named', () => {
  it.each(Object.entries(FINDINGS))(
    '%s',
    async (mistake, [check, finding]) => {
      const { run } = conformance(blitter(mistake as BlitterMistake), options).find(({ name }) => name === check)!;
      await expect(run()).rejects.toThrow(finding);
    },
    120_000,
  );
});
