import { AddressSpace, type MachineBuilder, MachineMemory } from '@sterna/core';
import { describe, expect, it } from 'vitest';
import { fillBlock, mapFirmware, mapRam, writeGuest } from '../../src/machine/physical-memory.ts';

const MIB = 2 ** 20;

/** The part of the bench that places memory. Large RAM is reserved, not committed. */
function bench(ramSize: number): MachineBuilder {
  const memory = new MachineMemory(ramSize + 4 * MIB);
  const physical = new AddressSpace('memory');
  return {
    memory,
    physical,
    ramSize,
    ram: (name: string, size: number, options = {}) => memory.allocate(name, size, options),
  } as unknown as MachineBuilder;
}

function flat(builder: MachineBuilder): string[] {
  return builder.physical.flat.map(({ start, end, region, offset }) => {
    const inBlock = region.kind === 'ram' ? region.offset + offset : offset;
    return `${start.toString(16)}-${(end - 1).toString(16)} ${region.kind === 'ram' ? region.block.name : region.name} +${inBlock.toString(16)}`;
  });
}

describe('physical memory', () => {
  it('shows 64 KiB of firmware twice', () => {
    const builder = bench(16 * MIB);
    mapRam(builder);
    mapFirmware(builder, 0x1_0000);
    expect(flat(builder)).toEqual([
      '0-effff microvm.ram +0',
      'f0000-fffff pc.bios +0',
      '100000-ffffff microvm.ram +100000',
      'ffff0000-ffffffff pc.bios +0',
    ]);
  });

  it('shows the last 128 KiB of larger firmware below 1 MiB', () => {
    const builder = bench(16 * MIB);
    mapRam(builder);
    mapFirmware(builder, 0x4_0000);
    expect(flat(builder)).toContain('e0000-fffff pc.bios +20000');
    expect(flat(builder)).toContain('fffc0000-ffffffff pc.bios +0');
  });

  it('splits RAM at 3 GiB', () => {
    const builder = bench(3584 * MIB);
    mapRam(builder);
    expect(flat(builder)).toEqual(['0-bfffffff microvm.ram +0', '100000000-11fffffff microvm.ram +c0000000']);
  });

  it('follows firmware of another size that a migration brings', () => {
    const builder = bench(16 * MIB);
    mapRam(builder);
    const block = mapFirmware(builder, 0x1_0000);
    builder.memory.resize(block, 0x2_0000);
    expect(flat(builder)).toEqual([
      '0-dffff microvm.ram +0',
      'e0000-fffff pc.bios +0',
      '100000-ffffff microvm.ram +100000',
      'fffe0000-ffffffff pc.bios +0',
    ]);
  });
});

describe('loading', () => {
  it('writes through the alias into the firmware block, and zeros behind the bytes', () => {
    const builder = bench(16 * MIB);
    const ram = mapRam(builder);
    const bios = mapFirmware(builder, 0x1_0000);
    fillBlock(builder, bios, Uint8Array.of(5));
    builder.memory.bytes(ram).fill(9, 0xeffff, 0xf0004);
    writeGuest(builder, { address: 0xe_ffff, bytes: Uint8Array.of(1, 2), size: 3 });
    expect([...builder.memory.bytes(ram).subarray(0xe_fffe, 0xf_0001)]).toEqual([0, 1, 9]);
    expect([...builder.memory.bytes(bios).subarray(0, 3)]).toEqual([2, 0, 0]);
  });

  it('refuses addresses without RAM', () => {
    const builder = bench(16 * MIB);
    mapRam(builder);
    expect(() => writeGuest(builder, { address: 16 * MIB - 1, bytes: Uint8Array.of(1, 2) })).toThrow(
      /no RAM at 0x1000000/,
    );
  });
});
