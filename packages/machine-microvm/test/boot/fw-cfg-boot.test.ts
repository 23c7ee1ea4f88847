import { describe, expect, it } from 'vitest';
import { type FirmwareBoot, KERNEL_KEYS, planFirmwareBoot } from '../../src/boot/fw-cfg-boot.ts';
import { parseKernel } from '../../src/boot/kernel-image.ts';
import { bzImage, multibootFlat, pvhElf } from './images.ts';

function plan(
  kernel: Uint8Array,
  options: { cmdline?: string; initrd?: Uint8Array; ramSize?: number } = {},
): FirmwareBoot {
  return planFirmwareBoot({
    kernel: parseKernel(kernel),
    kernelName: 'k',
    cmdline: 'hello world',
    ramSize: 256 * 2 ** 20,
    ...options,
  });
}

function number(boot: FirmwareBoot, key: keyof typeof KERNEL_KEYS): number | undefined {
  const bytes = boot.items.get(KERNEL_KEYS[key]);
  return bytes && new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
}

describe('a bzImage for firmware', () => {
  it('has its parts at the addresses of QEMU', () => {
    const boot = plan(bzImage());
    expect([number(boot, 'setupAddr'), number(boot, 'cmdlineAddr'), number(boot, 'kernelAddr')]).toEqual([
      0x1_0000, 0x2_0000, 0x10_0000,
    ]);
    expect([number(boot, 'setupSize'), number(boot, 'cmdlineSize'), number(boot, 'kernelSize')]).toEqual([
      2560, 12, 4096,
    ]);
    expect(boot.optionRom).toBe('linuxboot_dma.bin');
    expect(number(boot, 'initrdSize')).toBeUndefined();
  });

  it('has a patched setup header, and the file stays as it was', () => {
    const file = bzImage();
    const before = Uint8Array.from(file);
    const setup = plan(file, { initrd: new Uint8Array(0x1e_8600) }).items.get(KERNEL_KEYS.setupData)!;
    const header = new DataView(setup.buffer, setup.byteOffset);
    expect([setup[0x210], setup[0x211], header.getUint16(0x224, true), header.getUint32(0x228, true)]).toEqual([
      0xb0, 0x81, 0xfe00, 0x2_0000,
    ]);
    // Address and size as QEMU 7.2 gives them for the same RAM and initrd size.
    expect([header.getUint32(0x218, true), header.getUint32(0x21c, true)]).toEqual([0x0fe1_7000, 0x1e_8600]);
    expect(file).toEqual(before);
  });

  it.each([
    ['vga=ext quiet', 0xfffe],
    ['vga=0x317', 0x317],
    ['vga=ask', 0xfffd],
  ])('takes the video mode from %s', (cmdline, mode) => {
    const setup = plan(bzImage(), { cmdline }).items.get(KERNEL_KEYS.setupData)!;
    expect(new DataView(setup.buffer, setup.byteOffset).getUint16(0x1fa, true)).toBe(mode);
  });

  it('is placed low when it is an old zImage', () => {
    const boot = plan(bzImage({ protocol: 0x201, loadflags: 0 }));
    expect([number(boot, 'setupAddr'), number(boot, 'cmdlineAddr'), number(boot, 'kernelAddr')]).toEqual([
      0x9_0000, 0x9_9ff0, 0x1_0000,
    ]);
    const setup = boot.items.get(KERNEL_KEYS.setupData)!;
    expect([...setup.subarray(0x20, 0x24)]).toEqual([0x3f, 0xa3, 0xf0, 0x9f]);
  });

  it('refuses an initrd that fills the memory', () => {
    expect(() => plan(bzImage(), { initrd: new Uint8Array(2 ** 20), ramSize: 2 ** 20 })).toThrow(
      expect.objectContaining({ code: 'STERNA_ERR_RAM_SIZE' }),
    );
  });
});

describe('a PVH kernel for firmware', () => {
  it('is loaded into RAM, and firmware learns entry and header', () => {
    const boot = plan(pvhElf());
    expect([
      number(boot, 'kernelEntry'),
      number(boot, 'kernelAddr'),
      number(boot, 'kernelSize'),
      number(boot, 'setupSize'),
    ]).toEqual([0x10_0010, 0x10_0000, 4096, 8192]);
    expect(boot.items.get(KERNEL_KEYS.setupData)?.subarray(0, 4)).toEqual(Uint8Array.of(0x7f, 0x45, 0x4c, 0x46));
    expect(number(boot, 'cmdlineAddr')).toBeUndefined();
    expect(boot.writes).toMatchObject([{ address: 0x10_0000, size: 4096 }]);
    expect(boot.optionRom).toBe('pvh.bin');
  });
});

describe('a multiboot kernel for firmware', () => {
  it('comes with its information structure in place of the initrd', () => {
    const boot = plan(multibootFlat());
    expect([number(boot, 'kernelEntry'), number(boot, 'initrdAddr'), number(boot, 'initrdSize')]).toEqual([
      0x10_0040, 0x9500, 88,
    ]);
    expect(boot.optionRom).toBe('multiboot_dma.bin');
  });
});
