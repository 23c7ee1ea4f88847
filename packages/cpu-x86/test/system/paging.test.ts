import { describe, expect, test } from 'vitest';
import { Box } from './box.ts';
import { PAGING_CASES } from './paging-cases.ts';

const NX = 1n << 63n;

/** Error code and return address of the frame a handler found. */
function frameOf(b: Box, hasError: boolean): { error: number; rip: bigint } {
  const sp = Number(b.reg(4));
  return { error: hasError ? Number(b.read64(sp) & 0xffff_ffffn) : 0, rip: b.read64(sp + (hasError ? 8 : 0)) };
}

describe('long mode paging', () => {
  test.for(PAGING_CASES)('$name', ({ mode, code, setup, vector, error, cr2, check }) => {
    const b = new Box();
    b.enter(mode);
    b.code(mode, code);
    setup?.(b);
    expect(b.run()).toBe(1);
    expect(b.stoppedAt).toBe(vector);
    if (error !== undefined) expect(frameOf(b, true).error).toBe(error);
    if (cr2 !== undefined) expect(b.state.getBig('cr2')).toBe(BigInt(cr2));
    check?.(b);
  });
});

describe('legacy paging', () => {
  const DIR = 0x2_0000;
  const TABLE = 0x2_1000;
  const legacy = (b: Box, cr4: bigint): void => {
    for (let i = 0; i < 1024; i++) {
      b.write32(DIR + i * 4, 0);
      b.write32(TABLE + i * 4, (i << 12) | 7);
    }
    b.write32(DIR, TABLE | 7);
    b.state.setBig('cr3', BigInt(DIR));
    b.state.setBig('cr4', cr4);
    b.state.setBig('cr0', 0x8001_0031n);
  };
  const run = (code: string, setup: (b: Box) => void, cr4 = 0n): Box => {
    const b = new Box();
    b.enter('prot32');
    legacy(b, cr4);
    setup(b);
    b.code('prot32', code);
    expect(b.run()).toBe(1);
    return b;
  };
  test('not present, with CR2 and error code', () => {
    const b = run('mov eax, [0x12004]', (x) => x.write32(TABLE + 0x12 * 4, 0));
    expect([b.stoppedAt, b.read32(Number(b.reg(4))), b.state.getBig('cr2')]).toEqual([14, 0, 0x1_2004n]);
  });
  test('a 4 MiB page and its A and D bits', () => {
    const b = run(
      'mov eax, [0x400000+0x12000]\nmov [0x400000], eax\nud2',
      (x) => {
        x.write32(DIR + 4, 0x83);
        x.write32(0x1_2000, 99);
      },
      0x10n,
    );
    expect([b.stoppedAt, b.reg(0), b.read32(DIR + 4)]).toEqual([6, 99n, 0xe3]);
  });
  test('without CR4.PSE the bit is ignored', () => {
    const b = run('mov eax, [0x400000+0x12000]\nud2', (x) => {
      x.write32(DIR + 4, TABLE | 0x83);
      x.write32(0x1_2000, 98);
    });
    expect([b.stoppedAt, b.reg(0)]).toEqual([6, 98n]);
  });
  test('bit 21 of a 4 MiB page is reserved', () => {
    const b = run('mov eax, [0x400000]', (x) => x.write32(DIR + 4, 0x20_0083), 0x10n);
    expect([b.stoppedAt, b.read32(Number(b.reg(4)))]).toEqual([14, 9]);
  });
  test('PSE-36 frames reach above 4 GiB', () => {
    const reads: number[] = [];
    const b = new Box({ mmioRead: (address) => reads.push(address) * 0x55 });
    b.enter('prot32');
    legacy(b, 0x10n);
    b.write32(DIR + 4, 0x83 | (3 << 13));
    b.code('prot32', 'mov al, [0x400008]\nud2');
    expect(b.run()).toBe(1);
    expect([b.stoppedAt, b.reg(0), reads]).toEqual([6, 0x55n, [0x3_0000_0008]]);
  });

  const PDPT = 0x3_0000;
  const pae = (code: string, setup: (b: Box) => void): Box => {
    const b = new Box();
    b.enter('prot32');
    for (let i = 0; i < 4; i++) b.write64(PDPT + i * 8, 0n);
    b.write64(PDPT, 0x3_1001n);
    for (let i = 0; i < 512; i++) {
      b.write64(0x3_1000 + i * 8, 0n);
      b.write64(0x3_2000 + i * 8, BigInt((i << 12) | 7));
    }
    b.write64(0x3_1000, 0x3_2007n);
    b.state.setBig('cr3', BigInt(PDPT));
    b.state.setBig('cr4', 0x20n);
    b.state.setBig('cr0', 0x8001_0031n);
    b.state.setBig('efer', 0x800n);
    setup(b);
    b.code('prot32', code);
    expect(b.run()).toBe(1);
    return b;
  };
  test('PAE: translation, NX and A/D', () => {
    const b = pae('mov eax, [0x12000]\nmov eax, 0x12000\njmp eax', (x) =>
      x.write64(0x3_2000 + 0x12 * 8, NX | 0x1_2003n),
    );
    expect([b.stoppedAt, b.read32(Number(b.reg(4))), b.read64(0x3_2000 + 0x12 * 8)]).toEqual([
      14,
      0x11,
      NX | 0x1_2023n,
    ]);
  });
  test('PAE: a 2 MiB page', () => {
    const b = pae('mov eax, [0x200000+0x12000]\nud2', (x) => {
      x.write64(0x3_1008, 0x83n);
      x.write32(0x1_2000, 97);
    });
    expect([b.stoppedAt, b.reg(0)]).toEqual([6, 97n]);
  });
  test('PAE: bits 52-62 are reserved', () => {
    const b = pae('mov eax, [0x12000]', (x) => x.write64(0x3_2000 + 0x12 * 8, (1n << 55n) | 0x1_2003n));
    expect([b.stoppedAt, b.read32(Number(b.reg(4)))]).toEqual([14, 9]);
  });
  test('PAE: a directory pointer that is not present', () => {
    const b = pae('mov eax, [0x40000000]', () => {});
    expect([b.stoppedAt, b.read32(Number(b.reg(4))), b.state.getBig('cr2')]).toEqual([14, 0, 0x4000_0000n]);
  });
});
