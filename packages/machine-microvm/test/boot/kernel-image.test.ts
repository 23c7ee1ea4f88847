import { SternaError } from '@sterna/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseKernel } from '../../src/boot/kernel-image.ts';
import { bzImage, multibootFlat, pvhElf } from './images.ts';

function refusal(bytes: Uint8Array): SternaError {
  try {
    parseKernel(bytes);
  } catch (error) {
    if (error instanceof SternaError) return error;
    throw error;
  }
  throw new Error('the image was accepted');
}

function patched(bytes: Uint8Array, at: number, ...values: number[]): Uint8Array {
  bytes.set(values, at);
  return bytes;
}

describe('bzImage', () => {
  it('is taken apart into setup and protected-mode part', () => {
    const image = parseKernel(bzImage());
    expect(image).toMatchObject({
      kind: 'bzimage',
      protocol: 0x20f,
      has64BitEntry: true,
      canBeLoadedAbove4G: true,
      initrdMax: 0xffff_ffff,
      cmdlineMax: 2047,
      headerEnd: 0x26c,
    });
    expect(image.kind === 'bzimage' && [image.setup.length, image.payload.length]).toEqual([2560, 4096]);
  });

  it('counts four setup sectors when the header says none', () => {
    const image = parseKernel(patched(bzImage(), 0x1f1, 0));
    expect(image.kind === 'bzimage' && image.setup.length).toBe(2560);
  });

  it.each([
    [
      'a setup part longer than the file',
      patched(bzImage(), 0x1f1, 200),
      /setup part of 200 sectors needs 102912 bytes at offset 0x0/,
    ],
    ['no kernel after the setup part', bzImage({ payload: 0 }), /no kernel after the setup part \(offset 0xa00\)/],
    ['a protocol of another major version', bzImage({ protocol: 0x500 }), /version 0x500 at offset 0x206/],
    ['an alignment of zero', patched(bzImage(), 0x230, 0, 0, 0, 0), /kernel_alignment at offset 0x230 is 0x0/],
    [
      'an alignment that is no power of two',
      patched(bzImage(), 0x230, 3, 0, 0, 0),
      /kernel_alignment at offset 0x230 is 0x3/,
    ],
  ])('refuses %s', (_, bytes, message) => {
    expect(refusal(bytes)).toMatchObject({ code: 'STERNA_ERR_IMAGE_FORMAT', message: expect.stringMatching(message) });
  });
});

describe('ELF with a PVH note', () => {
  it('gives the note entry and the segments with their size in memory', () => {
    const image = parseKernel(pvhElf());
    expect(image).toMatchObject({ kind: 'pvh', entry: 0x10_0010, elf: { start: 0x10_0000, end: 0x10_1000, bits: 64 } });
    expect(image.kind === 'pvh' && image.elf.segments).toMatchObject([{ address: 0x10_0000, size: 4096 }]);
  });

  it.each([
    ['a file without the note', pvhElf({ note: false }), /no PVH entry note/],
    [
      'an entry outside the image',
      pvhElf({ entry: 0x20_0000 }),
      /PVH entry 0x200000 is outside the image 0x100000-0x101000/,
    ],
    ['big-endian files', patched(pvhElf(), 5, 2), /not little-endian \(offset 5\)/],
    ['other machines', patched(pvhElf(), 18, 40), /machine 40 at offset 18 is not x86/],
    ['relocatable objects', patched(pvhElf(), 16, 1), /type 1 at offset 16/],
    [
      'segments longer in the file than in memory',
      patched(pvhElf(), 64 + 40, 1, 0),
      /64 bytes in the file, 1 in memory \(header at 0x40\)/,
    ],
    [
      'segments behind the end of the file',
      patched(pvhElf(), 64 + 8, 0xff, 0xff),
      /segment 0 needs 64 bytes at offset 0xffff/,
    ],
    ['a note longer than its segment', patched(pvhElf(), 180, 0xff), /note at offset 0xb0 is longer than its segment/],
    ['a program header table behind the end', patched(pvhElf(), 32, 0, 0, 1), /program header 0 needs 56 bytes/],
    ['sizes beyond every address', patched(pvhElf(), 64 + 40 + 6, 0xff, 0xff), /out of any address range/],
  ])('refuses %s', (_, bytes, message) => {
    expect(refusal(bytes)).toMatchObject({ code: 'STERNA_ERR_IMAGE_FORMAT', message: expect.stringMatching(message) });
  });
});

describe('multiboot', () => {
  it('places a flat image by the addresses of its header', () => {
    expect(parseKernel(multibootFlat())).toMatchObject({
      kind: 'multiboot',
      entry: 0x10_0040,
      address: 0x10_0000,
      size: 0x2000,
    });
  });

  it('is preferred to the PVH note of the same file', () => {
    const elf = new Uint8Array(1024);
    elf.set(pvhElf());
    const flags = 0;
    const view = new DataView(elf.buffer);
    for (const [i, word] of [0x1bad_b002, flags, -0x1bad_b002 >>> 0].entries()) view.setUint32(512 + i * 4, word, true);
    expect(refusal(elf).message).toMatch(/64-bit ELF file cannot be a multiboot kernel/);
  });

  it.each([
    [
      'load_addr above header_addr',
      16 + 16,
      [0x20, 0, 0x10, 0],
      /load_addr 0x100020 is above header_addr 0x100010 \(offset 0x20\)/,
    ],
    ['a start before the file', 16 + 12, [0x20, 0, 0x10, 0], /before the file's first byte/],
    ['an end before the start', 16 + 20, [1, 0, 0, 0], /load_end_addr 0x1 is below load_addr/],
    ['more text than the file has', 16 + 20, [0, 0x10, 0x10, 0], /text and data needs 4096 bytes/],
    ['a bss end inside the data', 16 + 24, [0x10, 0, 0x10, 0], /bss_end_addr 0x100010 is inside/],
    ['an entry outside', 16 + 28, [0, 0, 0, 0], /entry 0x0 is outside the image/],
  ])('refuses %s', (_, at, values, message) => {
    expect(refusal(patched(multibootFlat(), at, ...values))).toMatchObject({
      code: 'STERNA_ERR_IMAGE_FORMAT',
      message: expect.stringMatching(message),
    });
  });
});

describe('any file', () => {
  it('is either a kernel or refused with the image format code', () => {
    const base = fc.constantFrom(bzImage(), pvhElf(), multibootFlat());
    const change = fc.record({ at: fc.nat(700), value: fc.nat(255) });
    fc.assert(
      fc.property(base, fc.array(change, { maxLength: 12 }), fc.option(fc.nat(3000)), (image, changes, cut) => {
        const bytes = Uint8Array.from(image).subarray(0, cut ?? image.length);
        for (const { at, value } of changes) if (at < bytes.length) bytes[at] = value;
        try {
          expect(['bzimage', 'pvh', 'multiboot']).toContain(parseKernel(bytes).kind);
        } catch (error) {
          expect(error).toMatchObject({ code: 'STERNA_ERR_IMAGE_FORMAT' });
        }
      }),
      { numRuns: 3000 },
    );
  });

  it('of no known format is refused with what was looked for', () => {
    expect(refusal(new Uint8Array(20_000)).message).toMatch(
      /neither a Linux bzImage .* nor multiboot .* nor ELF with a PVH note/,
    );
    expect(refusal(new Uint8Array(0)).code).toBe('STERNA_ERR_IMAGE_FORMAT');
  });
});
