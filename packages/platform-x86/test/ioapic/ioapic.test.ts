import { beforeEach, describe, expect, it } from 'vitest';
import { IoApic } from '../../src/ioapic/chip.ts';
import { ioapicState } from '../../src/ioapic/state.ts';
import { ApicRig } from '../support/apic-rig.ts';
import { loadState, saveState } from '../support/codec.ts';
import { describeGolden } from '../support/golden.ts';

const [SELECT, WINDOW, EOI] = [0x00, 0x10, 0x40];
const [LEVEL, MASKED, REMOTE_IRR] = [0x8000, 0x10000, 0x4000];

let rig: ApicRig;
let ioapic: IoApic;

beforeEach(() => {
  rig = new ApicRig(2);
  rig.enable();
  ioapic = new IoApic(0x20, rig.bus, rig.clock, rig.hooks.gate());
  ioapic.reset();
  ioapic.attach();
});

function write(register: number, value: number): void {
  ioapic.write(SELECT, register, 4);
  ioapic.write(WINDOW, value, 4);
}

function read(register: number): number {
  ioapic.write(SELECT, register, 4);
  return ioapic.read(WINDOW, 4);
}

/** Sets a redirection entry to CPU 0. */
function route(pin: number, low: number): void {
  write(0x11 + 2 * pin, 0);
  write(0x10 + 2 * pin, low);
}

it('shows version, id and masked entries after reset', () => {
  expect(read(1)).toBe(0x00170020);
  write(0, 0x0f000000);
  expect(read(0)).toBe(0x0f000000);
  expect(read(0x10)).toBe(MASKED);
});

it('sends an edge once', () => {
  route(4, 0x34);
  ioapic.input(4).set(true);
  expect(rig.apics[0]!.acknowledgeInterrupt()).toBe(0x34);
  rig.write(0xb0, 0);
  ioapic.input(4).set(false);
  expect(rig.cpus[0]!.line).toBe(false);
});

it('loses an edge on a masked pin', () => {
  ioapic.input(4).set(true);
  route(4, 0x34);
  expect(rig.cpus[0]!.line).toBe(false);
});

it('repeats a level until its line drops, once for each EOI', () => {
  route(9, LEVEL | 0x39);
  ioapic.input(9).set(true);
  expect(read(0x10 + 18)).toBe(LEVEL | REMOTE_IRR | 0x39);
  expect(rig.apics[0]!.acknowledgeInterrupt()).toBe(0x39);
  expect(rig.cpus[0]!.line).toBe(false);
  rig.write(0xb0, 0);
  expect(rig.apics[0]!.acknowledgeInterrupt()).toBe(0x39);
  ioapic.input(9).set(false);
  rig.write(0xb0, 0);
  expect(rig.cpus[0]!.line).toBe(false);
  expect(read(0x10 + 18)).toBe(LEVEL | 0x39);
});

it('keeps the request of a masked level pin', () => {
  route(9, MASKED | LEVEL | 0x39);
  ioapic.input(9).set(true);
  route(9, LEVEL | 0x39);
  expect(rig.cpus[0]!.line).toBe(true);
});

it('ends a level interrupt through the EOI register, or by a switch to edge', () => {
  route(9, LEVEL | 0x39);
  ioapic.input(9).set(true);
  ioapic.input(9).set(false);
  ioapic.write(EOI, 0x39, 4);
  expect(read(0x22) & REMOTE_IRR).toBe(0);
  ioapic.input(9).set(true);
  ioapic.input(9).set(false);
  write(0x22, MASKED | 0x39);
  write(0x22, LEVEL | 0x39);
  expect(read(0x22) & REMOTE_IRR).toBe(0);
});

it('has no EOI register as version 0x11', () => {
  ioapic = new IoApic(0x11, rig.bus, rig.clock, rig.hooks.gate());
  ioapic.reset();
  route(9, LEVEL | 0x39);
  ioapic.input(9).set(true);
  ioapic.write(EOI, 0x39, 4);
  expect(read(0x22) & REMOTE_IRR).toBe(REMOTE_IRR);
});

it('takes the vector of an ExtINT entry from the 8259', () => {
  rig.pic.vector = 0x25;
  route(0, 0x700);
  ioapic.input(0).set(true);
  expect(rig.apics[0]!.acknowledgeInterrupt()).toBe(0x25);
});

it('delivers to logical destinations', () => {
  rig.current = 1;
  rig.write(0xd0, 0x02000000);
  write(0x11, 0x02000000);
  write(0x10, 0x0841);
  ioapic.input(0).set(true);
  expect([rig.cpus[0]!.line, rig.cpus[1]!.line]).toEqual([false, true]);
});

it('delays an interrupt that storms', () => {
  route(9, LEVEL | 0x39);
  ioapic.input(9).set(true);
  for (let i = 0; i < 10_000; i++) {
    rig.apics[0]!.acknowledgeInterrupt();
    rig.write(0xb0, 0);
  }
  expect(rig.cpus[0]!.line).toBe(false);
  rig.clock.advanceTo(10_000_000);
  expect(rig.cpus[0]!.line).toBe(true);
});

describe('state', () => {
  describeGolden('ioapic', ({ payload, version }) => {
    loadState(ioapicState, ioapic, payload, version);
    expect(saveState(ioapicState, ioapic)).toEqual(payload);
  });

  it('ignores lines that devices drive while their state is loaded', () => {
    route(4, 0x34);
    rig.hooks.setRunState('inmigrate');
    ioapic.input(4).set(true);
    rig.hooks.setRunState('running');
    expect(rig.cpus[0]!.line).toBe(false);
    ioapic.input(4).set(false);
    ioapic.input(4).set(true);
    expect(rig.cpus[0]!.line).toBe(true);
  });
});
