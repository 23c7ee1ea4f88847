import { SternaError } from '@sterna/core';

/** File type bits of a mode, as in `stat(2)`. */
export const FILE_TYPE = {
  regular: 0o100000,
  directory: 0o040000,
  symlink: 0o120000,
  charDevice: 0o020000,
  blockDevice: 0o060000,
} as const;

/** One member of an archive. Owner is always root and the time always zero, so equal content gives equal bytes. */
export interface CpioEntry {
  /** Path without a leading slash. */
  readonly name: string;
  /** Type and permission bits ({@link FILE_TYPE}). */
  readonly mode: number;
  /** Content of a regular file, or the target of a symlink. */
  readonly data?: Uint8Array;
  /** Major and minor number of a device node. */
  readonly device?: readonly [major: number, minor: number];
}

const MAGIC = '070701';
const HEADER_SIZE = 110;
const TRAILER = 'TRAILER!!!';
/** Linux reads further archives after any number of zero bytes; cpio's own block size is kept for other readers. */
const BLOCK = 512;

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true });

const align4 = (n: number): number => (n + 3) & ~3;

/** A regular file. */
export function cpioFile(name: string, data: Uint8Array | string, permissions = 0o644): CpioEntry {
  return {
    name,
    mode: FILE_TYPE.regular | permissions,
    data: typeof data === 'string' ? encoder.encode(data) : data,
  };
}

/** A directory. Its parents must come earlier in the archive. */
export function cpioDirectory(name: string, permissions = 0o755): CpioEntry {
  return { name, mode: FILE_TYPE.directory | permissions };
}

/** A symbolic link to `target`. */
export function cpioSymlink(name: string, target: string): CpioEntry {
  return { name, mode: FILE_TYPE.symlink | 0o777, data: encoder.encode(target) };
}

/** A character device node. */
export function cpioCharDevice(name: string, major: number, minor: number, permissions = 0o600): CpioEntry {
  return { name, mode: FILE_TYPE.charDevice | permissions, device: [major, minor] };
}

/**
 * Writes an archive in the "new ASCII" format that Linux takes as an initramfs
 * (Documentation/driver-api/early-userspace/buffer-format.rst).
 *
 * @throws SternaError `STERNA_ERR_IMAGE_FORMAT` for a name that is empty, absolute or contains NUL
 */
export function writeCpio(entries: Iterable<CpioEntry>): Uint8Array<ArrayBuffer> {
  const members = [...entries].map((entry) => ({ entry, name: encoder.encode(`${entry.name}\0`) }));
  for (const { entry } of members) checkName(entry.name);
  members.push({ entry: { name: TRAILER, mode: 0 }, name: encoder.encode(`${TRAILER}\0`) });

  let size = 0;
  for (const { entry, name } of members) size += align4(HEADER_SIZE + name.length) + align4(entry.data?.length ?? 0);
  const out = new Uint8Array(Math.ceil(size / BLOCK) * BLOCK);

  let at = 0;
  members.forEach(({ entry, name }, index) => {
    const isTrailer = index === members.length - 1;
    const links = (entry.mode & 0o170000) === FILE_TYPE.directory ? 2 : 1;
    const [major, minor] = entry.device ?? [0, 0];
    const fields = [
      isTrailer ? 0 : index + 1, // inode: distinct, so that nothing is taken for a hard link
      entry.mode,
      0, // uid
      0, // gid
      links,
      0, // mtime
      entry.data?.length ?? 0,
      0, // device of the file system, two halves
      0,
      major,
      minor,
      name.length,
      0, // checksum, used by another magic only
    ];
    out.set(
      encoder.encode(MAGIC + fields.map((field) => field.toString(16).padStart(8, '0').toUpperCase()).join('')),
      at,
    );
    out.set(name, at + HEADER_SIZE);
    at = align4(at + HEADER_SIZE + name.length);
    if (entry.data !== undefined) out.set(entry.data, at);
    at = align4(at + (entry.data?.length ?? 0));
  });
  return out;
}

/**
 * Reads one archive in the "new ASCII" format, up to its trailer.
 *
 * @throws SternaError `STERNA_ERR_IMAGE_FORMAT` for anything else than a complete archive
 */
export function readCpio(bytes: Uint8Array): CpioEntry[] {
  const entries: CpioEntry[] = [];
  let at = 0;
  for (;;) {
    if (at + HEADER_SIZE > bytes.length) throw corrupt(at, 'the archive ends without a trailer');
    const header = String.fromCharCode(...bytes.subarray(at, at + HEADER_SIZE));
    if (!header.startsWith(MAGIC)) throw corrupt(at, `expected the magic ${MAGIC}`);
    if (!/^[0-9a-fA-F]+$/.test(header)) throw corrupt(at, 'a header field is not hexadecimal');
    const field = (index: number): number => Number.parseInt(header.substring(6 + index * 8, 14 + index * 8), 16);
    const [mode, size, nameSize] = [field(1), field(6), field(11)];
    const dataAt = align4(at + HEADER_SIZE + nameSize);
    if (nameSize === 0 || dataAt + size > bytes.length) throw corrupt(at, 'a member reaches past the end');
    const name = decoder.decode(bytes.subarray(at + HEADER_SIZE, at + HEADER_SIZE + nameSize - 1));
    if (name === TRAILER) return entries;
    const type = mode & 0o170000;
    const isDevice = type === FILE_TYPE.charDevice || type === FILE_TYPE.blockDevice;
    const hasData = type === FILE_TYPE.regular || type === FILE_TYPE.symlink;
    entries.push({
      name,
      mode,
      ...(hasData ? { data: bytes.slice(dataAt, dataAt + size) } : {}),
      ...(isDevice ? { device: [field(9), field(10)] as const } : {}),
    });
    at = align4(dataAt + size);
  }
}

function checkName(name: string): void {
  if (name === '' || name.startsWith('/') || name.includes('\0') || name === TRAILER)
    throw new SternaError('STERNA_ERR_IMAGE_FORMAT', `cpio: ${JSON.stringify(name)} cannot be the name of a member`);
}

function corrupt(at: number, reason: string): SternaError {
  return new SternaError('STERNA_ERR_IMAGE_FORMAT', `cpio: at byte ${at}: ${reason}`);
}
