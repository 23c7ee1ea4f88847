import { AddressSpace, MachineMemory, MEMORY_LAYOUT, type MemoryRegion, PAGE_CODE, PAGE_UNTOUCHED } from '@sterna/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SystemBus } from '../../src/memory/buses.ts';

const mmio = (name: string, size: number): MemoryRegion => ({
  kind: 'mmio',
  name,
  size,
  ops: { read: () => 0, write: () => {} },
});

describe('AddressSpace', () => {
  it('lets the higher priority win and the lower show through around it', () => {
    const space = new AddressSpace('memory');
    space.map(0, mmio('low', 0x3000));
    space.map(0x1000, mmio('high', 0x1000), 1);
    expect(space.flat.map(({ start, end, region, offset }) => [start, end, region.name, offset])).toEqual([
      [0, 0x1000, 'low', 0],
      [0x1000, 0x2000, 'high', 0],
      [0x2000, 0x3000, 'low', 0x2000],
    ]);
  });

  it('refuses overlaps of one priority and names both regions', () => {
    const space = new AddressSpace('memory');
    space.map(0, mmio('first', 0x1000));
    expect(() => space.map(0x800, mmio('second', 0x1000))).toThrow(/second at 0x800 overlaps first at 0x0/);
  });

  it('finds for every address what a search through all mappings finds', () => {
    const mapping = fc.record({ base: fc.nat(60), size: fc.integer({ min: 1, max: 30 }), priority: fc.nat(1000) });
    fc.assert(
      fc.property(fc.uniqueArray(mapping, { selector: (m) => m.priority, maxLength: 12 }), (mappings) => {
        const space = new AddressSpace('x');
        for (const { base, size, priority } of mappings) space.map(base, mmio(String(priority), size), priority);
        for (let address = 0; address < 100; address++) {
          const best = mappings
            .filter((m) => address >= m.base && address < m.base + m.size)
            .sort((a, b) => b.priority - a.priority)[0];
          const found = space.find(address);
          expect(found?.region.name).toBe(best === undefined ? undefined : String(best.priority));
          if (found !== undefined) expect(address - found.start + found.offset).toBe(address - best!.base);
        }
      }),
    );
  });

  it('unmapping shows what was below', () => {
    const space = new AddressSpace('memory');
    space.map(0, mmio('low', 0x1000));
    const high = space.map(0, mmio('high', 0x1000), 1);
    high[Symbol.dispose]();
    expect(space.find(0)?.region.name).toBe('low');
  });
});

describe('SystemBus', () => {
  function system() {
    const memory = new MachineMemory(1 << 20);
    const physical = new AddressSpace('memory');
    const ports = new AddressSpace('I/O');
    const block = memory.allocate('ram', 0x10000);
    physical.map(0, { kind: 'ram', name: 'ram', block, offset: 0, size: 0x10000 });
    return { memory, physical, ports, block, bus: new SystemBus(memory, physical, ports) };
  }

  it('unassigned memory reads zero and unassigned ports read all ones', () => {
    const { bus } = system();
    expect(bus.mmioRead(0xfee0_0000, 4)).toBe(0);
    expect(bus.ioRead(0x61, 1)).toBe(0xff);
    expect(bus.ioRead(0xcf8, 4)).toBe(0xffff_ffff);
    bus.mmioWrite(0xfee0_0000, 4, 1);
    bus.ioWrite(0x80, 1, 1);
  });

  it('puts RAM into the page map, ROM without the write bit, devices not at all', () => {
    const { bus, memory, physical, block } = system();
    physical.map(0x4000, { kind: 'ram', name: 'rom', block, offset: 0x8000, size: 0x1000, readonly: true }, 1);
    physical.map(0x5000, mmio('dev', 0x100), 1);
    bus.writePageMap();
    const entry = (page: number) => memory.u32[MEMORY_LAYOUT.pageMap / 4 + page];
    expect(entry(0)).toBe(block.hostOffset + 3);
    expect(entry(4)).toBe(block.hostOffset + 0x8000 + 1);
    expect(entry(5)).toBe(0);
    expect(entry(6)).toBe(block.hostOffset + 0x6000 + 3);
    expect(entry(0x10)).toBe(0);
  });

  it('an access across a device and RAM reaches both', () => {
    const { bus, physical, memory, block } = system();
    const seen: number[] = [];
    physical.map(
      0x1000,
      {
        kind: 'mmio',
        name: 'dev',
        size: 2,
        ops: { read: (offset) => 0xa0 + offset, write: (offset, value) => void seen.push(offset, value) },
      },
      1,
    );
    memory.u8[block.hostOffset + 0x1002] = 0x77;
    expect(bus.mmioRead(0x1001, 2)).toBe(0x77a1);
    bus.mmioWrite(0x1001, 2, 0x1234);
    expect(seen).toEqual([1, 0x34]);
    expect(memory.u8[block.hostOffset + 0x1002]).toBe(0x12);
  });

  it('a write of a device clears the untouched flag and tells the code cache', () => {
    const { bus, memory, block } = system();
    const flag = memory.flagIndex(block.hostOffset + 0x3000);
    expect(memory.u8[flag]).toBe(PAGE_UNTOUCHED);
    memory.u8[flag] = PAGE_UNTOUCHED | PAGE_CODE;
    const told: number[] = [];
    memory.codeInvalidator = (address, length) => told.push(address - block.hostOffset, length);
    bus.write(0x2fff, new Uint8Array([1, 2, 3]));
    expect(memory.u8[flag]).toBe(PAGE_CODE);
    expect(told).toEqual([0x2fff, 3]);
  });

  it('block reads and writes cross holes', () => {
    const { bus } = system();
    bus.write(0xfffe, new Uint8Array([1, 2, 3, 4]));
    const out = new Uint8Array(4).fill(9);
    bus.read(0xfffe, out);
    expect([...out]).toEqual([1, 2, 0, 0]);
  });
});
