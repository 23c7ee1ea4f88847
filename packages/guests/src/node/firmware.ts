import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { SternaError } from '@sterna/core';
import { type FetchOptions, fetchDebianPackage } from './debian-packages.ts';

/** Where distributions put QEMU's firmware, in order of preference. */
const INSTALLED = ['usr/share/qemu', 'usr/share/seabios', 'usr/share/qemu-firmware', 'usr/local/share/qemu'];
const PACKAGES = ['qemu-system-data', 'seabios'];

/** Path of an installed firmware file such as `qboot.rom`, or `undefined`. Asks no network. */
export function findFirmware(name: string): string | undefined {
  return findBelow('/', name);
}

/**
 * Path of a firmware file of QEMU: an installed one, else from Debian's packages `qemu-system-data` and `seabios`.
 *
 * @param name - for example `qboot.rom`, `bios-microvm.bin`, `linuxboot_dma.bin`, `pvh.bin`, `multiboot_dma.bin`
 * @throws SternaError as {@link fetchDebianPackage}; `STERNA_ERR_PACKAGE_FETCH` when neither package has the file
 */
export async function fetchFirmware(name: string, options: FetchOptions = {}): Promise<string> {
  const installed = findFirmware(name);
  if (installed !== undefined) return installed;
  for (const packageName of PACKAGES) {
    const path = findBelow((await fetchDebianPackage(packageName, options)).root, name);
    if (path !== undefined) return path;
  }
  throw new SternaError('STERNA_ERR_PACKAGE_FETCH', `no firmware file ${name} in packages ${PACKAGES.join(', ')}`);
}

function findBelow(root: string, name: string): string | undefined {
  return INSTALLED.map((directory) => join(root, directory, name)).find((path) => existsSync(path));
}
