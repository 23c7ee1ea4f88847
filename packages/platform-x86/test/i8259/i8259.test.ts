import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { I8259 } from '../../src/i8259/chip.ts';
import { i8259State } from '../../src/i8259/state.ts';
import { loadState, saveState } from '../support/codec.ts';
import { FakeHooks, FakeIrq } from '../support/fakes.ts';
import { describeGolden } from '../support/golden.ts';

const [COMMAND, DATA] = [0, 1];
const EOI = 0x20;

let out: FakeIrq;
let hooks: FakeHooks;
let master: I8259;
let slave: I8259;

/** Vectors 0x20 and 0x28, ICW4 with 8086 mode, all inputs open. */
function initialise(pic: I8259, base: number, icw1 = 0x11, icw4 = 0x01): void {
  pic.write(COMMAND, icw1);
  pic.write(DATA, base);
  pic.write(DATA, pic.master ? 0x04 : 0x02);
  pic.write(DATA, icw4);
  pic.write(DATA, 0);
}

beforeEach(() => {
  out = new FakeIrq();
  hooks = new FakeHooks();
  master = new I8259(true, out, hooks.gate());
  slave = new I8259(false, master.input(2), hooks.gate());
  master.attachSlave(slave);
  initialise(master, 0x20);
  initialise(slave, 0x28);
});

it('turns an edge into one vector', () => {
  master.input(4).set(true);
  expect(out.level).toBe(true);
  expect(master.readIrq()).toBe(0x24);
  expect(out.level).toBe(false);
  master.write(COMMAND, EOI);
  expect(out.level).toBe(false);
  master.input(4).set(false);
  master.input(4).set(true);
  expect(out.level).toBe(true);
});

it('cascades the slave and its spurious interrupt', () => {
  slave.input(0).set(true);
  expect(master.readIrq()).toBe(0x28);
  slave.write(COMMAND, EOI);
  master.write(COMMAND, EOI);
  slave.input(1).set(true);
  slave.write(DATA, 0xff);
  slave.irr = 0;
  expect(master.irr & 4).toBe(4);
  expect(master.readIrq()).toBe(0x2f);
});

it('answers vector 7 when the request has gone', () => {
  expect(master.readIrq()).toBe(0x27);
});

it('holds lower priorities back until the end of interrupt', () => {
  master.input(3).set(true);
  master.readIrq();
  master.input(5).set(true);
  expect(out.level).toBe(false);
  master.input(1).set(true);
  expect(out.level).toBe(true);
  expect(master.readIrq()).toBe(0x21);
  master.write(COMMAND, EOI);
  master.write(COMMAND, EOI);
  expect(master.readIrq()).toBe(0x25);
});

it('repeats a level triggered input until its line drops', () => {
  master.writeElcr(0xff);
  expect(master.elcr).toBe(0xf8);
  master.input(5).set(true);
  master.readIrq();
  master.write(COMMAND, EOI);
  expect(out.level).toBe(true);
  master.input(5).set(false);
  expect(out.level).toBe(false);
});

it('treats every input as level triggered after an ICW1 with LTIM', () => {
  initialise(master, 0x20, 0x19);
  master.input(0).set(true);
  master.readIrq();
  master.write(COMMAND, EOI);
  expect(out.level).toBe(true);
});

it('rotates priorities', () => {
  master.write(COMMAND, 0xc3); // set priority: 4 is now the highest
  master.input(0).set(true);
  master.input(4).set(true);
  expect(master.readIrq()).toBe(0x24);
  master.write(COMMAND, 0xa0); // rotate on non-specific EOI
  expect(master.priorityAdd).toBe(5);
});

it('ends interrupts by itself in automatic EOI mode', () => {
  initialise(master, 0x20, 0x11, 0x03);
  master.input(1).set(true);
  master.readIrq();
  expect(master.isr).toBe(0);
});

it('polls', () => {
  master.input(6).set(true);
  master.write(COMMAND, 0x0c);
  expect(master.read(COMMAND)).toBe(0x86);
  master.write(COMMAND, 0x0b);
  expect(master.read(COMMAND)).toBe(0x40);
  master.write(COMMAND, 0x0a);
  expect(master.read(COMMAND)).toBe(0);
});

it('lets other inputs through in special mask mode', () => {
  master.input(1).set(true);
  master.readIrq();
  master.input(6).set(true);
  expect(out.level).toBe(false);
  master.write(COMMAND, 0x68);
  master.write(DATA, 0x02);
  expect(out.level).toBe(true);
});

it('lets the slave interrupt itself in special fully nested mode', () => {
  initialise(master, 0x20, 0x11, 0x11);
  slave.input(5).set(true);
  expect(master.readIrq()).toBe(0x2d);
  slave.input(1).set(true);
  expect(out.level).toBe(true);
  expect(master.readIrq()).toBe(0x29);
});

it('skips ICW3 in single mode', () => {
  master.write(COMMAND, 0x13);
  master.write(DATA, 0x40);
  master.write(DATA, 0x01);
  master.write(DATA, 0xfe);
  expect(master.imr).toBe(0xfe);
});

describe('state', () => {
  describeGolden('i8259', ({ payload, instance, version }) => {
    const pic = instance === 0 ? master : slave;
    loadState(i8259State, pic, payload, version);
    expect(saveState(i8259State, pic)).toEqual(payload);
  });

  it('ignores lines that devices drive while their state is loaded', () => {
    hooks.setRunState('inmigrate');
    master.input(4).set(true);
    expect(master.irr).toBe(0);
    hooks.setRunState('running');
    master.input(4).set(false);
    master.input(4).set(true);
    expect(master.irr).toBe(0x10);
  });

  it('drives its output after a load', () => {
    master.input(4).set(true);
    const payload = saveState(i8259State, master);
    const line = new FakeIrq();
    loadState(i8259State, new I8259(true, line, hooks.gate()), payload);
    expect(line.level).toBe(true);
  });

  it('keeps LTIM', () => {
    initialise(master, 0x20, 0x19);
    const payload = saveState(i8259State, master);
    const copy = new I8259(true, out, hooks.gate());
    loadState(i8259State, copy, payload);
    expect(copy.ltim).not.toBe(0);
    expect(saveState(i8259State, copy)).toEqual(payload);
  });
});

it('survives any sequence of accesses and lines', () => {
  const step = fc.record({ offset: fc.nat(1), value: fc.nat(255), what: fc.nat(4), level: fc.boolean() });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      for (const { offset, value, what, level } of steps) {
        const pic = value & 1 ? master : slave;
        if (what === 0) pic.write(offset, value);
        else if (what === 1) pic.writeElcr(value);
        else if (what === 2) pic.input(value & 7).set(level);
        else if (what === 3) expect(pic.read(offset)).toBeLessThan(256);
        else expect(master.readIrq()).toBeLessThan(256);
        const payload = saveState(i8259State, master);
        const copy = new I8259(true, new FakeIrq(), hooks.gate());
        loadState(i8259State, copy, payload);
        expect(saveState(i8259State, copy)).toEqual(payload);
      }
    }),
    { numRuns: 100 },
  );
});
