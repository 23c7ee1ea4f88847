import { Machine } from '@sterna/core';
import { CharPeer, type ConformanceOptions, conformance, loadDevice, saveDevice, VirtualHost } from '@sterna/testkit';
import { describe, expect, it, test } from 'vitest';
import { ICU_REGISTERS } from '../src/board/memory-map.ts';
import { cr16Board, cr16c, cr16Icu, cr16Timer, cr16Uart } from '../src/index.ts';
import { tickGuest } from './tick-guest.ts';

/** A board with the ticking guest. Each look at the host's clock takes a microsecond, so that slices end. */
function board() {
  const host = new VirtualHost();
  const clock = { ...host.clock, monotonicNs: () => (host.nowNs += 1000) };
  const serial = new CharPeer();
  const machine = new Machine(
    {
      type: cr16Board.type,
      properties: {},
      cpu: cr16c,
      cpuProperties: {},
      cpuCount: 1,
      ramSize: 64 << 10,
      boot: { kernel: tickGuest(), findFirmware: () => undefined },
      devices: [],
      chardevs: new Map([['serial0', serial]]),
      serials: ['serial0'],
    },
    { ...host.machineHost, clock },
  );
  return { host, serial, machine };
}

describe('cr16-board', () => {
  it('runs a guest that sleeps between interrupts', async () => {
    const { host, serial, machine } = board();
    machine.start();
    host.advance(105e6);
    expect(serial.take()).toBe('CR16\n..........');
    serial.type('echo');
    host.advance(1e6);
    expect(serial.take()).toBe('echo');
    await machine.dispose();
  });

  it('moves with its guest', async () => {
    const source = board();
    source.machine.start();
    source.host.advance(55.5e6);
    expect(source.serial.take()).toBe('CR16\n.....');
    source.machine.stop('paused');
    const target = board();
    const { memory } = source.machine;
    target.machine.memory.bytes(target.machine.memory.blocks[0]!).set(memory.bytes(memory.blocks[0]!));
    await loadDevice(target, await saveDevice(source));
    target.machine.start();
    target.host.advance(50e6);
    expect(target.serial.take()).toBe('.....');
    await source.machine.dispose();
    await target.machine.dispose();
  });
});

const devices = [
  [
    cr16Uart,
    {
      operations: [
        { name: 'interrupts on', run: (device) => device.write(8, 1) },
        { name: 'send', run: (device) => device.write(0, 0x41) },
        { name: 'receive', run: (device) => device.read(0) },
      ],
    },
  ],
  [
    cr16Timer,
    {
      operations: [
        { name: 'period', run: (device) => device.write(4, 500) },
        { name: 'start', run: (device) => device.write(0, 3) },
        { name: 'a millisecond passes', run: (device) => device.advance(1e6) },
        { name: 'acknowledge', run: (device) => device.write(12, 1) },
        { name: 'stop', run: (device) => device.write(0, 0) },
      ],
    },
  ],
  [cr16Icu, { operations: [{ name: 'enable', run: (device) => device.write(ICU_REGISTERS.IENAM, 0xff) }] }],
] satisfies readonly (readonly [Parameters<typeof conformance>[0], ConformanceOptions])[];

describe.each(devices)('$descriptor.name keeps the rules of migration', (device, options) => {
  for (const { name, skipped, run } of conformance(device, options))
    if (skipped === undefined) test(name, run, 120_000);
});
