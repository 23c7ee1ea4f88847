import type { RegionOps } from '@sterna/core';

/**
 * Region operations of a chip with an 8-bit data bus: wider accesses become one
 * access for each byte, lowest address first, as the ISA bus does.
 */
export function byteOps(read: (offset: number) => number, write: (offset: number, value: number) => void): RegionOps {
  return {
    read(offset, size) {
      let value = read(offset);
      for (let i = 1; i < size; i++) value += read(offset + i) * 2 ** (8 * i);
      return value;
    },
    write(offset, value, size) {
      for (let i = 0; i < size; i++) write(offset + i, (value >>> (8 * i)) & 0xff);
    },
  };
}
