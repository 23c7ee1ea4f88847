import { SternaError } from '@sterna/core';
import type { HostImageLocks } from '../host/host-images.ts';
import { hostLibrary } from './host-library.ts';

const F_RDLCK = 0;
const F_WRLCK = 1;
const F_UNLCK = 2;
const F_OFD_GETLK = 36;
const F_OFD_SETLK = 37;

/**
 * Open file description locks on single bytes: they belong to the open file, not to the process, and the kernel drops
 * them with it. Undefined where there are none.
 */
export function fileLocks(fd: number): HostImageLocks | undefined {
  const library = hostLibrary();
  if (library === undefined) return undefined;
  const flock = new DataView(new ArrayBuffer(32));
  /** Answers the type that the kernel left in the structure, or undefined when it refused. */
  const lock = (command: number, type: number, byte: number): number | undefined => {
    flock.setInt16(0, type, true);
    flock.setInt16(2, 0, true);
    flock.setBigInt64(8, BigInt(byte), true);
    flock.setBigInt64(16, 1n, true);
    flock.setInt32(24, 0, true);
    return library.fcntl(fd, command, flock.buffer) === 0 ? flock.getInt16(0, true) : undefined;
  };
  // Some file systems have no locks.
  if (lock(F_OFD_GETLK, F_WRLCK, 0) === undefined) return undefined;
  return {
    share(byte) {
      if (lock(F_OFD_SETLK, F_RDLCK, byte) !== undefined) return;
      throw new SternaError('STERNA_ERR_BLOCK_LOCKED', `somebody has locked byte ${byte} for themselves`);
    },
    release: (byte) => void lock(F_OFD_SETLK, F_UNLCK, byte),
    isTaken: (byte) => lock(F_OFD_GETLK, F_WRLCK, byte) !== F_UNLCK,
  };
}
