import { type Service, service } from '@sterna/core';

/** Locks on bytes of an image file, which other processes see (and QEMU understands). All calls are at once. */
export interface HostImageLocks {
  /** Takes a shared lock. @throws SternaError `STERNA_ERR_BLOCK_LOCKED` when somebody excludes it */
  share(byte: number): void;
  release(byte: number): void;
  /** Whether somebody else has a lock on the byte. */
  isTaken(byte: number): boolean;
}

/**
 * An open image file of the host. Errors carry the host's `code` (`EIO`, `ENOSPC`), as Node's do.
 */
export interface HostImage {
  /** Bytes of the file. */
  size(): number;
  /** Bytes it takes on the host. */
  allocated(): number;
  /** Reads at most `into.length` bytes and answers how many; 0 at the end. */
  read(position: number, into: Uint8Array): Promise<number>;
  /** Writes at most all bytes and answers how many. */
  write(position: number, bytes: Uint8Array): Promise<number>;
  /** Puts data, and the length, on stable storage. */
  sync(): Promise<void>;
  truncate(length: number): Promise<void>;
  /** Zeroes a range at once, unallocated (`unmap`) or not; false when this host or file system cannot. */
  zeroRange(position: number, length: number, unmap: boolean): Promise<boolean>;
  /** Undefined where the host has none that belong to an open file. */
  readonly locks: HostImageLocks | undefined;
  close(): Promise<void>;
}

/** Image files of the host. */
export interface HostImages {
  /**
   * Opens a file that exists.
   *
   * @throws Error with the host's `code`; `ENOTSUP` for what is no regular file
   */
  open(path: string, writable: boolean): Promise<HostImage>;
}
/** Image files of the host. */
export const HostImages: Service<HostImages> = service('HostImages');
