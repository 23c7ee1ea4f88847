import { DeviceHarness } from '../../harness/device-harness.ts';
import { VirtualHost } from '../../host/virtual-host.ts';
import { differenceOf, loadDevice, saveDevice } from '../../snapshot/device-stream.ts';
import { changedFields, describeChanges } from '../../snapshot/fields.ts';
import { observe, observedDifference, timerDifference } from '../../snapshot/observe.ts';
import { behaviourDifference } from '../compare.ts';
import { perform } from '../operations.ts';
import { ConformanceError, type ConformanceOptions, type Subject } from '../options.ts';

/** Migrations between random operations. */
const RANDOM_PLACES = 24;

type Changes = ReturnType<typeof changedFields>;

/** Leaves out the fields that the author has declared transient. */
export function withoutTransient(changes: Changes, { transient = [] }: ConformanceOptions): Changes {
  return changes.filter(
    ({ path }) =>
      !transient.some((name) => path === name || path.startsWith(`${name}[`) || path.startsWith(`${name}.`)),
  );
}

/** A new device with the state of another in it. Both are stopped. */
export async function moved(from: DeviceHarness, { type, options }: Subject): Promise<DeviceHarness> {
  from.stop();
  const saved = await saveDevice(from);
  const to = destinationFor(from, { type, options });
  await loadDevice(to, saved);
  return to;
}

/** A device at the same time of the host, with the same RAM and disk, that waits for the other's state. */
export function destinationFor(
  from: DeviceHarness,
  { type, options }: Pick<Subject, 'type' | 'options'>,
): DeviceHarness {
  const host = new VirtualHost();
  host.nowNs = from.host.nowNs;
  const to = new DeviceHarness(type, { ...options, host, holdDma: from.waitingDma > 0 });
  to.stop();
  to.ram.set(from.ram);
  to.disk.bytes = from.disk.bytes.slice();
  return to;
}

/** Saving leaves no trace in the device. */
export async function saveIsPure({ type, options, operations }: Subject): Promise<void> {
  await using harness = new DeviceHarness(type, options);
  await using untouched = new DeviceHarness(type, options);
  for (const [i, operation] of operations.entries()) {
    await perform(harness, [operation]);
    const [fields, seen] = [harness.fields(), observe(harness)];
    harness.stop();
    const first = await saveDevice(harness);
    const second = await saveDevice(harness);
    harness.start();
    const changed = withoutTransient(changedFields(fields, harness.fields()), options);
    if (changed.length > 0 && !isLiveProgress(changed, harness))
      throw new ConformanceError(
        `saving has a side effect: it changes ${describeChanges(changed, 'after it')}. The migration may still fail, and the guest goes on here`,
      );
    const difference = observedDifference(seen, { ...observe(harness), output: seen.output });
    if (difference !== undefined) throw new ConformanceError(`saving has a side effect: ${difference}`);
    const bytes = differenceOf(first, second);
    if (bytes !== undefined)
      throw new ConformanceError(
        `saving has a side effect: saved twice in a row after '${operation.name}', ${bytes}. A second attempt must send the same`,
      );
    await perform(untouched, operations.slice(i, i + 1));
  }
  const difference = behaviourDifference(
    operations,
    await perform(harness, operations),
    await perform(untouched, operations),
  );
  if (difference !== undefined)
    throw new ConformanceError(
      `saving has a side effect: a device that was saved behaves unlike one that was not: ${difference}`,
    );
}

/** Counters of a live device's own progress are reset by the next `saveSetup`; that they move is no side effect. */
function isLiveProgress(changes: Changes, { device }: DeviceHarness): boolean {
  return (
    device.type.descriptor.live !== undefined &&
    changes.every(({ b }) => typeof b === 'number' || typeof b === 'boolean')
  );
}

