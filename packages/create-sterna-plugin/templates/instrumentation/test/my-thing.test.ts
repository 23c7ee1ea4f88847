import assert from 'node:assert/strict';
import { describe, it, test } from 'node:test';
import { conformance, DeviceHarness } from '@sterna/testkit';
import { myThing } from '../src/index.ts';

const ADD = { address: 0x1000n, length: 2, name: 'add', transfers: false };
const JUMP = { address: 0x1002n, length: 2, name: 'jmp', transfers: true };

describe('my-thing', () => {
  it('lists what was executed most when the guest stops', async () => {
    await using device = new DeviceHarness(myThing, { properties: { limit: 1 } });
    device.code.execute(ADD, 3);
    device.code.execute(JUMP, 7);
    device.stop();
    assert.deepEqual(device.host.log, ['info dut:            7 0x1002 jmp']);
  });
});

describe('my-thing keeps the rules of devices', () => {
  const operations = [{ name: 'the guest executes', run: (device: DeviceHarness) => device.code.execute(ADD) }];
  for (const { name, skipped, run } of conformance(myThing, { operations }))
    test(name, { skip: skipped ?? false }, run);
});
