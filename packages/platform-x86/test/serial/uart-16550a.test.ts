import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { serialState } from '../../src/serial/state.ts';
import { Uart16550A } from '../../src/serial/uart-16550a.ts';
import { loadState, saveState } from '../support/codec.ts';
import { FakeChar, FakeClock, FakeIrq } from '../support/fakes.ts';
import { describeGolden } from '../support/golden.ts';

const [DATA, IER, FCR, LCR, MCR, LSR, MSR] = [0, 1, 2, 3, 4, 5, 6];
const IIR = FCR;

let irq: FakeIrq;
let clock: FakeClock;
let char: FakeChar;
let uart: Uart16550A;

function make(): Uart16550A {
  irq = new FakeIrq();
  clock = new FakeClock();
  char = new FakeChar();
  const made = new Uart16550A(irq, clock, char, 115200);
  char.attach(made);
  made.reset();
  return made;
}

beforeEach(() => {
  uart = make();
});

describe('transmitter', () => {
  it('hands bytes to the backend at once and stays empty', () => {
    uart.write(DATA, 0x41);
    expect(char.sent).toEqual([0x41]);
    expect(uart.read(LSR)).toBe(0x60);
  });

  it('raises THRE for each byte and drops it when IIR is read', () => {
    uart.write(IER, 0x02);
    expect(irq.level).toBe(true);
    expect(uart.read(IIR)).toBe(0x02);
    expect(irq.level).toBe(false);
    uart.write(DATA, 0x42);
    expect(irq.level).toBe(true);
    expect(irq.edges).toBe(2);
  });

  it('keeps the byte while the backend is full and sends it when there is room', () => {
    char.room = 0;
    uart.write(FCR, 0x01);
    uart.write(DATA, 0x31);
    uart.write(DATA, 0x32);
    expect(uart.read(LSR) & 0x60).toBe(0);
    expect(uart.tsrRetry).toBe(1);
    char.drain(10);
    expect(char.sent).toEqual([0x31, 0x32]);
    expect(uart.read(LSR) & 0x60).toBe(0x60);
  });

  it('drops a byte that no backend takes after four retries', () => {
    char.room = 0;
    uart.write(DATA, 0x31);
    for (let i = 0; i < 4; i++) char.drain(0);
    expect(char.sent).toEqual([]);
    expect(uart.read(LSR) & 0x40).toBe(0x40);
  });

  it('forgets the waiting byte on reset', () => {
    char.room = 0;
    uart.write(DATA, 0x31);
    uart.reset();
    char.drain(1);
    expect(char.sent).toEqual([]);
  });
});

describe('receiver', () => {
  it('interrupts at the trigger level and after four idle character times below it', () => {
    uart.write(FCR, 0x81);
    uart.write(IER, 0x01);
    uart.receive(Uint8Array.of(1, 2, 3));
    expect(irq.level).toBe(false);
    clock.advanceTo(4 * uart.charTimeNs);
    expect(uart.read(IIR)).toBe(0xcc);
    expect(uart.read(DATA)).toBe(1);
    expect(irq.level).toBe(false);
    uart.receive(Uint8Array.of(4, 5, 6, 7, 8, 9));
    expect(uart.read(IIR)).toBe(0xc4);
  });

  it('takes a character as long as the line settings say', () => {
    uart.write(LCR, 0x83);
    uart.write(DATA, 1);
    uart.write(IER, 0);
    uart.write(LCR, 0x03);
    expect(Math.abs(uart.charTimeNs - 1e10 / 115200)).toBeLessThan(1);
  });

  it('offers the backend what its trigger level leaves', () => {
    expect(uart.canReceive()).toBe(1);
    uart.write(FCR, 0xc1);
    expect(uart.canReceive()).toBe(14);
    uart.receive(new Uint8Array(14));
    expect(uart.canReceive()).toBe(1);
    uart.receive(new Uint8Array(2));
    expect(uart.canReceive()).toBe(0);
  });

  it('reports an overrun once and keeps what the FIFO holds', () => {
    uart.write(FCR, 0x01);
    uart.receive(Uint8Array.from({ length: 17 }, (_, i) => i));
    expect(uart.read(LSR) & 0x02).toBe(0x02);
    expect(uart.read(LSR) & 0x02).toBe(0);
    expect(uart.read(DATA)).toBe(0);
  });

  it('reports a break as a zero byte with BI', () => {
    uart.write(IER, 0x04);
    uart.event('break');
    expect(uart.read(IIR)).toBe(0x06);
    expect(uart.read(LSR) & 0x11).toBe(0x11);
    expect(irq.level).toBe(false);
  });

  it('asks the backend for more after each byte that was read', () => {
    uart.receive(Uint8Array.of(5));
    uart.read(DATA);
    expect(char.accepts).toBe(1);
  });
});

