import { describe, expect, it } from 'vitest';
import { bootGdt, identityPageTables } from '../../src/boot/boot-state.ts';
import { type DirectBoot, type DirectBootInput, planDirectBoot, resetStub } from '../../src/boot/direct-boot.ts';
import { directE820 } from '../../src/boot/guest-layout.ts';
import { parseKernel } from '../../src/boot/kernel-image.ts';
import { bzImage, multibootFlat, pvhElf } from './images.ts';

const MIB = 2 ** 20;

function plan(kernel: Uint8Array, options: Partial<DirectBootInput> = {}): DirectBoot {
  return planDirectBoot({
    kernel: parseKernel(kernel),
    kernelName: 'kernel',
    cmdline: 'quiet',
    ramSize: 256 * MIB,
    biosSize: 0x1_0000,
    ...options,
  });
}

function at(boot: DirectBoot, address: number): Uint8Array {
  const write = boot.writes.find((w) => w.address === address);
  if (write === undefined)
    throw new Error(`nothing at 0x${address.toString(16)}: ${boot.writes.map((w) => w.address.toString(16))}`);
  return write.bytes;
}

function fields(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

describe('memory map', () => {
  it('is what qboot reports, for a machine with ACPI', () => {
    expect(directE820(256 * MIB, 0x1_0000, true)).toEqual([
      { base: 0, length: 0x9_fc00, type: 1 },
      { base: 0x9_fc00, length: 0x400, type: 2 },
      { base: 0xd_0000, length: 0x2_0000, type: 4 },
      { base: 0xf_0000, length: 0x1_0000, type: 2 },
      { base: 0x10_0000, length: 255 * MIB, type: 1 },
      { base: 0xffff_0000, length: 0x1_0000, type: 2 },
    ]);
  });

  it('continues above 4 GiB behind 3 GiB of RAM', () => {
    expect(directE820(3584 * MIB, 0x2_0000, false)).toEqual([
      { base: 0, length: 0x9_fc00, type: 1 },
      { base: 0x9_fc00, length: 0x400, type: 2 },
      { base: 0xe_0000, length: 0x2_0000, type: 2 },
      { base: 0x10_0000, length: 3071 * MIB, type: 1 },
      { base: 0xfffe_0000, length: 0x2_0000, type: 2 },
      { base: 0x1_0000_0000, length: 512 * MIB, type: 1 },
    ]);
  });
});

describe('Linux', () => {
  it('is entered in 64-bit mode with the zero page in RSI', () => {
    const boot = plan(bzImage());
    expect(boot.state).toMatchObject({
      mode: 'long',
      rip: 0x10_0200,
      rsi: 0x7000,
      cr3: 0x9000,
      code: 0x10,
      data: 0x18,
    });
    expect(at(boot, 0x10_0000).length).toBe(4096);
  });

  it('is entered in 32-bit mode when it has no 64-bit entry', () => {
    const boot = plan(bzImage({ xloadflags: 0 }));
    expect(boot.state).toMatchObject({ mode: 'protected', rip: 0x10_0000, rsi: 0x7000 });
    expect(boot.state.cr3).toBeUndefined();
  });

  it('finds header, command line, initrd and memory map in the zero page', () => {
    const initrd = new Uint8Array(5000).fill(7);
    const boot = plan(bzImage(), { initrd });
    const page = fields(at(boot, 0x7000));
    expect(page.getUint32(0x202, true)).toBe(0x5372_6448);
    expect(page.getUint8(0x210)).toBe(0xb0);
    expect(page.getUint32(0x228, true)).toBe(0x2_0000);
    expect(new TextDecoder().decode(at(boot, 0x2_0000))).toBe('quiet\0');
    // As high as possible, page-aligned, and not touching the last byte of RAM: QEMU's rule.
    expect(page.getUint32(0x218, true)).toBe(0xfff_e000);
    expect(page.getUint32(0x21c, true)).toBe(5000);
    expect(at(boot, 0xfff_e000)).toBe(initrd);
    expect(page.getUint8(0x1e8)).toBe(5);
    expect(page.getBigUint64(0x2d0 + 3 * 20, true)).toBe(0x10_0000n);
    expect(page.getBigUint64(0x2d0 + 3 * 20 + 8, true)).toBe(255n * 2n ** 20n);
    expect(page.getUint32(0x2d0 + 3 * 20 + 16, true)).toBe(1);
    expect(page.getBigUint64(0x70, true)).toBe(0n);
  });

  it('is told where the ACPI root pointer is', () => {
    const acpi = { tables: new Uint8Array(100).fill(1), rsdp: new Uint8Array(36).fill(2) };
    const boot = plan(bzImage(), { acpi });
    expect(fields(at(boot, 0x7000)).getBigUint64(0x70, true)).toBe(0xf_0000n);
    expect([at(boot, 0xd_0000), at(boot, 0xf_0000)]).toEqual([acpi.tables, acpi.rsdp]);
  });

  it('keeps the initrd below its limit', () => {
    const boot = plan(bzImage({ xloadflags: 1 }), { initrd: new Uint8Array(4096), ramSize: 3584 * MIB });
    expect(fields(at(boot, 0x7000)).getUint32(0x218, true)).toBe(0x7fff_e000);
  });

  it.each([
    ['RAM that ends inside the kernel', { ramSize: 8 * MIB }, 'STERNA_ERR_RAM_SIZE'],
    ['an initrd that leaves no room', { initrd: new Uint8Array(40 * MIB), ramSize: 64 * MIB }, 'STERNA_ERR_RAM_SIZE'],
    ['a command line that is too long', { cmdline: 'x'.repeat(2048) }, 'STERNA_ERR_OPTION_VALUE'],
    [
      'tables that do not fit',
      { acpi: { tables: new Uint8Array(0x3_0000), rsdp: new Uint8Array(36) } },
      'STERNA_ERR_UNSUPPORTED',
    ],
  ])('refuses %s', (_, options, code) => {
    expect(() => plan(bzImage(), options)).toThrow(expect.objectContaining({ code }));
  });

  it('refuses kernels from before protocol 2.06', () => {
    expect(() => plan(bzImage({ protocol: 0x203 }))).toThrow(/boot protocol 2\.03 is too old for a direct boot/);
  });
});

describe('PVH', () => {
  it('is entered in 32-bit mode with the start info in EBX', () => {
    const initrd = new Uint8Array(100);
    const boot = plan(pvhElf(), { initrd });
    expect(boot.state).toMatchObject({ mode: 'protected', rip: 0x10_0010, rbx: 0x6000 });
    const info = fields(at(boot, 0x6000));
    expect([info.getUint32(0, true), info.getUint32(4, true), info.getUint32(12, true)]).toEqual([0x336e_c578, 1, 1]);
    const modules = Number(info.getBigUint64(16, true)) - 0x6000;
    expect(info.getBigUint64(modules, true)).toBe(0xfff_f000n);
    expect(info.getBigUint64(modules + 8, true)).toBe(100n);
    expect(info.getBigUint64(24, true)).toBe(0x2_0000n);
    const memmap = Number(info.getBigUint64(40, true)) - 0x6000;
    expect(info.getUint32(48, true)).toBe(5);
    expect(info.getBigUint64(memmap + 8, true)).toBe(0x9_fc00n);
    expect(info.getUint32(memmap + 16, true)).toBe(1);
    expect(boot.writes.find((w) => w.address === 0x10_0000)?.size).toBe(4096);
  });

  it('is refused where the loader keeps its structures', () => {
    const low = pvhElf({ entry: 0x8010 });
    new DataView(low.buffer).setBigUint64(64 + 24, 0x8000n, true);
    expect(() => plan(low)).toThrow(/wants memory at 0x8000/);
  });
});

describe('multiboot', () => {
  it('is entered with its magic in EAX and the information structure in EBX', () => {
    const boot = plan(multibootFlat(), { initrd: new Uint8Array(10).fill(9) });
    expect(boot.state).toMatchObject({ mode: 'protected', rip: 0x10_0040, rax: 0x2bad_b002, rbx: 0x9500 });
    const info = fields(at(boot, 0x9500));
    expect(info.getUint32(0, true)).toBe(0b10_0100_1111);
    expect([info.getUint32(4, true), info.getUint32(8, true)]).toEqual([639, 255 * 1024]);
    const kernel = at(boot, 0x10_0000);
    const text = (address: number) =>
      new TextDecoder().decode(kernel.subarray(address - 0x10_0000)).replace(/\0.*$/s, '');
    expect([text(info.getUint32(16, true)), text(info.getUint32(64, true))]).toEqual(['kernel quiet', 'qemu']);
    const module = fields(kernel).getUint32(info.getUint32(24, true) - 0x10_0000, true);
    expect(kernel[module - 0x10_0000]).toBe(9);
    expect(module % 4096).toBe(0);
    const map = fields(at(boot, 0x9000));
    expect([info.getUint32(44, true), info.getUint32(48, true), map.getUint32(0, true)]).toEqual([120, 0x9000, 20]);
  });
});

describe('tables for the entry', () => {
  it('map every page of the first 4 GiB to itself', () => {
    const entries = new BigUint64Array(identityPageTables(0x9000).buffer);
    expect([entries[0], entries[512], entries[515]]).toEqual([0xa003n, 0xb003n, 0xe003n]);
    expect([entries[1024], entries[1024 + 2047]]).toEqual([0x83n, 0xffe0_0083n]);
    expect(entries[516]).toBe(0n);
  });

  it('describe flat code of the mode', () => {
    expect(new BigUint64Array(bootGdt('long').buffer)[2]).toBe(0x00af_9b00_0000_ffffn);
    expect(new BigUint64Array(bootGdt('protected').buffer)[2]).toBe(0x00cf_9b00_0000_ffffn);
  });

  it('hold a reset vector that shuts the CPU down', () => {
    const stub = resetStub(0x1_0000);
    expect([...stub.subarray(0xfff0)]).toEqual([
      0xfa, 0x2e, 0x0f, 0x01, 0x1e, 0xf8, 0xff, 0xcc, 0, 0, 0, 0, 0, 0, 0, 0,
    ]);
  });
});
