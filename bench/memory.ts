import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { fetchLinuxGuest } from '@sterna/guests/node';
import { delay } from '../tests/support/vm.ts';
import { systemSubject } from './subjects.ts';

/** Memory of the process, in MiB. */
export interface MemoryUse {
  /** Resident after a guest of 256 MiB has booted to its shell. */
  readonly booted: number;
  /** The most it was until then. */
  readonly peak: number;
  /** Resident after each of ten machines of one process has booted, ended and been collected. */
  readonly afterEach: readonly number[];
}

/** Measures memory: a process with one machine, and a process with ten after each other. */
export async function measureMemory(boots = 10): Promise<MemoryUse> {
  const { kernel, initrd } = await fetchLinuxGuest();
  await using console = systemSubject('sterna').start({ kernel: kernel.path, initrd, bits: 64 });
  await console.next(/STERNA-SHELL-READY/, 120);
  await delay(2000);
  const { now, peak } = console.memory;
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [
      '--expose-gc',
      '-C',
      '@sterna/source',
      join(import.meta.dirname, 'boots-in-process.ts'),
      kernel.path,
      initrd,
      String(boots),
    ],
    { timeout: 600_000 },
  );
  return { booted: now, peak, afterEach: JSON.parse(stdout) as number[] };
}
