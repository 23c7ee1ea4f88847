import { DeviceHarness } from '../../harness/device-harness.ts';
import { observe } from '../../snapshot/observe.ts';
import { behaviourDifference } from '../compare.ts';
import { goOn, leaveAt, type Moment, momentsOf } from '../journal.ts';
import { perform, type Step } from '../operations.ts';
import { ConformanceError, type Subject } from '../options.ts';
import { checkArrival, lost, moved } from './state.ts';

/** Migrations that are tried, spread over all moments there are. */
const MOVES = 24;

interface Place {
  readonly operation: number;
  readonly moment: Moment;
}

/** A migration inside of an operation, between what a driver does in it and while it waits, is not noticed. */
export async function migratesInside(subject: Subject): Promise<void> {
  const { operations } = subject;
  const places = await placesOf(subject);
  const step = Math.max(1, Math.ceil(places.length / MOVES));
  for (let i = 0; i < places.length; i += step) {
    const { operation, moment } = places[i]!;
    await moveInside(subject, operation, moment, operations);
  }
}

async function placesOf({ type, options, operations }: Subject): Promise<Place[]> {
  await using harness = new DeviceHarness(type, options);
  const places: Place[] = [];
  for (const [operation, it] of operations.entries())
    for (const moment of await momentsOf(harness, it)) places.push({ operation, moment });
  return places;
}

async function moveInside(
  subject: Subject,
  index: number,
  moment: Moment,
  operations: Subject['operations'],
): Promise<void> {
  const { type, options } = subject;
  const [before, operation, after] = [operations.slice(0, index), operations[index]!, operations.slice(index + 1)];
  const where =
    moment.ns > 0
      ? `${moment.ns} ns into '${operation.name}'`
      : `in '${operation.name}' before its step ${moment.call + 1}`;
  await using stays = new DeviceHarness(type, options);
  await using pauses = new DeviceHarness(type, options);
  await using leaves = new DeviceHarness(type, options);
  for (const harness of [stays, pauses, leaves]) await perform(harness, before);
  const journal = await leaveAt(leaves, operation, moment);
  await leaveAt(pauses, operation, moment);
  await using arrives = await moved(leaves, subject);
  pauses.stop();
  checkArrival(pauses, arrives, where, subject);
  const output = leaves.output();
  arrives.start();
  for (const line of options.unrestoredLines ?? []) arrives.irqs.levels[line] = pauses.irq(line);
  const there: Step[] = [];
  const answer = await goOn(arrives, operation, journal);
  const seen = observe(arrives);
  there.push({ answer, seen: { ...seen, output: output + seen.output } }, ...(await perform(arrives, after)));
  const here = await perform(stays, [operation, ...after]);
  const difference = behaviourDifference([operation, ...after], here, there);
  if (difference !== undefined) throw new ConformanceError(lost(stays, arrives, where, difference, subject));
}
