import type { MachineBuilder, OwnedRamBlock, RamBlock } from '@sterna/core';
import type { GuestWrite } from '../boot/direct-boot.ts';
import { MICROVM_MAP, splitRam } from '../memory-map.ts';

/** Puts main RAM into the address map, around the hole below 4 GiB. */
export function mapRam(builder: MachineBuilder): RamBlock {
  const block = builder.ram('microvm.ram', builder.ramSize);
  const { below4g, above4g } = splitRam(builder.ramSize);
  builder.physical.map(0, { kind: 'ram', name: 'ram-below-4g', block, offset: 0, size: below4g });
  if (above4g > 0) {
    builder.physical.map(MICROVM_MAP.highRam, {
      kind: 'ram',
      name: 'ram-above-4g',
      block,
      offset: below4g,
      size: above4g,
    });
  }
  return block;
}

/** Sizes of the firmware files that QEMU's packages ship for this machine. */
const FIRMWARE_SIZES = [0x1_0000, 0x2_0000];

/**
 * Maps the firmware block below 4 GiB, and its last 128 KiB (or all, when smaller) below 1 MiB over the RAM there.
 * Both places are writable: the machine has no shadow RAM, so what firmware writes there lands in `pc.bios`.
 *
 * A migration may bring the block of another firmware build. QEMU refuses that; here the block takes the source's
 * length and the map follows, since nothing but a reset needs the machine's own firmware.
 */
export function mapFirmware(builder: MachineBuilder, size: number): OwnedRamBlock {
  const block = builder.ram('pc.bios', size, { lengths: [size, ...FIRMWARE_SIZES] });
  let mapped: Disposable[] = [];
  const map = (): void => {
    for (const mapping of mapped) mapping[Symbol.dispose]();
    const length = block.usedLength;
    const alias = Math.min(length, MICROVM_MAP.biosAliasMax);
    const part = (name: string, base: number, bytes: number): Disposable =>
      builder.physical.map(base, { kind: 'ram', name, block, offset: length - bytes, size: bytes }, 1);
    mapped = [
      part('pc.bios', MICROVM_MAP.firmwareEnd - length, length),
      part('isa-bios', MICROVM_MAP.biosAliasEnd - alias, alias),
    ];
  };
  map();
  block.onResize = map;
  return block;
}

/** Replaces the content of a block; the rest up to its used length becomes zero. */
export function fillBlock(builder: MachineBuilder, block: RamBlock, bytes: Uint8Array): void {
  const { u8 } = builder.memory;
  u8.set(bytes, block.hostOffset);
  u8.fill(0, block.hostOffset + bytes.length, block.hostOffset + block.usedLength);
  builder.memory.markWritten(block.hostOffset, block.usedLength);
}

/**
 * Writes loader data into guest memory.
 *
 * @throws RangeError when it does not lie in RAM: whoever planned the boot has checked that.
 */
export function writeGuest(builder: MachineBuilder, write: GuestWrite): void {
  const size = write.size ?? write.bytes.length;
  let done = 0;
  while (done < size) {
    const address = write.address + done;
    const range = builder.physical.find(address);
    if (range === undefined || range.region.kind !== 'ram') throw new RangeError(`no RAM at 0x${address.toString(16)}`);
    const host = range.region.block.hostOffset + range.region.offset + range.offset + (address - range.start);
    const length = Math.min(size - done, range.end - address);
    const bytes = write.bytes.subarray(done, done + length);
    builder.memory.u8.set(bytes, host);
    builder.memory.u8.fill(0, host + bytes.length, host + length);
    builder.memory.markWritten(host, length);
    done += length;
  }
}
