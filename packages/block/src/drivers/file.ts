import {
  ALL_BLOCK_PERMISSIONS,
  type BlockAccess,
  type BlockDriver,
  BlockError,
  type BlockPermissionChange,
  type BlockPermissions,
  blockPermissionNames,
  ConfigError,
  defineBlockDriver,
  NO_BLOCK_ACCESS,
  prop,
  SternaError,
} from '@sterna/core';
import { type HostImage, type HostImageLocks, HostImages } from '../host/host-images.ts';
import { reasonOf } from '../host/reason.ts';
import { throwIfAborted } from '../io/request-tracker.ts';

/** An image counts as whole sectors; what its last one lacks reads as zeroes. */
const SECTOR = 512;

/**
 * Bytes that users of an image file lock, as QEMU does: a shared lock at the first base plus the bit for each permission
 * that is used, and one at the second for each that is not shared with others (QEMU block/file-posix.c, v11.1).
 */
const LOCK_USED = 100;
const LOCK_UNSHARED = 200;

const unsupportedAio = (aio: string) =>
  new ConfigError('STERNA_ERR_UNSUPPORTED', `'aio=${aio}' is not supported; there is only 'threads'`);

/** A regular file of the host. */
export const file = defineBlockDriver({
  name: 'file',
  kind: 'protocol',
  description: 'A regular file of the host',
  properties: {
    filename: prop.string({ help: 'Path' }),
    locking: prop.onOffAuto({ default: 'auto', help: 'Locks the file against other processes' }),
    aio: prop.enum(['threads', 'native', 'io_uring'] as const, { default: 'threads', help: 'How requests are made' }),
  },
  inject: [HostImages],
  async open({ filename, locking, aio }, node, images) {
    if (aio !== 'threads') throw unsupportedAio(aio);
    const { image, readOnly } = await openImage(images, filename, node.readOnly, node.autoReadOnly);
    if (locking === 'on' && image.locks === undefined) {
      await image.close();
      throw new ConfigError('STERNA_ERR_UNSUPPORTED', "'locking=on': this host has no locks of open files", {
        path: `file '${node.nodeName}'`,
      });
    }
    const locks = locking === 'off' ? undefined : image.locks;
    return new FileDriver(filename, image, readOnly, locks);
  },
});

/** QUIRK: with auto-read-only QEMU opens the file for writing only when a user wants to write; here it is decided now. */
async function openImage(
  images: HostImages,
  filename: string,
  readOnly: boolean,
  autoReadOnly: boolean,
): Promise<{ image: HostImage; readOnly: boolean }> {
  const attempt = async (writable: boolean) => ({ image: await images.open(filename, writable), readOnly: !writable });
  try {
    return await attempt(!readOnly);
  } catch (cause) {
    const { code } = cause as { code?: string };
    if (!readOnly && autoReadOnly && (code === 'EACCES' || code === 'EROFS' || code === 'EPERM')) return attempt(false);
    throw new SternaError('STERNA_ERR_HOST_IO', `Could not open '${filename}': ${reasonOf(cause)}`, { cause });
  }
}

class FileDriver implements BlockDriver {
  readonly readOnly: boolean;
  readonly #filename: string;
  readonly #image: HostImage;
  readonly #locks: HostImageLocks | undefined;
  #size: number;
  #access: BlockAccess = NO_BLOCK_ACCESS;

  constructor(filename: string, image: HostImage, readOnly: boolean, locks: HostImageLocks | undefined) {
    this.#filename = filename;
    this.#image = image;
    this.readOnly = readOnly;
    this.#locks = locks;
    this.#size = image.size();
  }

