import { type CharBackend, type CharFrontend, CharMux, NullBackend, RingbufBackend } from '@sterna/core';
import { describe, expect, it } from 'vitest';
import { bytesOf, Recorder } from './recorder.ts';

class Keyboard extends NullBackend implements CharBackend {
  frontend: CharFrontend | undefined;
  output = '';

  override attach(frontend: CharFrontend | undefined): void {
    this.frontend = frontend;
    super.attach(frontend);
  }

  override write(bytes: Uint8Array): number {
    this.output += Buffer.from(bytes).toString('latin1');
    return bytes.length;
  }

  type(text: string): void {
    this.frontend!.receive(bytesOf(text));
  }
}

function setUp() {
  const keyboard = new Keyboard('kbd');
  let quits = 0;
  const mux = new CharMux(keyboard, { onQuit: () => quits++ });
  const [monitor, serial] = [new Recorder(), new Recorder()];
  const serialPort = mux.port('serial');
  serialPort.attach(serial);
  mux.port('monitor').attach(monitor);
  return { keyboard, mux, monitor, serial, serialPort, quits: () => quits };
}

describe('mux', () => {
  it('gives the keyboard to the frontend that was attached first', () => {
    const { keyboard, monitor, serial } = setUp();
    keyboard.type('ls\r');
    expect([monitor.text, serial.text]).toEqual(['', 'ls\r']);
  });

  it('switches with Ctrl-A c and tells both frontends', () => {
    const { keyboard, monitor, serial } = setUp();
    keyboard.type('a\x01cb\x01cc');
    expect([monitor.text, serial.text]).toEqual(['b', 'ac']);
    expect(monitor.events).toEqual(['opened', 'closed']);
  });

  it('quits with Ctrl-A x, also when the two keys come apart', () => {
    const { keyboard, serial, quits } = setUp();
    keyboard.type('\x01');
    keyboard.type('x');
    expect(quits()).toBe(1);
    expect(serial.text).toBe('');
  });

  it('sends Ctrl-A for Ctrl-A Ctrl-A, a break for Ctrl-A b and help for Ctrl-A h', () => {
    const { keyboard, serial } = setUp();
    keyboard.type('\x01\x01\x01b\x01h\x01?z');
    expect(serial.text).toBe('\x01z');
    expect(serial.events).toContain('break');
    expect(keyboard.output).toMatch(/Ctrl-A x .*quit/);
  });

  it('swallows unknown escapes', () => {
    const { keyboard, serial } = setUp();
    keyboard.type('\x01qok');
    expect(serial.text).toBe('ok');
  });

  it('keeps typed bytes for a frontend without room, and still sees Ctrl-A', () => {
    const { keyboard, serial, serialPort, quits } = setUp();
    serial.room = 1;
    keyboard.type('abc\x01x');
    expect(serial.text).toBe('a');
    expect(quits()).toBe(1);
    serial.room = 5;
    serialPort.acceptInput();
    expect(serial.text).toBe('abc');
  });

  it('stops reading when a frontend has left too much waiting', () => {
    const { keyboard, serial } = setUp();
    serial.room = 0;
    keyboard.type('x'.repeat(4096));
    expect(keyboard.frontend!.canReceive()).toBe(0);
  });
});

describe('ringbuf', () => {
  it('keeps the newest bytes', () => {
    const ring = new RingbufBackend('r', 4);
    ring.write(bytesOf('abcdef'));
    expect(Buffer.from(ring.read()).toString()).toBe('cdef');
    ring.write(bytesOf('gh'));
    expect(Buffer.from(ring.read(1)).toString()).toBe('g');
    expect(Buffer.from(ring.read()).toString()).toBe('h');
    expect(ring.read()).toHaveLength(0);
  });
});
