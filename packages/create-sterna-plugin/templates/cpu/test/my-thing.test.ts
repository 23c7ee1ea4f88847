import assert from 'node:assert/strict';
import { describe, it, test } from 'node:test';
import { CpuBench, cpuConformance } from '@sterna/testkit';
import { myThing } from '../src/index.ts';
import { OP } from '../src/my-thing.ts';

const COUNT = 0x100;
const MINUS_ONE = 0x104;

/** Counts memory at 0x100 down from 100 to 0 and halts. */
const PROGRAM = words({
  0: (OP.SET << 24) | 100,
  4: (OP.STORE << 24) | COUNT,
  8: (OP.LOAD << 24) | COUNT,
  12: (OP.ADD << 24) | MINUS_ONE,
  16: (OP.STORE << 24) | COUNT,
  20: (OP.JUMP_NONZERO << 24) | 0x08,
  24: OP.HALT << 24,
  [MINUS_ONE]: -1,
});

function words(content: Readonly<Record<number, number>>): Uint8Array {
  const bytes = new Uint8Array(0x108);
  const view = new DataView(bytes.buffer);
  for (const [address, word] of Object.entries(content)) view.setUint32(Number(address), word >>> 0, true);
  return bytes;
}

describe('my-thing', () => {
  it('counts down and halts', async () => {
    await using bench = new CpuBench(myThing, { program: PROGRAM });
    bench.run(1000);
    assert.equal(bench.cpu.halted, true);
    assert.equal(bench.executed, 2 + 100 * 4 + 1);
    assert.equal(new DataView(bench.ram.buffer, bench.ram.byteOffset).getUint32(COUNT, true), 0);
  });
});

describe('my-thing keeps the rules of processors', () => {
  for (const { name, run } of cpuConformance(myThing, { program: PROGRAM, steps: 300 })) test(name, run);
});
