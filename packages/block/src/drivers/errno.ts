/** Names of Linux' error numbers that requests on disks may fail with (asm-generic/errno.h). */
const NAMES: ReadonlyMap<number, string> = new Map([
  [1, 'EPERM'],
  [2, 'ENOENT'],
  [4, 'EINTR'],
  [5, 'EIO'],
  [6, 'ENXIO'],
  [11, 'EAGAIN'],
  [12, 'ENOMEM'],
  [13, 'EACCES'],
  [16, 'EBUSY'],
  [19, 'ENODEV'],
  [22, 'EINVAL'],
  [27, 'EFBIG'],
  [28, 'ENOSPC'],
  [30, 'EROFS'],
  [61, 'ENODATA'],
  [71, 'EPROTO'],
  [84, 'EILSEQ'],
  [95, 'ENOTSUP'],
  [104, 'ECONNRESET'],
  [107, 'ENOTCONN'],
  [108, 'ESHUTDOWN'],
  [110, 'ETIMEDOUT'],
  [111, 'ECONNREFUSED'],
  [121, 'EREMOTEIO'],
  [123, 'ENOMEDIUM'],
  [125, 'ECANCELED'],
]);

/** Name of an error number; `E<number>` for one without. */
export function errnoName(errno: number): string {
  return NAMES.get(errno) ?? `E${errno}`;
}