it('loops transmitted bytes and modem outputs back', () => {
  uart.write(MCR, 0x1f);
  uart.write(DATA, 0x99);
  expect(char.sent).toEqual([]);
  expect(uart.read(DATA)).toBe(0x99);
  expect(uart.read(MSR)).toBe(0xf0);
});

describe('state', () => {
  describeGolden('serial', ({ payload, version, value }) => {
    loadState(serialState, uart, payload, version);
    const recorded = value['state'] as Record<string, number>;
    expect(uart.scr).toBe(recorded['scr']);
    expect(saveState(serialState, uart)).toEqual(payload);
  });

  it('carries FIFOs, timeout and the waiting byte', () => {
    char.room = 0;
    uart.write(FCR, 0xc1);
    uart.write(IER, 0x03);
    uart.receive(Uint8Array.of(1, 2, 3));
    uart.write(DATA, 0x31);
    uart.write(DATA, 0x32);
    const payload = saveState(serialState, uart);
    const copy = make();
    loadState(serialState, copy, payload);
    expect(saveState(serialState, copy)).toEqual(payload);
    char.drain(5);
    expect(char.sent).toEqual([0x31, 0x32]);
    expect([copy.read(DATA), copy.read(DATA), copy.read(DATA)]).toEqual([1, 2, 3]);
  });

  it('drives the line to what the loaded state asks for', () => {
    uart.write(IER, 0x02);
    const payload = saveState(serialState, uart);
    const copy = make();
    loadState(serialState, copy, payload);
    expect(irq.level).toBe(true);
  });

  it('refuses a transmitter that is neither empty nor busy', () => {
    const payload = saveState(serialState, uart);
    payload[7] = 0x20;
    expect(() => loadState(serialState, make(), payload)).toThrow(RangeError);
  });

  it('refuses FIFO pointers outside the FIFO', () => {
    uart.write(FCR, 0x01);
    uart.receive(Uint8Array.of(1));
    const payload = saveState(serialState, uart);
    const at = payload.indexOf(0x05) + 2 + 'serial/recv_fifo'.length + 4 + 16;
    payload[at + 3] = 200;
    expect(() => loadState(serialState, make(), payload)).toThrow(/FIFO/);
  });
});

it('survives any sequence of guest accesses, and its state survives a transfer', () => {
  const access = fc.record({ offset: fc.nat(7), value: fc.nat(255), write: fc.boolean(), input: fc.boolean() });
  fc.assert(
    fc.property(fc.array(access, { maxLength: 60 }), fc.nat(3), (accesses, room) => {
      const dev = make();
      char.room = room;
      for (const { offset, value, write, input } of accesses) {
        if (write) dev.write(offset, value);
        else expect(dev.read(offset)).toBeLessThan(256);
        if (input && dev.canReceive() > 0) dev.receive(Uint8Array.of(value));
        clock.advanceTo(clock.time + value * 1000);
      }
      const payload = saveState(serialState, dev);
      const level = irq.level;
      const copy = make();
      loadState(serialState, copy, payload);
      expect(saveState(serialState, copy)).toEqual(payload);
      expect(irq.level).toBe(level);
    }),
    { numRuns: 300 },
  );
});
