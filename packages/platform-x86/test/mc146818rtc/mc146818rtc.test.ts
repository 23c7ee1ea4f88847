import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { Mc146818Rtc } from '../../src/mc146818rtc/chip.ts';
import { setCmosRamSize } from '../../src/mc146818rtc/ram-size.ts';
import { mc146818rtcState } from '../../src/mc146818rtc/state.ts';
import { loadState, saveState } from '../support/codec.ts';
import { FakeIrq, FakeRtcClock } from '../support/fakes.ts';
import { describeGolden } from '../support/golden.ts';

const S = 1_000_000_000n;
/** 2026-11-20 18:30:45 UTC, a Friday. */
const START = BigInt(Date.UTC(2026, 10, 20, 18, 30, 45)) * 1_000_000n;

let irq: FakeIrq;
let clock: FakeRtcClock;
let rtc: Mc146818Rtc;

function make(): Mc146818Rtc {
  const made = new Mc146818Rtc(irq, clock, 0);
  made.reset();
  return made;
}

beforeEach(() => {
  irq = new FakeIrq();
  clock = new FakeRtcClock(START);
  rtc = make();
});

function get(index: number): number {
  rtc.write(0, index);
  return rtc.read(1);
}

function set(index: number, value: number): void {
  rtc.write(0, index);
  rtc.write(1, value);
}

const date = () => [0x32, 9, 8, 7, 6, 4, 2, 0].map(get);

it('shows the date in BCD, binary and 12-hour form', () => {
  expect(date()).toEqual([0x20, 0x26, 0x11, 0x20, 0x06, 0x18, 0x30, 0x45]);
  set(0x0b, 0x06);
  expect(date()).toEqual([20, 26, 11, 20, 6, 18, 30, 45]);
  set(0x0b, 0x00);
  expect(get(4)).toBe(0x86);
  clock.advanceTo(START + 6n * 3600n * S);
  expect(get(4)).toBe(0x12);
});

it('takes a new time, also while set mode holds the clock', () => {
  set(0x0b, 0x82);
  set(4, 0x03);
  clock.advanceTo(START + 100n * S);
  set(0x0b, 0x02);
  clock.advanceTo(clock.time + 10n * S);
  expect([get(4), get(2), get(0)]).toEqual([0x03, 0x30, 0x55]);
});

it('starts from the date that the machine gives, whatever its clock counts', () => {
  clock.time = 5n * S;
  clock.date = START - 3600n * S;
  rtc = new Mc146818Rtc(irq, clock, 0);
  expect(get(4)).toBe(0x17);
});

it('keeps the PS/2 century where PCs have it', () => {
  set(0x37, 0x19);
  expect(get(0x32)).toBe(0x19);
  expect(get(0x37)).toBe(0x19);
});

it('shows update in progress in the last 244 us of a second', () => {
  clock.advanceTo(START + S - 300_000n);
  expect(get(0x0a) & 0x80).toBe(0);
  clock.advanceTo(START + S - 200_000n);
  expect(get(0x0a) & 0x80).toBe(0x80);
  clock.advanceTo(START + S);
  expect(get(0x0a) & 0x80).toBe(0);
});

it('interrupts after each update', () => {
  set(0x0b, 0x12);
  clock.advanceTo(START + S);
  expect(irq.level).toBe(true);
  expect(get(0x0c)).toBe(0x90);
  expect(irq.level).toBe(false);
  expect(get(0x0c)).toBe(0);
  clock.advanceTo(START + 2n * S);
  expect(irq.edges).toBe(2);
});

it('interrupts at the alarm, with wildcards', () => {
  set(1, 0x50);
  set(3, 0xff);
  set(5, 0xff);
  set(0x0b, 0x22);
  clock.advanceTo(START + 4n * S);
  expect(irq.level).toBe(false);
  clock.advanceTo(START + 5n * S);
  expect(irq.level).toBe(true);
  expect(get(0x0c) & 0xa0).toBe(0xa0);
  clock.advanceTo(START + 65n * S);
  expect(irq.level).toBe(true);
});

