import assert from 'node:assert/strict';
import { describe, it, test } from 'node:test';
import { type ConformanceOptions, conformance, DeviceHarness } from '@sterna/testkit';
import { myThing } from '../src/index.ts';

const CTRL = 0x0;
const STATUS = 0x4;
const START = 0x8;
const LEFT = 0xc;

describe('my-thing', () => {
  it('raises its line when the time is over, until the guest has seen it', async () => {
    await using device = new DeviceHarness(myThing);
    device.write(CTRL, 1);
    device.write(START, 100);
    device.advance(50_000);
    assert.equal(device.read(LEFT), 50);
    assert.equal(device.irq(), false);
    device.advance(50_000);
    assert.equal(device.irq(), true);
    device.write(STATUS, 1);
    assert.equal(device.irq(), false);
  });

  it('takes no longer time than it may', async () => {
    await using device = new DeviceHarness(myThing, { properties: { 'max-us': 10 } });
    device.write(START, 1000);
    assert.equal(device.read(LEFT), 10);
  });
});

/** What a driver does with the device; the kit adds what a careless one would. */
const options: ConformanceOptions = {
  operations: [
    { name: 'enable the interrupt', run: (device) => device.write(CTRL, 1) },
    { name: 'start 1 ms', run: (device) => device.write(START, 1000) },
    { name: 'half of it passes', run: (device) => device.advance(500_000) },
    { name: 'read LEFT', run: (device) => device.read(LEFT) },
    { name: 'the rest passes', run: (device) => device.advance(500_000) },
    { name: 'read STATUS', run: (device) => device.read(STATUS) },
    { name: 'clear STATUS', run: (device) => device.write(STATUS, 1) },
  ],
};

describe('my-thing keeps the rules of migration', () => {
  for (const { name, skipped, run } of conformance(myThing, options)) test(name, { skip: skipped ?? false }, run);
});
