import { rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Vm } from './vm.ts';

/** A machine with a store in its own directory, which does not exist yet when its command line is made. */
export async function withStore(
  args: readonly string[],
  run: (vm: Vm, hmp: Hmp, job: Job) => Promise<void>,
): Promise<void> {
  const store = join(tmpdir(), `sterna-store-${process.pid}-${stores++}`);
  await using vm = await Vm.start('sterna', [...args, '-snapshot-store', `dir=${store}`]);
  try {
    await run(
      vm,
      (line) => vm.qmp.executeAny('human-monitor-command', { 'command-line': line }) as Promise<string>,
      (command, tag) => jobOf(vm, command, tag),
    );
  } finally {
    rmSync(store, { recursive: true, force: true });
  }
}
/** Runs a line of the human monitor. */
export type Hmp = (line: string) => Promise<string>;
/** Runs a snapshot job to its end. Answers its error. */
export type Job = (command: 'save' | 'load' | 'delete', tag: string) => Promise<string | undefined>;

let jobs = 0;
let stores = 0;

/** Runs a job to its end. Answers its error. */
async function jobOf(vm: Vm, command: string, tag: string): Promise<string | undefined> {
  const id = `job${jobs++}`;
  await vm.qmp.executeAny(`snapshot-${command}`, {
    'job-id': id,
    tag,
    devices: ['snapshots'],
    ...(command === 'delete' ? {} : { vmstate: 'snapshots' }),
  });
  await vm.until(`the end of ${command} ${tag}`, ({ events }) =>
    events.some(
      ({ event, data }) => event === 'JOB_STATUS_CHANGE' && data?.['id'] === id && data['status'] === 'concluded',
    ),
  );
  const list = (await vm.qmp.executeAny('query-jobs')) as { id: string; error?: string }[];
  await vm.qmp.executeAny('job-dismiss', { id });
  return list.find((entry) => entry.id === id)?.error;
}

/** The guest's ticks so far. */
export const ticks = ({ serial }: Vm) => [...serial.matchAll(/TICK (\d+) /g)].map((match) => Number(match[1]));
/** The latest tick. */
export const last = (vm: Vm) => ticks(vm).at(-1) ?? 0;
/** The run state. */
export const status = async (vm: Vm) => ((await vm.qmp.executeAny('query-status')) as { status: string }).status;

/** The ticks to which the guest's count went back, or any that did not follow the one before. */
export function returns(vm: Vm): number[] {
  const list = ticks(vm);
  return list.filter((tick, i) => i > 0 && tick !== list[i - 1]! + 1);
}
