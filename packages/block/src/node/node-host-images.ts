import { close, constants, fdatasync, fstatSync, ftruncate, open, read, write } from 'node:fs';
import { promisify } from 'node:util';
import type { HostImage, HostImages } from '../host/host-images.ts';
import { fileLocks } from './file-locks.ts';
import { hostLibrary } from './host-library.ts';

const KEEP_SIZE = 1;
const PUNCH_HOLE = 2;
const ZERO_RANGE = 0x10;
/** The loop serves others after this many bytes: zeroing is quick, but not free. */
const ZERO_STEP = 256 * 2 ** 20;
/** Bytes in a block of `st_blocks`. */
const STAT_BLOCK = 512;

const [openFile, closeFile, syncFile, truncateFile] = [open, close, fdatasync, ftruncate].map((call) =>
  // The overloads of `open` confuse the compiler.
  promisify(call as (...args: unknown[]) => void),
) as unknown as [
  (path: string, flags: number) => Promise<number>,
  (fd: number) => Promise<void>,
  (fd: number) => Promise<void>,
  (fd: number, length: number) => Promise<void>,
];

/** Image files, by Node. */
export const nodeHostImages: HostImages = {
  async open(path, writable) {
    const fd = await openFile(path, writable ? constants.O_RDWR : constants.O_RDONLY);
    try {
      if (!fstatSync(fd).isFile()) throw Object.assign(new Error('it is not a regular file'), { code: 'ENOTSUP' });
      return image(fd);
    } catch (error) {
      await closeFile(fd);
      throw error;
    }
  },
};

function image(fd: number): HostImage {
  const library = hostLibrary();
  return {
    size: () => fstatSync(fd).size,
    allocated: () => fstatSync(fd).blocks * STAT_BLOCK,
    read: (position, into) =>
      new Promise((resolve, reject) => {
        read(fd, into, 0, into.length, position, (error, count) => (error === null ? resolve(count) : reject(error)));
      }),
    write: (position, bytes) =>
      new Promise((resolve, reject) => {
        write(fd, bytes, 0, bytes.length, position, (error, count) =>
          error === null ? resolve(count) : reject(error),
        );
      }),
    sync: () => syncFile(fd),
    truncate: (length) => truncateFile(fd, length),
    async zeroRange(position, length, unmap) {
      if (library === undefined) return false;
      const mode = unmap ? PUNCH_HOLE | KEEP_SIZE : ZERO_RANGE;
      for (let done = 0; done < length; done += ZERO_STEP) {
        if (done > 0) await new Promise<void>((resolve) => setImmediate(resolve));
        const step = Math.min(ZERO_STEP, length - done);
        if (library.fallocate(fd, mode, BigInt(position + done), BigInt(step)) !== 0) return false;
      }
      return true;
    },
    locks: fileLocks(fd),
    close: () => closeFile(fd),
  };
}
