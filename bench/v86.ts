import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fetchFirmware } from '@sterna/guests/node';
import { GuestConsole } from './console.ts';
import { benchCache } from './suite.ts';

const VERSION = '0.5.462';
const INTEGRITY = 'sha512-aKPX7DdzqAKFRv2omDkqSju0uEzlOxzo+II82J5UT7+tZNsboA6kyaNq9NKAnxvo9hzpJ8dQj7vcvcz0J7I2QA==';

/** What a v86 machine boots. */
export interface V86Boot {
  readonly kernel?: string;
  readonly initrd?: string;
  readonly append?: string;
  /** A multiboot image instead of a kernel. */
  readonly multiboot?: string;
  /** MiB of memory. */
  readonly memory: number;
}

/** The emulator v86, a peer in the same language and engine. */
export interface V86 {
  readonly version: string;
  /** Starts a machine in a process of its own, with the serial line on standard input and output. */
  readonly start: (boot: V86Boot) => GuestConsole;
}

/**
 * Fetches v86 of a fixed version from the npm registry into the cache; it does not become a dependency.
 *
 * @throws Error when the archive is not the one we know, or the firmware of SeaBIOS cannot be had
 */
export async function fetchV86(): Promise<V86> {
  const directory = join(benchCache(), `v86-${VERSION}`);
  if (!existsSync(directory)) {
    const work = mkdtempSync(join(benchCache(), '.v86-'));
    try {
      execFileSync('npm', ['pack', '--silent', `v86@${VERSION}`], { cwd: work, stdio: ['ignore', 'ignore', 'ignore'] });
      const archive = join(work, `v86-${VERSION}.tgz`);
      const hash = `sha512-${createHash('sha512').update(readFileSync(archive)).digest('base64')}`;
      if (hash !== INTEGRITY)
        throw new Error(`v86 ${VERSION} is another archive than the one measured before: ${hash}`);
      mkdirSync(join(work, 'out'));
      execFileSync('tar', ['xzf', archive, '-C', join(work, 'out'), '--strip-components=1']);
      if (!existsSync(directory)) renameSync(join(work, 'out'), directory);
    } finally {
      rmSync(work, { recursive: true, force: true });
    }
  }
  const bios = await fetchFirmware('bios.bin');
  const vgaBios = await fetchFirmware('vgabios.bin');
  const script = join(import.meta.dirname, 'v86-machine.ts');
  return {
    version: VERSION,
    start: (boot) =>
      new GuestConsole('v86', [process.execPath, script, JSON.stringify({ ...boot, directory, bios, vgaBios })]),
  };
}
