/**
 * Marks of VFIO's section, each a be64 (QEMU hw/vfio/migration.c, v10.0):
 *
 *   START  DEV_SETUP_STATE, END_OF_STATE
 *   PART   [DEV_DATA_STATE, be64 size, bytes], INIT_DATA_SENT once or END_OF_STATE
 *   END    DEV_DATA_STATE, be64 size, bytes ... , END_OF_STATE
 *   FULL   DEV_CONFIG_STATE, the device's registers, END_OF_STATE
 */
import type { LoadContext, LoadStream, SaveStream } from '@sterna/core';
import { MAX_CHUNK } from './data-session.ts';

/** Values of the marks. */
export const VFIO_TAG = {
  endOfState: 0xffff_ffff_ef10_0001n,
  configState: 0xffff_ffff_ef10_0002n,
  setupState: 0xffff_ffff_ef10_0003n,
  dataState: 0xffff_ffff_ef10_0004n,
  initDataSent: 0xffff_ffff_ef10_0005n,
} as const;

/** Writes one read of device data. */
export function writeData(stream: SaveStream, bytes: Uint8Array): void {
  stream.u64(VFIO_TAG.dataState);
  stream.u64(BigInt(bytes.length));
  stream.bytes(bytes);
}

/**
 * Reads one START, PART or END section.
 *
 * @param write takes each piece of device data
 * @throws RangeError for a mark or a size that VFIO does not have
 */
export async function readParts(
  stream: LoadStream,
  context: LoadContext,
  write: (bytes: Uint8Array) => void,
): Promise<void> {
  for (;;) {
    await stream.ready(8);
    const tag = stream.u64();
    switch (tag) {
      case VFIO_TAG.endOfState:
        return;
      case VFIO_TAG.setupState:
        if (context.phase !== 'setup') throw new RangeError(`a setup mark in phase ${context.phase}`);
        break;
      case VFIO_TAG.initDataSent:
        context.approveSwitchover();
        return;
      case VFIO_TAG.dataState:
        await stream.ready(8);
        await readData(stream, stream.u64(), write);
        break;
      default:
        throw new RangeError(`0x${tag.toString(16)} is none of VFIO's marks`);
    }
  }
}

async function readData(stream: LoadStream, size: bigint, write: (bytes: Uint8Array) => void): Promise<void> {
  if (size > BigInt(MAX_CHUNK)) throw new RangeError(`${size} bytes of device data at once, at most ${MAX_CHUNK} are`);
  if (size === 0n) return;
  await stream.ready(Number(size));
  write(stream.bytes(Number(size)));
}
