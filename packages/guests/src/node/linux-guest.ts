import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { SternaError } from '@sterna/core';
import { buildInitramfs, type InitramfsContent } from '../initramfs.ts';
import { cacheDirectory, writeFileAtomic } from './cache.ts';
import { type FetchOptions, fetchDebianPackage } from './debian-packages.ts';
import { buildTicker } from './guest-programs.ts';

/** Debian's name for "the current kernel for virtual machines"; it only depends on the real package. */
const KERNEL_METAPACKAGE = 'linux-image-cloud-amd64';

/** A Linux kernel in the cache. */
export interface LinuxKernel {
  /** Path of the bzImage. */
  readonly path: string;
  /** What `uname -r` prints, for example `6.1.0-56-cloud-amd64`. */
  readonly release: string;
  /** Version of the Debian package. */
  readonly version: string;
}

/** The files a Linux guest is booted from, as paths for `-kernel` and `-initrd`. */
export interface LinuxGuest {
  readonly kernel: LinuxKernel;
  readonly initrd: string;
}

/** Options of {@link fetchLinuxGuest}. */
export interface LinuxGuestOptions extends FetchOptions, Pick<InitramfsContent, 'extra'> {
  /** Compress the initramfs with gzip. Default: no; unpacking is slow on an emulated processor. */
  readonly gzip?: boolean;
}

/**
 * The current Debian cloud kernel for amd64, fetched once.
 *
 * @throws SternaError as {@link fetchDebianPackage}
 */
export async function fetchDebianKernel(options: FetchOptions = {}): Promise<LinuxKernel> {
  const meta = await fetchDebianPackage(KERNEL_METAPACKAGE, options);
  const name = /linux-image-[a-z0-9.+-]+/.exec(meta.depends)?.[0];
  if (name === undefined)
    throw new SternaError(
      'STERNA_ERR_PACKAGE_FETCH',
      `package ${KERNEL_METAPACKAGE} depends on no kernel: ${meta.depends}`,
    );
  const image = await fetchDebianPackage(name, options);
  const file = readdirSync(join(image.root, 'boot')).find((entry) => entry.startsWith('vmlinuz-'));
  if (file === undefined) throw new SternaError('STERNA_ERR_PACKAGE_FETCH', `package ${name} holds no boot/vmlinuz-*`);
  return { path: join(image.root, 'boot', file), release: file.slice('vmlinuz-'.length), version: image.version };
}

/**
 * Debian's statically linked BusyBox, fetched once.
 *
 * @throws SternaError as {@link fetchDebianPackage}
 */
export async function fetchBusybox(options: FetchOptions = {}): Promise<string> {
  const { root } = await fetchDebianPackage('busybox-static', options);
  const path = ['bin/busybox', 'usr/bin/busybox'].map((file) => join(root, file)).find((file) => existsSync(file));
  if (path === undefined)
    throw new SternaError('STERNA_ERR_PACKAGE_FETCH', 'package busybox-static holds no bin/busybox');
  return path;
}

/**
 * Kernel and initramfs of our Linux guest, both as files in the cache. The initramfs is named by its content, so a
 * running machine keeps its file when another one is built.
 *
 * @throws SternaError as {@link fetchDebianPackage}
 */
export async function fetchLinuxGuest(options: LinuxGuestOptions = {}): Promise<LinuxGuest> {
  const kernel = await fetchDebianKernel(options);
  const busybox = readFileSync(await fetchBusybox(options));
  const archive = buildInitramfs({
    busybox,
    ticker: buildTicker(),
    ...(options.extra === undefined ? {} : { extra: options.extra }),
  });
  const bytes = options.gzip === true ? gzip(archive) : archive;
  const hash = createHash('sha256').update(bytes).digest('hex').slice(0, 16);
  const initrd = join(cacheDirectory(), 'guests', `initramfs-${hash}.cpio${options.gzip === true ? '.gz' : ''}`);
  if (!existsSync(initrd)) writeFileAtomic(initrd, bytes);
  return { kernel, initrd };
}

/** Compresses with gzip; the same input gives the same bytes (no time, no name). */
export function gzip(data: Uint8Array): Uint8Array {
  return gzipSync(data, { level: 9 });
}
