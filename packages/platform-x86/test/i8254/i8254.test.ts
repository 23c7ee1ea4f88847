import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { PIT_FREQ } from '../../src/i8254/channel.ts';
import { I8254 } from '../../src/i8254/chip.ts';
import { i8254State } from '../../src/i8254/state.ts';
import { loadState, saveState } from '../support/codec.ts';
import { FakeClock, FakeIrq } from '../support/fakes.ts';
import { describeGolden } from '../support/golden.ts';

const CONTROL = 3;
/** Nanoseconds after which `ticks` input clocks have passed for certain. */
const ns = (ticks: number) => Math.ceil((ticks * 1e9) / PIT_FREQ);

let irq: FakeIrq;
let clock: FakeClock;
let pit: I8254;

function make(): I8254 {
  const made = new I8254(irq, clock);
  made.reset();
  return made;
}

beforeEach(() => {
  irq = new FakeIrq();
  clock = new FakeClock();
  pit = make();
});

function program(channel: number, mode: number, count: number): void {
  pit.write(CONTROL, (channel << 6) | 0x30 | (mode << 1));
  pit.write(channel, count & 0xff);
  pit.write(channel, count >> 8);
}

function readWord(channel: number): number {
  return pit.read(channel) | (pit.read(channel) << 8);
}

it('counts channel 2 in mode 0 although its gate is low, as Linux calibrates with', () => {
  program(2, 0, 0xffff);
  clock.time = ns(100);
  expect(readWord(2)).toBe(0xffff - 100);
  clock.time = ns(0x10010);
  expect(readWord(2)).toBe((0xffff - 0x10010) & 0xffff);
  expect(pit.output(2)).toBe(true);
});

it('reloads in mode 2 and counts by two in mode 3', () => {
  program(1, 2, 1000);
  clock.time = ns(2300);
  expect(readWord(1)).toBe(700);
  program(1, 3, 1000);
  clock.time += ns(300);
  expect(readWord(1)).toBe(400);
});

it('interrupts in mode 2 once for each period', () => {
  program(0, 2, 1193);
  irq.edges = 0;
  clock.advanceTo(clock.time + ns(1193 * 10) + 1000);
  expect(irq.edges).toBe(10);
});

it('interrupts in mode 3 once for each period, even when the loop is late', () => {
  program(0, 3, 1193);
  irq.edges = 0;
  clock.advanceTo(clock.time + ns(1193 * 10) + 1000);
  expect(irq.edges).toBe(10);
});

it('interrupts once in modes 0 and 4', () => {
  for (const mode of [0, 4]) {
    program(0, mode, 500);
    irq.edges = 0;
    clock.advanceTo(clock.time + ns(5000));
    expect(irq.edges).toBe(1);
  }
});

it('keeps a latched count until both bytes are read', () => {
  program(0, 2, 0x8000);
  pit.write(CONTROL, 0x00);
  const latched = 0x8000;
  clock.time = ns(0x100);
  pit.write(CONTROL, 0x00);
  expect(readWord(0)).toBe(latched);
  expect(readWord(0)).toBe(0x8000 - 0x100);
});

it('reads status and count back', () => {
  program(1, 3, 0x1000);
  pit.write(CONTROL, 0xc4);
  expect(pit.read(1)).toBe(0x80 | 0x30 | (3 << 1));
  expect(readWord(1)).toBe(0x1000);
});

it('loads single bytes in LSB and MSB mode', () => {
  pit.write(CONTROL, 0x94);
  pit.write(2, 0x20);
  expect(pit.read(2)).toBe(0x20);
  pit.write(CONTROL, 0xa4);
  pit.write(2, 0x20);
  expect(pit.channels[2]!.count).toBe(0x2000);
});

it('takes a count of 0 for 65536', () => {
  program(0, 2, 0);
  expect(pit.channels[0]!.count).toBe(0x10000);
  clock.time = ns(1);
  expect(readWord(0)).toBe(0xffff);
});

it('restarts mode 1 on a rising gate', () => {
  program(2, 1, 1000);
  clock.time = ns(500);
  pit.setGate(2, true);
  expect(readWord(2)).toBe(1000);
});

it('answers 0 for the control word', () => {
  expect(pit.read(CONTROL)).toBe(0);
});

describe('state', () => {
  describeGolden('i8254', ({ payload, version, value }) => {
    // The stream's own clock: somewhere after the last load and before the next transition.
    const next = value['channels[0].next_transition_time'] as number;
    clock.time = Math.max(0, next - 1);
    loadState(i8254State, pit, payload, version);
    expect(saveState(i8254State, pit)).toEqual(payload);
  });

  describeGolden('i8254', ({ payload, version }) => {
    // The recorded deadline is what our arithmetic gives for a moment in the recorded period.
    loadState(i8254State, pit, payload, version);
    const { nextTransitionTime, mode, count, countLoadTime } = pit.channels[0]!;
    if (nextTransitionTime === -1 || mode !== 2) return;
    const ticks = Math.round(((nextTransitionTime - countLoadTime) * PIT_FREQ) / 1e9);
    const before = countLoadTime + ns(ticks - (ticks % count === 0 ? count : 1));
    expect(pit.channels[0]!.transitionAfter(before)).toBe(nextTransitionTime);
  });

  it('refuses counts and modes that no chip has', () => {
    const payload = saveState(i8254State, pit);
    const zeroCount = payload.slice();
    zeroCount.fill(0, 4, 8);
    expect(() => loadState(i8254State, pit, zeroCount)).toThrow(/count 0/);
    const badMode = payload.slice();
    badMode[4 + 13] = 8;
    expect(() => loadState(i8254State, pit, badMode)).toThrow(/mode/);
  });

  it('arms no timer when the interrupt is disabled', () => {
    pit.channels[0]!.irqDisabled = 1;
    const payload = saveState(i8254State, pit);
    loadState(i8254State, pit, payload);
    expect(clock.timers.every((timer) => timer.expiryNs === -1)).toBe(true);
  });
});

it('survives any sequence of accesses', () => {
  const step = fc.record({ offset: fc.nat(3), value: fc.nat(255), write: fc.boolean(), wait: fc.nat(2_000_000) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      clock = new FakeClock();
      pit = make();
      for (const { offset, value, write, wait } of steps) {
        if (write) pit.write(offset, value);
        else expect(pit.read(offset)).toBeLessThan(256);
        // Counts of a few clocks would fire thousands of times here.
        if (pit.channels[0]!.count > 50) clock.advanceTo(clock.time + wait);
      }
      const payload = saveState(i8254State, pit);
      const copy = make();
      loadState(i8254State, copy, payload);
      expect(saveState(i8254State, copy)).toEqual(payload);
    }),
    { numRuns: 200 },
  );
});