it('interrupts periodically at the chosen rate', () => {
  set(0x0b, 0x42);
  let count = 0;
  const end = START + S;
  for (let time = START; time <= end; time += 100_000n) {
    clock.advanceTo(time);
    if ((get(0x0c) & 0x40) !== 0) count++;
  }
  expect(count).toBeGreaterThanOrEqual(1023);
  expect(count).toBeLessThanOrEqual(1024);
  expect(rtc.period).toBe(32);
});

it('stops interrupts on reset and keeps time and RAM', () => {
  set(0x50, 0xa5);
  set(0x0b, 0x72);
  clock.advanceTo(START + 2n * S);
  rtc.reset();
  rtc.updateIrq();
  expect(irq.level).toBe(false);
  expect(get(0x0b)).toBe(0x12);
  expect(get(0x50)).toBe(0xa5);
  expect(get(0)).toBe(0x47);
});

it('tells firmware the size of memory', () => {
  setCmosRamSize(rtc, 3 * 2 ** 30, 2 ** 30);
  const word = (low: number) => get(low) + 256 * get(low + 1);
  expect([word(0x15), word(0x17), word(0x30), word(0x34)]).toEqual([640, 0xffff, 0xffff, (3 * 1024 - 16) * 16]);
  expect([get(0x5b), get(0x5c), get(0x5d)]).toEqual([0, 0x40, 0]);
  setCmosRamSize(rtc, 16 * 2 ** 20, 0);
  expect([word(0x17), word(0x34)]).toEqual([15 * 1024, 0]);
});

describe('state', () => {
  describeGolden('mc146818rtc', ({ payload, version, value }) => {
    // At the moment of the recording the time registers were just refreshed.
    const recorded = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
    const lastUpdate = recorded.getBigUint64(128 + 1 + 28 + 16 + 24 + 8 + 8);
    clock = new FakeRtcClock(lastUpdate);
    rtc = make();
    loadState(mc146818rtcState, rtc, payload, version);
    expect(rtc.period).toBe(value['period']);
    // Move the clock to the second that the recorded registers show; then saving gives the same bytes.
    const [hour, minute, second] = [4, 2, 0].map((index) => payload[index]!);
    for (let i = 0; i < 600 && (get(0) !== second || get(2) !== minute || get(4) !== hour); i++) clock.time += S;
    rtc.cmosIndex = payload[128]!;
    expect(saveState(mc146818rtcState, rtc)).toEqual(payload);
  });

  it('keeps its deadlines and the time across a load', () => {
    set(0x0b, 0x72);
    clock.advanceTo(START + 5n * S + 500_000_000n);
    get(0x0c);
    const payload = saveState(mc146818rtcState, rtc);
    const copy = make();
    loadState(mc146818rtcState, copy, payload);
    expect(saveState(mc146818rtcState, copy)).toEqual(payload);
    expect(copy.updateTimer.expiryNs).toBe(rtc.updateTimer.expiryNs);
    expect(copy.periodicTimer.expiryNs).toBe(rtc.periodicTimer.expiryNs);
  });

  it('starts its period anew when the clock has been set', () => {
    set(0x0b, 0x42);
    const payload = saveState(mc146818rtcState, rtc);
    clock = new FakeRtcClock(START + 3600n * S);
    const copy = make();
    loadState(mc146818rtcState, copy, payload);
    expect(copy.nextPeriodicTime).toBeGreaterThan(clock.time);
  });
});

it('survives any sequence of accesses', () => {
  const step = fc.record({ index: fc.nat(0x7f), value: fc.nat(255), write: fc.boolean(), wait: fc.nat(3000) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      clock = new FakeRtcClock(START);
      rtc = make();
      for (const { index, value, write, wait } of steps) {
        // Registers 0-15 matter most.
        const at = value & 1 ? index & 0xf : index;
        if (write) set(at, value);
        else expect(get(at)).toBeLessThan(256);
        if (rtc.period === 0 || rtc.period > 100) clock.advanceTo(clock.time + BigInt(wait) * 1_000_000n);
      }
      const payload = saveState(mc146818rtcState, rtc);
      const copy = make();
      loadState(mc146818rtcState, copy, payload);
      expect(saveState(mc146818rtcState, copy)).toEqual(payload);
    }),
    { numRuns: 200 },
  );
});
