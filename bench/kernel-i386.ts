import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { benchCache } from './suite.ts';

/** Debian's name for "the current kernel for 32-bit processors without PAE"; it only depends on the real package. */
const METAPACKAGE = 'linux-image-686';

/**
 * Debian's kernel for i386, which v86 needs as it has no 64-bit mode: fetched once with apt, whose signature checks
 * apply, through package lists of its own, so that the system does not become a multi-architecture one.
 *
 * @returns path of the bzImage
 * @throws Error without apt or network
 */
export function fetchKernelI386(): string {
  const directory = join(benchCache(), METAPACKAGE);
  if (!existsSync(directory)) {
    const work = mkdtempSync(join(benchCache(), '.kernel-'));
    try {
      for (const name of ['lists/partial', 'cache/archives/partial']) mkdirSync(join(work, name), { recursive: true });
      const settings = [
        `Dir::State::lists=${join(work, 'lists')}`,
        `Dir::Cache=${join(work, 'cache')}`,
        'APT::Architecture=i386',
        'APT::Architectures::=i386',
        'APT::Update::Post-Invoke::=',
        ...(process.getuid?.() === 0 ? ['APT::Sandbox::User=root'] : []),
      ].flatMap((setting) => ['-o', setting]);
      const apt = (program: string, ...args: string[]): string =>
        execFileSync(program, [...settings, '-q', ...args], {
          cwd: work,
          encoding: 'utf8',
          stdio: ['ignore', 'pipe', 'ignore'],
        });
      try {
        apt('apt-get', 'update');
      } catch {
        // A source that has no i386 packages fails the update; whether the kernel is there is seen below.
      }
      const image = /linux-image-\d[a-z0-9.+-]+-686\b/.exec(apt('apt-cache', 'depends', METAPACKAGE))?.[0];
      if (image === undefined) throw new Error(`${METAPACKAGE} is not in Debian's i386 packages as apt sees them`);
      apt('apt-get', 'download', image);
      const archive = readdirSync(work).find((file) => file.endsWith('.deb'));
      if (archive === undefined) throw new Error(`${image} could not be downloaded`);
      execFileSync('dpkg-deb', ['-x', join(work, archive), join(work, 'tree')]);
      if (!existsSync(directory)) renameSync(join(work, 'tree'), directory);
    } finally {
      rmSync(work, { recursive: true, force: true });
    }
  }
  const boot = join(directory, 'boot');
  return join(boot, readdirSync(boot).find((file) => file.startsWith('vmlinuz-'))!);
}