  get length(): number {
    return Math.ceil(this.#size / SECTOR) * SECTOR;
  }

  async read(offset: number, into: Uint8Array, { signal }: { signal?: AbortSignal | undefined }): Promise<void> {
    for (let done = 0; done < into.length; ) {
      throwIfAborted(signal);
      const count = await this.#host('read', () => this.#image.read(offset + done, into.subarray(done)));
      if (count === 0) {
        into.fill(0, done);
        return;
      }
      done += count;
    }
  }

  async write(offset: number, bytes: Uint8Array, { signal }: { signal?: AbortSignal | undefined }): Promise<void> {
    for (let done = 0; done < bytes.length; ) {
      throwIfAborted(signal);
      const count = await this.#host('write', () => this.#image.write(offset + done, bytes.subarray(done)));
      if (count === 0) throw this.#error('write', Object.assign(new Error('nothing was written'), { code: 'EIO' }));
      done += count;
      this.#size = Math.max(this.#size, offset + done);
    }
  }

  async writeZeroes(offset: number, length: number, { mayUnmap }: { mayUnmap?: boolean | undefined }): Promise<void> {
    const done = await this.#host('zero', () => this.#image.zeroRange(offset, length, mayUnmap === true));
    if (!done) throw new BlockError('ENOTSUP', `'${this.#filename}' cannot be zeroed at once`);
    if (mayUnmap !== true) this.#size = Math.max(this.#size, offset + length);
  }

  async discard(offset: number, length: number): Promise<void> {
    const done = await this.#host('discard', () => this.#image.zeroRange(offset, length, true));
    if (!done) throw new BlockError('ENOTSUP', `'${this.#filename}' has no holes`);
  }

  async flush(): Promise<void> {
    await this.#host('flush', () => this.#image.sync());
  }

  async truncate(length: number): Promise<void> {
    await this.#host('truncate', () => this.#image.truncate(length));
    this.#size = length;
  }

  /** The other process may have changed the length. */
  async activate(): Promise<void> {
    this.#size = this.#image.size();
  }

  prepareAccess(access: BlockAccess): BlockPermissionChange {
    const before = this.#access;
    this.#lock(access, before);
    return {
      commit: () => {
        this.#unlock(before, access);
        this.#access = access;
      },
      abort: () => this.#unlock(access, before),
    };
  }

  /** Takes the locks that come with `access`, then looks whether another process stands against them. */
  #lock(access: BlockAccess, before: BlockAccess): void {
    const locks = this.#locks;
    if (locks === undefined) return;
    const used = access.perm & ~before.perm;
    const unshared = ~access.shared & before.shared & ALL_BLOCK_PERMISSIONS;
    try {
      for (const bit of bitsOf(used)) locks.share(LOCK_USED + bit);
      for (const bit of bitsOf(unshared)) locks.share(LOCK_UNSHARED + bit);
      const refused = bitsOf(used).find((bit) => locks.isTaken(LOCK_UNSHARED + bit));
      if (refused !== undefined) throw this.#locked(`does not share '${blockPermissionNames(1 << refused)}'`);
      const needed = bitsOf(unshared).find((bit) => locks.isTaken(LOCK_USED + bit));
      if (needed !== undefined) throw this.#locked(`has the permission to '${blockPermissionNames(1 << needed)}'`);
    } catch (error) {
      this.#unlock(access, before);
      throw error;
    }
  }

  /** Drops the locks that `from` has and `to` has not. */
  #unlock(from: BlockAccess, to: BlockAccess): void {
    for (const bit of bitsOf(from.perm & ~to.perm)) this.#locks?.release(LOCK_USED + bit);
    for (const bit of bitsOf(~from.shared & to.shared & ALL_BLOCK_PERMISSIONS))
      this.#locks?.release(LOCK_UNSHARED + bit);
  }

  #locked(what: string): SternaError {
    return new SternaError(
      'STERNA_ERR_BLOCK_LOCKED',
      `another process uses the image '${this.#filename}' and ${what}; end it, or migrate from it`,
    );
  }

  info() {
    return { filename: this.#filename, formatSpecific: {}, actualSize: this.#image.allocated() };
  }

  close(): Promise<void> {
    return this.#image.close();
  }

  async #host<T>(what: string, action: () => Promise<T>): Promise<T> {
    try {
      return await action();
    } catch (error) {
      throw this.#error(what, error as Error & { readonly code?: string });
    }
  }

  #error(what: string, error: Error & { readonly code?: string }): BlockError {
    return new BlockError(error.code ?? 'EIO', `cannot ${what} '${this.#filename}': ${reasonOf(error)}`, {
      cause: error,
    });
  }
}

function bitsOf(set: BlockPermissions): readonly number[] {
  return [0, 1, 2, 3].filter((bit) => (set & (1 << bit)) !== 0);
}
