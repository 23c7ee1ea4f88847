import { type CpioEntry, cpioCharDevice, cpioDirectory, cpioFile, cpioSymlink, writeCpio } from './cpio.ts';
import { INIT_SCRIPT } from './init-script.ts';

/** Text that `init` prints once the interactive shell takes input. */
export const SHELL_READY = 'STERNA-SHELL-READY';
/** `init` prints this and the program's exit status after `st=run`. */
export const RUN_EXIT = 'RUN-EXIT';

/** What goes into the initramfs. */
export interface InitramfsContent {
  /** A statically linked BusyBox. */
  readonly busybox: Uint8Array;
  /** Our `ticker` program; without it `st=tick` says so and powers off. */
  readonly ticker?: Uint8Array;
  /** Further members; parents of new directories first. */
  readonly extra?: readonly CpioEntry[];
}

/** Applets that get a name in the file system; the others are still there as `busybox NAME`. */
const BIN_APPLETS =
  'ash awk base64 cat chmod chown clear cp cut date dd df dmesg du echo egrep env expr false fgrep find free grep ' +
  'gunzip gzip head hexdump hostname id kill ln ls md5sum mkdir mknod more mount mv nc nproc od pidof ping printf ' +
  'ps pwd rm rmdir sed seq sh sha256sum sleep sort stat stty sync tail tar tee test time timeout top touch tr true ' +
  'tty umount uname uniq uptime usleep vi watch wc which xargs yes zcat';
const SBIN_APPLETS =
  'arp blkid cttyhack halt ifconfig init insmod ip lsmod modprobe poweroff reboot rmmod route setsid switch_root ' +
  'sysctl udhcpc';

/** Members of the initramfs, in archive order. */
export function initramfsEntries({ busybox, ticker, extra = [] }: InitramfsContent): CpioEntry[] {
  return [
    ...['bin', 'sbin', 'dev', 'proc', 'sys', 'tmp', 'root', 'etc', 'mnt', 'run'].map((name) => cpioDirectory(name)),
    // The kernel opens /dev/console for init before init can mount anything.
    cpioCharDevice('dev/console', 5, 1),
    cpioCharDevice('dev/null', 1, 3, 0o666),
    cpioFile('bin/busybox', busybox, 0o755),
    ...BIN_APPLETS.split(' ').map((name) => cpioSymlink(`bin/${name}`, 'busybox')),
    ...SBIN_APPLETS.split(' ').map((name) => cpioSymlink(`sbin/${name}`, '../bin/busybox')),
    cpioFile('etc/passwd', 'root:x:0:0:root:/root:/bin/sh\n'),
    cpioFile('etc/group', 'root:x:0:\n'),
    cpioFile('init', INIT_SCRIPT, 0o755),
    ...(ticker === undefined ? [] : [cpioFile('bin/ticker', ticker, 0o755)]),
    ...extra,
  ];
}

/**
 * An uncompressed initramfs: BusyBox, our `init` and `ticker`. The same content gives the same bytes.
 *
 * What it does is chosen on the kernel's command line:
 *
 * | word | effect |
 * |---|---|
 * | `st=shell` (or nothing) | prints {@link SHELL_READY}, then an interactive shell on the console |
 * | `st=run cmd=PROG,ARG,...` | runs it, prints `RUN-EXIT n`, powers off |
 * | `st=tick tick=MS,MBPS,MIB,COUNT` | runs `ticker` with these arguments (each may be left out from the right) |
 *
 * @throws SternaError `STERNA_ERR_IMAGE_FORMAT` for an impossible name in `extra`
 */
export function buildInitramfs(content: InitramfsContent): Uint8Array<ArrayBuffer> {
  return writeCpio(initramfsEntries(content));
}
