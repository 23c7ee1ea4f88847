import { fetchLinuxGuest, hasApt, tinyGuestFile } from '@sterna/guests/node';

/** What the main job boots, and how to follow it on its serial line. */
export interface Guest {
  readonly name: string;
  /** Arguments for `sterna-system-x86_64`. */
  readonly args: readonly string[];
  /** Why it is not the one one would expect. */
  readonly note?: string;
}

/** Ticks every 20 ms while 5 MB/s of a working set of 16 MiB are rewritten and checked. */
const TICK_MS = 20;
const DIRTY_MB = 5;
const WORKING_MIB = 16;

/** The Debian kernel where apt can fetch it, else the project's own tiny guest. */
export async function chooseGuest(wanted: 'linux' | 'tiny' | undefined, log: (line: string) => void): Promise<Guest> {
  if (wanted !== 'tiny' && (wanted === 'linux' || hasApt())) {
    const { kernel, initrd } = await fetchLinuxGuest({ log });
    const append = `console=ttyS0 st=tick tick=${TICK_MS},${DIRTY_MB},${WORKING_MIB}`;
    return {
      name: `Debian kernel ${kernel.release} (package version ${kernel.version}, unmodified)`,
      args: ['-M', 'microvm', '-m', '256', '-kernel', kernel.path, '-initrd', initrd, '-append', append],
    };
  }
  const append = `tick=${TICK_MS} rate=${DIRTY_MB} work=${WORKING_MIB}`;
  return {
    name: "Sterna's own tiny guest",
    args: ['-M', 'microvm', '-m', '64', '-kernel', tinyGuestFile('pvh'), '-append', append],
    note: wanted === 'tiny' ? 'chosen by --guest tiny' : 'this system has no apt to fetch a Debian kernel with',
  };
}
