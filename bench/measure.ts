import type { GuestConsole } from './console.ts';
import { LOOPS, type Loop, runLoop, runLoopNative, runLoopV86, shareOf } from './loops.ts';
import { runInGuest, timed, untilReady } from './programs.ts';
import { COMMANDS, runNative, type Subject } from './subjects.ts';
import { type Bits, PROGRAMS, type Program, ROUNDS, type Suite } from './suite.ts';
import type { V86 } from './v86.ts';

/** Name of something that is measured: `sterna`, `qemu`, `qemu-new`, `v86`, `native`. */
export type SubjectId = string;

/** All runs of one loop or program. */
export interface Row {
  readonly name: string;
  readonly group: string;
  readonly bits: Bits;
  /** Seconds of each run, one entry for each interleaved round; absent when the subject cannot run it. */
  readonly seconds: Record<SubjectId, number[]>;
  /** The same at the pace of the second half of a run; programs only. */
  readonly steady: Record<SubjectId, number[]>;
  /** What went wrong: a checksum, a crash. */
  readonly errors: Record<SubjectId, string>;
}

/** How much is measured. */
export interface Plan {
  readonly subjects: readonly SubjectId[];
  readonly runs: number;
  /** Names of loops or programs; all when absent. */
  readonly names: readonly string[] | undefined;
  /** Factor for the amount of work. */
  readonly scale: number;
  readonly say: (line: string) => void;
}

function emptyRow(name: string, group: string, bits: Bits): Row {
  return { name, group, bits, seconds: {}, steady: {}, errors: {} };
}

function describe(row: Row, subjects: readonly SubjectId[]): string {
  const parts = subjects.map((id) =>
    row.errors[id] === undefined ? `${id} ${row.seconds[id]?.at(-1)?.toFixed(3) ?? '-'}` : `${id} FAILED`,
  );
  return `${row.name} (${row.bits}): ${parts.join(', ')} s`;
}

/** Times the loops in interleaved runs; every checksum is compared with the host's. */
export async function measureLoops(plan: Plan, v86: V86 | undefined): Promise<Row[]> {
  const rows: Row[] = [];
  for (const full of LOOPS) {
    if (plan.names !== undefined && !plan.names.includes(full.name)) continue;
    const loop = { ...full, iterations: Math.max(4, Math.round(full.iterations * plan.scale)) };
    for (const bits of loop.only === undefined ? ([64, 32] as const) : [loop.only]) {
      const row = emptyRow(loop.name, loop.group, bits);
      rows.push(row);
      for (let run = 0; run < plan.runs; run++)
        for (const id of plan.subjects) {
          if (row.errors[id] !== undefined || (id === 'v86' && bits === 64)) continue;
          try {
            const seconds = await timeLoopOn(id, loop, bits, v86);
            add(row.seconds, id, seconds);
          } catch (error) {
            row.errors[id] = (error as Error).message;
          }
        }
      plan.say(describe(row, plan.subjects));
    }
  }
  return rows;
}

async function timeLoopOn(id: SubjectId, loop: Loop, bits: Bits, v86: V86 | undefined): Promise<number> {
  if (id === 'native') return (await runLoopNative(loop, bits)).seconds;
  const part = id === 'sterna' ? loop : shareOf(loop);
  const { seconds, checksum } = id === 'v86' ? await runLoopV86(v86!, part) : await runLoop(COMMANDS[id]!, part, bits);
  const expected = await loopChecksum(part, bits);
  if (checksum !== expected) throw new Error(`${id}: loop ${loop.name} has checksum ${checksum}, the host ${expected}`);
  return seconds * (loop.iterations / part.iterations);
}

const hostSums = new Map<string, string>();

/** Checksum that the host's processor computes. */
async function loopChecksum(loop: Loop, bits: Bits): Promise<string> {
  const key = `${loop.name} ${bits} ${loop.iterations}`;
  const known = hostSums.get(key) ?? (await runLoopNative(loop, bits)).checksum;
  hostSums.set(key, known);
  return known;
}

function add(series: Record<SubjectId, number[]>, id: SubjectId, value: number): void {
  series[id] ??= [];
  series[id].push(value);
}

/** A machine that boots again when it is lost. */
interface Seat {
  readonly id: SubjectId;
  readonly boot: () => Promise<GuestConsole>;
  console: GuestConsole | undefined;
}

/**
 * Times the programs: each run boots every subject once, then runs program by program on one after the other, so that
 * what a subject has translated before is only what its kernel and the other programs needed.
 */
export async function measurePrograms(
  plan: Plan,
  suite: Suite,
  machines: Readonly<Record<SubjectId, () => GuestConsole>>,
): Promise<Row[]> {
  const programs = PROGRAMS.filter(({ name }) => plan.names === undefined || plan.names.includes(name));
  const rows = programs.map(({ name, group }) => emptyRow(name, group, suite.bits));
  for (let run = 0; run < plan.runs; run++) {
    const seats: Seat[] = plan.subjects
      .filter((id) => machines[id] !== undefined)
      .map((id) => ({ id, boot: () => bootPatiently(machines[id]!, plan.say), console: undefined }));
    try {
      for (const [index, program] of programs.entries()) {
        const row = rows[index]!;
        for (const id of plan.subjects) {
          if (row.errors[id] !== undefined) continue;
          const seat = seats.find((one) => one.id === id);
          if (seat === undefined && id !== 'native') continue;
          try {
            const time = await runOn(seat, suite, program, plan.scale);
            add(row.seconds, id, time.seconds);
            add(row.steady, id, time.steady);
          } catch (error) {
            row.errors[id] = (error as Error).message;
            await seat?.console?.[Symbol.asyncDispose]();
            if (seat !== undefined) seat.console = undefined;
          }
        }
        plan.say(`run ${run + 1}/${plan.runs} ${describe(row, plan.subjects)}`);
      }
    } finally {
      for (const seat of seats) await seat.console?.[Symbol.asyncDispose]();
    }
  }
  return rows;
}

async function runOn(seat: Seat | undefined, suite: Suite, program: Program, scale: number) {
  const work = Math.max(1, Math.round(program.scale * scale));
  if (seat === undefined) {
    await using host = runNative(suite, program.name, work, ROUNDS);
    return await timed(host, suite, program, work, ROUNDS);
  }
  if (seat.console === undefined) seat.console = await seat.boot();
  else if (seat.id === 'v86') await seat.console.resume();
  try {
    return await runInGuest(seat.console, suite, program, work, ROUNDS);
  } finally {
    // An idle v86 takes a quarter of a processor; the others take next to nothing.
    if (seat.id === 'v86') seat.console.pause();
  }
}

/** QEMU's guest may hang while it boots on a busy host; such a boot is repeated. */
async function bootPatiently(start: () => GuestConsole, say: (line: string) => void): Promise<GuestConsole> {
  for (let attempt = 1; ; attempt++) {
    const console = start();
    try {
      await untilReady(console, 150);
      return console;
    } catch (error) {
      await console[Symbol.asyncDispose]();
      if (attempt === 3) throw error;
      say(`${console.name} did not boot, attempt ${attempt}`);
    }
  }
}

/** Machines for {@link measurePrograms} from subjects and the guest they boot. */
export function machinesOf(
  subjects: readonly Subject[],
  guest: Parameters<Subject['start']>[0],
): Record<SubjectId, () => GuestConsole> {
  return Object.fromEntries(subjects.map((subject) => [subject.id, () => subject.start(guest)]));
}
