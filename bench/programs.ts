import type { GuestConsole } from './console.ts';
import { expectedChecksum, type Program, type Suite } from './suite.ts';

/** One run of one program. */
export interface ProgramTime {
  /** Seconds from the start mark to the end mark. */
  readonly seconds: number;
  /** Seconds of the first round: with everything that happens once. */
  readonly first: number;
  /** Seconds that all rounds would take at the pace of the second half of them. */
  readonly steady: number;
  readonly checksum: string;
}

/** Waits until the suite's init takes commands; gives the seconds since `started`. */
export async function untilReady(console: GuestConsole, limitSeconds = 120): Promise<number> {
  const started = performance.now();
  return ((await console.next(/BENCH ready/, limitSeconds)).at - started) / 1000;
}

/** Tells the guest's init to run a program, and times it. */
export async function runInGuest(
  console: GuestConsole,
  suite: Suite,
  program: Program,
  scale: number,
  rounds: number,
  limitSeconds = 300,
): Promise<ProgramTime> {
  console.type(`/suite${suite.bits} ${program.name} ${scale} ${rounds}\n`);
  return timed(console, suite, program, scale, rounds, limitSeconds);
}

/**
 * Times a program that has been started.
 *
 * @throws Error when it fails, takes too long, or has another checksum than the host's processor computes
 */
export async function timed(
  console: GuestConsole,
  suite: Suite,
  program: Program,
  scale: number,
  rounds: number,
  limitSeconds = 300,
): Promise<ProgramTime> {
  const { name } = program;
  const mark = new RegExp(`BENCH ${name} (start|round \\d+|end ([0-9a-f]{16})|failed[^\\r\\n]*)\\r?\\n`);
  const times: number[] = [];
  for (;;) {
    const { match, at } = await console.next(mark, limitSeconds);
    if (match[1]!.startsWith('failed')) throw new Error(`${console.name}: ${match[0]}`);
    times.push(at);
    const checksum = match[2];
    if (checksum === undefined) continue;
    const expected = expectedChecksum(suite, program, scale, rounds);
    if (checksum !== expected)
      throw new Error(`${console.name}: ${name} (${suite.bits} bits) has checksum ${checksum}, the host ${expected}`);
    const half = rounds >> 1;
    const last = times.at(-1)!;
    return {
      seconds: (last - times[0]!) / 1000,
      first: (times[1]! - times[0]!) / 1000,
      steady: (((last - times[half]!) / (rounds - half)) * rounds) / 1000,
      checksum,
    };
  }
}
