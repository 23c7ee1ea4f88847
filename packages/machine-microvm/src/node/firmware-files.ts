import { existsSync, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/**
 * Where distributions keep firmware. SeaBIOS's own package comes first: QEMU's directory may hold a link of the same
 * name to the smaller qboot.
 */
const DIRECTORIES = [
  '/usr/share/seabios',
  '/usr/share/qemu',
  '/usr/share/qemu/firmware',
  '/usr/lib/ipxe/qemu',
  '/usr/local/share/qemu',
];

/** Directories in which firmware is looked for: those of `STERNA_FIRMWARE_PATH` first, then the distributions'. */
export function firmwareDirectories(environment: Readonly<Record<string, string | undefined>> = process.env): string[] {
  const own = (environment['STERNA_FIRMWARE_PATH'] ?? '').split(delimiter).filter((directory) => directory !== '');
  return [...own, ...DIRECTORIES];
}

/**
 * Finds firmware files by their QEMU names, for `BootImages.findFirmware`.
 *
 * @param directories Where to look, in order.
 */
export function firmwareFinder(
  directories: readonly string[] = firmwareDirectories(),
): (name: string) => Uint8Array | undefined {
  return (name) => {
    // A name is a name: it must not lead out of the directories.
    if (!/^[\w.+-]+$/.test(name)) return undefined;
    const path = directories.map((directory) => join(directory, name)).find((candidate) => existsSync(candidate));
    return path === undefined ? undefined : new Uint8Array(readFileSync(path));
  };
}
