import { runHmp } from '@sterna/qmp';
import { describe, expect, it } from 'vitest';
import { FakeTarget } from '../fake-target.ts';

class MemoryTarget extends FakeTarget {
  /** Byte n of memory is n, below 0x100. */
  readMemory(address: bigint, size: number): Uint8Array | undefined {
    if (address + BigInt(size) > 0x100n) return undefined;
    return Uint8Array.from({ length: size }, (_, index) => Number(address) + index);
  }
}

const run = async (line: string): Promise<string> =>
  (await runHmp(line, { target: new MemoryTarget(), cpuIndex: 0 })).replaceAll('\r', '');

describe('the human monitor', () => {
  it.each([
    ['x/4xb 0x40', '0000000000000040: 0x40 0x41 0x42 0x43\n'],
    ['x/10xb 0x40', '0000000000000040: 0x40 0x41 0x42 0x43 0x44 0x45 0x46 0x47\n0000000000000048: 0x48 0x49\n'],
    ['xp/3xw 0', '00000000: 0x03020100 0x07060504 0x0b0a0908\n'],
    ['xp/2xg 0', '00000000: 0x0706050403020100 0x0f0e0d0c0b0a0908\n'],
    ['xp/3ob 0x40', '00000040: 0100 0101 0102\n'],
    ['xp/2dw 0xf8', '000000f8: -67438088 -66052\n'],
    ['xp/4cb 0x40', "00000040: '@' 'A' 'B' 'C'\n"],
    ['x/2xb 0xff', '00000000000000ff: Cannot access memory\n'],
    ['p 1+1', '0x2\n'],
    ['p/d -1', '-1\n'],
    ['p/u -1', '18446744073709551615\n'],
    ['p/c 65', "'A'\n"],
    ['p/o (1+2)*3', '011\n'],
    ['p 0x10 | 3', '0x13\n'],
    ['sum 0x10 4', '16418\n'],
    ['p 1/0', 'Error: division by zero\n'],
    ['p $nix', 'Error: unknown register\n'],
    ['p 1+', 'Error: unexpected end of expression\n'],
    ['gpa2hva 0', 'Error: guest memory has no address in this process that another program could use\n'],
  ])('answers %s', async (line, text) => {
    expect(await run(line)).toBe(text);
  });
});
