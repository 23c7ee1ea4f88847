import { describe, expect, it } from 'vitest';
import { pcTestdev } from '../../src/index.ts';

const regionsOf = (lines: { set(level: boolean): void }[] = []) => {
  const { descriptor } = pcTestdev;
  const state = descriptor.create({}, lines);
  const regions = new Map((descriptor.regions?.(state) ?? []).map((region) => [region.name, region]));
  return (name: string) => regions.get(name)!;
};

describe('pc-testdev', () => {
  it('shows one latch on both port ranges, little endian', () => {
    const region = regionsOf();
    region('ioport').write(0, 0x12345678, 4);
    expect(region('ioport').read(1, 2)).toBe(0x3456);
    expect(region('ioport-byte').read(3, 1)).toBe(0x12);
    region('ioport-byte').write(2, 0xaabb, 2);
    expect(region('ioport').read(0, 4)).toBe(0xaabb5678);
  });

  it('drives the line whose port is written', () => {
    const seen: [number, boolean][] = [];
    const lines = Array.from({ length: 16 }, (_, n) => ({ set: (level: boolean) => void seen.push([n, level]) }));
    const region = regionsOf(lines);
    region('irq-line').write(14, 1, 1);
    region('irq-line').write(14, 0, 1);
    region('irq-line').write(20, 1, 1);
    region('irq-line').write(11, 1, 4);
    expect(seen).toEqual([
      [14, true],
      [14, false],
    ]);
  });

  it('keeps 64 KiB behind memory accesses', () => {
    const { read, write, size, defaultBase } = regionsOf()('iomem');
    expect([size, defaultBase]).toEqual([0x10000, 0xff000000]);
    write(0x1ffe, 0x89abcdef, 4);
    expect(read(0x2000, 2)).toBe(0x89ab);
  });
});
