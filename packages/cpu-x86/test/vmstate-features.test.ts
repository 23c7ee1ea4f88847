import { describe, expect, it } from 'vitest';
import type { StateView } from '../src/state/view.ts';
import { CR4, EFER } from '../src/system/bits.ts';
import { MsrFeature } from '../src/system/msr-local.ts';
import { checkGuestFeatures } from '../src/vmstate-features.ts';

/** A state with these cells, of a processor with PAE, long mode and SMEP. */
function state(cells: Readonly<Record<string, bigint | number>>): StateView {
  const all: Readonly<Record<string, bigint | number>> = {
    cr4: 0n,
    cr4Valid: BigInt(CR4.PAE | CR4.SMEP),
    efer: 0n,
    eferValid: BigInt(EFER.LME | EFER.NXE | EFER.SCE),
    xcr0: 1n,
    msrFeatures: 0,
    tscAdjust: 0n,
    tscDeadline: 0n,
    ...cells,
  };
  const get = (name: string) => all[name];
  return { get, getBig: get } as unknown as StateView;
}

describe('a guest that arrives', () => {
  it.each([
    [{}],
    [{ cr4: BigInt(CR4.PAE | CR4.SMEP) }],
    [{ efer: BigInt(EFER.LME | EFER.LMA | EFER.NXE | EFER.SCE) }],
    [{ xcr0: 3n }],
    [{ tscDeadline: 5n, msrFeatures: MsrFeature.TSC_DEADLINE }],
    // SVM is refused with words of its own.
    [{ efer: BigInt(EFER.SVME) }],
  ])('is taken: %#', (cells) => {
    expect(() => checkGuestFeatures(state(cells))).not.toThrow();
  });

  it.each([
    [{ cr4: BigInt(CR4.SMAP | CR4.PCIDE | CR4.PAE) }, 'pcid, smap (CR4)'],
    [{ cr4: 1n << 40n }, 'bits 0x10000000000 of CR4 (CR4)'],
    [{ efer: BigInt(EFER.FFXSR) }, 'fxsr-opt (EFER)'],
    [{ xcr0: 0xe7n }, 'avx, avx512f (XCR0)'],
    [{ tscAdjust: 1n }, 'tsc-adjust (IA32_TSC_ADJUST)'],
    [{ tscDeadline: 1n, cr4: BigInt(CR4.UMIP) }, 'umip, tsc-deadline (CR4, IA32_TSC_DEADLINE)'],
  ])('is refused by name: %#', (cells, text) => {
    expect(() => checkGuestFeatures(state(cells))).toThrow(
      `the guest uses ${text}, which this processor does not have`,
    );
  });
});