/** What was loaded is saved again as the same bytes. */
export async function saveLoadSave(subject: Subject): Promise<void> {
  const { type, options, operations } = subject;
  await using source = new DeviceHarness(type, options);
  for (const operation of operations) {
    await perform(source, [operation]);
    source.stop();
    const saved = await saveDevice(source);
    await using destination = await moved(source, subject);
    const difference = differenceOf(saved, await saveDevice(destination));
    source.start();
    if (difference !== undefined)
      throw new ConformanceError(
        `saved, loaded and saved again the state is another, after '${operation.name}': ${difference}. Save and load disagree about a field, or postLoad changes what it should restore`,
      );
  }
}

/** A migration between any two operations is not noticed. */
export async function migratesAnywhere(subject: Subject): Promise<void> {
  const { type, options, operations } = subject;
  for (const at of placesBetween(subject)) {
    await using stays = new DeviceHarness(type, options);
    await using leaves = new DeviceHarness(type, options);
    const [before, after] = [operations.slice(0, at), operations.slice(at)];
    await perform(stays, before);
    await perform(leaves, before);
    await using arrives = await moved(leaves, subject);
    const where = at === 0 ? 'before any operation' : `after '${operations[at - 1]!.name}'`;
    stays.stop();
    checkArrival(stays, arrives, where, subject);
    stays.start();
    arrives.start();
    for (const unrestored of options.unrestoredLines ?? []) arrives.irqs.levels[unrestored] = stays.irq(unrestored);
    const difference = behaviourDifference(after, await perform(stays, after), await perform(arrives, after));
    if (difference !== undefined) throw new ConformanceError(lost(stays, arrives, where, difference, subject));
  }
}

/** Every place between the author's operations, and some between the random ones. */
function placesBetween({ operations, options }: Subject): number[] {
  const own = options.operations?.length ?? 0;
  const step = Math.max(1, Math.ceil((operations.length - own) / RANDOM_PLACES));
  return Array.from({ length: operations.length + 1 }, (_, at) => at).filter(
    (at) => at <= own || (at - own) % step === 0,
  );
}

/** What can be told at once, before the device is used any further. */
export function checkArrival(stays: DeviceHarness, arrives: DeviceHarness, where: string, subject: Subject): void {
  const [a, b] = [observe(stays), observe(arrives)];
  const { unrestoredLines = [] } = subject.options;
  const line = a.irqs.findIndex((level, i) => level !== (b.irqs[i] ?? false) && !unrestoredLines.includes(i));
  if (line >= 0)
    throw new ConformanceError(
      `interrupt line ${line} is not restored: migrated ${where} it is ${b.irqs[line] ? 'high' : 'low'} instead of ${a.irqs[line] ? 'high' : 'low'}. Drive the line from postLoad`,
    );
  const timer = timerDifference(a.timers, b.timers);
  if (timer !== undefined)
    throw new ConformanceError(
      `a timer is lost: migrated ${where}, ${timer} on the destination. Put its deadline into the vmstate and arm it in postLoad`,
    );
  const changed = withoutTransient(changedFields(stays.fields(), arrives.fields()), subject.options);
  if (changed.length > 0)
    throw new ConformanceError(
      `state is lost: migrated ${where}, ${describeChanges(changed, 'on the destination')}. ${missing(changed, subject)}`,
    );
}

/** A difference of behaviour, with its cause if a field tells. */
export function lost(
  a: DeviceHarness,
  b: DeviceHarness,
  where: string,
  difference: string,
  { options }: Subject,
): string {
  const changed = withoutTransient(changedFields(a.fields(), b.fields()), options);
  const cause =
    changed.length > 0
      ? `Fields that differ by now: ${describeChanges(changed, 'there')}`
      : 'No field of the state object differs, so state is in a closure, a private field or a module variable: keep it in a field and put that into the vmstate';
  return `a migrated device behaves unlike one that stayed: moved ${where}, ${difference}. ${cause}`;
}

/** Says of each field whether the table knows it. */
function missing(changed: Changes, { table }: Subject): string {
  const names = new Set(changed.map(({ path }) => path.split(/[.[]/, 1)[0]!));
  return `Add ${[...names].map((name) => `'${name}'`).join(', ')} to the fields of ${table === undefined ? 'a vmstate table' : `vmstate '${table.name}'`}, derive it in postLoad, or list it as transient if nothing depends on it`;
}
