import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { CACHE, type Emulator, runEmulator } from './programs.ts';

/** The program's place and the version that was looked at. */
export const TEST386 = {
  url: 'https://github.com/barotto/test386.asm.git',
  commit: 'cfd052d1e64d5375dea5a681c1eadeed64ceda2c',
  folder: join(CACHE, 'test386.asm'),
  environment: 'STERNA_TEST386',
} as const;

/** Port of the progress codes in the program's default configuration. */
const POST_PORT = 0x190;
/** Code of the end. */
const DONE = 0xff;
const SECONDS = 120;

/** The ROM: the given file, that of the environment variable, or the one in the cache; undefined without one. */
export function test386Rom(given?: string): string | undefined {
  const rom = given ?? process.env[TEST386.environment] ?? join(TEST386.folder, 'test386.bin');
  return existsSync(rom) ? rom : undefined;
}

/** How far the ROM came, and what it computed. */
export interface Test386Result {
  /** Progress codes in their order. */
  readonly codes: readonly number[];
  readonly done: boolean;
  /** Lines on the serial port. */
  readonly lines: number;
  /** Lines of the reference that lack or differ; undefined when there is no reference beside the ROM. */
  readonly different: number | undefined;
}

/** Runs the ROM in place of the firmware and compares what it prints on the first serial port with its reference. */
export async function runTest386(
  rom: string,
  emulator: Emulator,
  cpu: string,
  port = POST_PORT,
): Promise<Test386Result> {
  const scratch = mkdtempSync(join(tmpdir(), 'sterna-test386-'));
  try {
    const [post, serial] = [join(scratch, 'post'), join(scratch, 'serial')];
    const codes = (): number[] => (existsSync(post) ? [...readFileSync(post)] : []);
    let still = { count: -1, since: performance.now() };
    await runEmulator(
      emulator,
      [
        ...['-M', 'microvm', '-cpu', cpu, '-nodefaults', '-display', 'none', '-no-reboot', '-bios', rom],
        ...['-serial', `file:${serial}`, '-chardev', `file,id=post,path=${post}`],
        ...['-device', `isa-debugcon,iobase=0x${port.toString(16)},chardev=post`],
      ],
      {
        seconds: SECONDS,
        done: () => {
          const now = codes();
          if (now.length !== still.count) still = { count: now.length, since: performance.now() };
          // a failed check halts for good
          return now.at(-1) === DONE || (now.length > 0 && performance.now() - still.since > 15_000);
        },
      },
    );
    const printed = existsSync(serial) ? readFileSync(serial, 'latin1') : '';
    const reference = join(dirname(rom), 'test386-EE-reference.txt');
    const seen = codes();
    return {
      codes: seen,
      done: seen.at(-1) === DONE,
      lines: linesOf(printed).length,
      different: existsSync(reference) ? differing(printed, readFileSync(reference, 'latin1')) : undefined,
    };
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

function linesOf(text: string): string[] {
  return text.split(/\r?\n/).filter((line) => line !== '');
}

function differing(printed: string, reference: string): number {
  const lines = linesOf(printed);
  return linesOf(reference).filter((line, i) => lines[i] !== line).length;
}
