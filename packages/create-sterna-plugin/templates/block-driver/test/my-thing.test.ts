import assert from 'node:assert/strict';
import { describe, it, test } from 'node:test';
import { blockDriverConformance, DriverBench } from '@sterna/testkit';
import { myThing } from '../src/index.ts';

describe('my-thing', () => {
  it('mixes what goes below with its key', async () => {
    const { driver, children } = await DriverBench.open(myThing, { properties: { key: 0xff } });
    await driver.write?.(0, Uint8Array.of(1, 2), {});
    assert.deepEqual([...children.get('file')!.bytes.subarray(0, 2)], [0xfe, 0xfd]);
  });
});

describe('my-thing keeps the rules of block drivers', () => {
  for (const { name, skipped, run } of blockDriverConformance(myThing)) test(name, { skip: skipped ?? false }, run);
});
