import { describe, expect, it } from 'vitest';
import { parseAccel } from '../../src/system/option-values.ts';

describe('-accel', () => {
  it('translates in a thread by default', () => {
    expect(parseAccel('tcg')).toEqual({
      translation: { enabled: true, threaded: true, counters: false, hotSpots: false },
    });
  });

  it.each([
    ['tcg,tb-size=16,thread=single', { translation: { cacheBytes: 16 << 20 } }],
    ['tcg,jit=off', { translation: { enabled: false } }],
    [
      'tcg,jit-threshold=5,jit-thread=off,jit-counters=on',
      { translation: { threshold: 5, threaded: false, counters: true } },
    ],
    ['accel=tcg,jit-hot-spots=h.txt,split-wx=off', { translation: { hotSpots: true }, hotSpotFile: 'h.txt' }],
  ])('%s', (text, expected) => {
    expect(parseAccel(text)).toMatchObject(expected);
  });

  it("takes QEMU's 0 for the default size", () => {
    expect(parseAccel('tcg,tb-size=0').translation.cacheBytes).toBeUndefined();
  });

  it.each([
    ['kvm', /'kvm' is not supported/],
    ['tcg,thread=multi', /thread=multi/],
    ['tcg,one-insn-per-tb=on', /jit=off/],
    ['tcg,split-wx=on', /split-wx/],
    ['tcg,jit-threshold=0', /jit-threshold/],
    ['tcg,jti=on', /no option 'jti'/],
    ['', /name of the accelerator|accel/],
  ])('%s is refused', (text, message) => {
    expect(() => parseAccel(text)).toThrow(message);
  });
});
