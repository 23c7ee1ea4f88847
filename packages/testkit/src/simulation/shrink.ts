/** Makes a failing schedule smaller while it fails in the same way. */
import type { Schedule } from './schedule.ts';

/** Plain values that a schedule is better off with, if the failure does not need others. */
const CALM: Partial<Schedule> = {
  after: 'nothing',
  refused: 0,
  unanswered: 0,
  drainMs: 0,
  disks: 0,
  unplugMs: 0,
  autostart: true,
  migrateMs: 1,
  incomingMs: 0,
  wire: 'compat',
  parameters: {},
};
const CALM_NETWORK = {
  latencyMs: 0,
  bytesPerMs: 200_000,
  buffer: 1_000_000,
  shortReads: false,
  lossyReset: false,
  connectMs: 0,
};

/**
 * Drops incidents and breakages one by one, then the peculiarities of the world, as long as the same kind of
 * violation stays.
 *
 * @param violations runs a candidate
 */
export async function shrink(
  schedule: Schedule,
  violations: (candidate: Schedule) => Promise<readonly string[]>,
): Promise<Schedule> {
  const wanted = kind(await violations(schedule));
  if (wanted === undefined) return schedule;
  let best = schedule;
  for (let changed = true; changed; ) {
    changed = false;
    for (const candidate of smaller(best)) {
      if (kind(await violations(candidate)) !== wanted) continue;
      best = candidate;
      changed = true;
      break;
    }
  }
  return best;
}

/** The first violation without its figures. */
function kind([first]: readonly string[]): string | undefined {
  return first?.replaceAll(/\d+/g, 'n').slice(0, 40);
}

function* smaller(schedule: Schedule): Generator<Schedule> {
  const { incidents, breakages, capabilities, network, guest, devices } = schedule;
  for (const i of incidents.keys()) yield { ...schedule, incidents: incidents.toSpliced(i, 1) };
  for (const i of breakages.keys()) yield { ...schedule, breakages: breakages.toSpliced(i, 1) };
  for (const [key, value] of Object.entries(CALM)) {
    if (JSON.stringify(schedule[key as keyof Schedule]) !== JSON.stringify(value)) yield { ...schedule, [key]: value };
  }
  for (const [key, value] of Object.entries(CALM_NETWORK)) {
    if (network[key as keyof typeof network] !== value) yield { ...schedule, network: { ...network, [key]: value } };
  }
  if (guest.writesPerMs > 0) yield { ...schedule, guest: { ...guest, writesPerMs: 0 } };
  if (guest.state !== 'running') yield { ...schedule, guest: { ...guest, state: 'running' } };
  if (devices.cells) yield { ...schedule, devices: { ...devices, cells: false } };
  if (devices.initialWords > 0) yield { ...schedule, devices: { ...devices, initialWords: 0 } };
  for (const name of capabilities.source) {
    const without = (list: readonly string[]) => list.filter((other) => other !== name);
    const { source, destination } = capabilities;
    yield { ...schedule, capabilities: { source: without(source), destination: without(destination) } };
  }
}
