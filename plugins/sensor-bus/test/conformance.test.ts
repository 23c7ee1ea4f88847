import type { Scope } from '@sterna/core';
import { conformance, type DeviceHarness } from '@sterna/testkit';
import { describe, test } from 'vitest';
import { TwoWireBus, type TwoWireTarget, ternSensor, twoWireBus, twoWireController } from '../src/index.ts';

/** A target with one byte, for the controller's bus; it has no state that would have to move. */
const echo: TwoWireTarget = {
  address: 0x20,
  start: () => true,
  write: (byte) => byte !== 0,
  read: () => 0x5a,
  stop: () => {},
};

function withBus(scope: Scope): void {
  const bus = twoWireBus();
  bus.connect(echo);
  scope.provide(TwoWireBus, bus);
}

describe('the controller keeps the rules of migration', () => {
  const operations = [
    { name: 'address', run: (dev: DeviceHarness) => dev.write(0x0, 0x20) },
    { name: 'start', run: (dev: DeviceHarness) => dev.write(0x4, 1) },
    { name: 'write', run: (dev: DeviceHarness) => dev.write(0xc, 7) },
    { name: 'read STATUS', run: (dev: DeviceHarness) => dev.read(0x8) },
    { name: 'start reading', run: (dev: DeviceHarness) => dev.write(0x4, 3) },
    { name: 'read', run: (dev: DeviceHarness) => dev.read(0xc) },
    { name: 'stop', run: (dev: DeviceHarness) => dev.write(0x4, 4) },
  ];
  for (const { name, skipped, run } of conformance(twoWireController, { operations, provide: withBus }))
    if (skipped === undefined) test(name, run, 120_000);
});

describe('the sensor keeps the rules of migration', () => {
  // It has no registers of its own: whoever is on the bus talks to it.
  const target = (dev: DeviceHarness): TwoWireTarget | undefined => dev.machine.scope.get(TwoWireBus).target(0x48);
  const operations = [
    { name: 'start', run: (dev: DeviceHarness) => target(dev)?.start(false) },
    { name: 'choose the period', run: (dev: DeviceHarness) => target(dev)?.write(1) },
    { name: 'its high byte', run: (dev: DeviceHarness) => target(dev)?.write(0) },
    { name: 'its low byte', run: (dev: DeviceHarness) => target(dev)?.write(40) },
    { name: '100 ms pass', run: (dev: DeviceHarness) => dev.advance(100_000_000) },
    { name: 'start again', run: (dev: DeviceHarness) => target(dev)?.start(true) },
    { name: 'read a byte', run: (dev: DeviceHarness) => target(dev)?.read() },
    { name: 'read the other', run: (dev: DeviceHarness) => target(dev)?.read() },
    { name: 'stop', run: (dev: DeviceHarness) => target(dev)?.stop() },
  ];
  const properties = { 'day-ms': 700 };
  for (const { name, skipped, run } of conformance(ternSensor, { properties, operations, provide: withBus }))
    if (skipped === undefined) test(name, run, 120_000);
});
