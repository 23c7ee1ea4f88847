import { DeviceHarness } from '../../harness/device-harness.ts';
import { changedFields, describeChanges } from '../../snapshot/fields.ts';
import { observe, observedDifference } from '../../snapshot/observe.ts';
import { behaviourDifference } from '../compare.ts';
import { perform } from '../operations.ts';
import { ConformanceError, type Subject } from '../options.ts';
import { withoutTransient } from './state.ts';

/** What a reset of the device leaves alone. */
const UNCHANGED = { ram: 0, disk: 0, output: '' };

/** A device that was used and reset is like a new one. */
export async function resetIsComplete({ type, options, operations }: Subject): Promise<void> {
  await using used = new DeviceHarness(type, options);
  await using fresh = new DeviceHarness(type, options);
  for (let count = 1; count <= operations.length; count++) {
    used.ram.fill(0);
    await perform(used, operations.slice(0, count));
    used.reset();
    // Of the same age: chips remember when they were reset.
    fresh.advance(used.now - fresh.now);
    fresh.reset();
    const left = withoutTransient(changedFields(used.fields(), fresh.fields()), options);
    if (left.length > 0)
      throw new ConformanceError(
        `reset is incomplete: after '${operations[count - 1]!.name}' and a reset it leaves ${describeChanges(left, 'in a new device')}`,
      );
    const [a, b] = [observe(used), observe(fresh)];
    const seen = observedDifference({ ...a, ...UNCHANGED }, { ...b, ...UNCHANGED });
    if (seen !== undefined)
      throw new ConformanceError(
        `reset is incomplete: after '${operations[count - 1]!.name}' and a reset ${seen} in a new device`,
      );
  }
  used.ram.fill(0);
  const difference = behaviourDifference(operations, await perform(used, operations), await perform(fresh, operations));
  if (difference !== undefined)
    throw new ConformanceError(
      `reset is incomplete: a device that was used and reset behaves unlike a new one: ${difference}. No field differs, so state is in a closure, a private field or outside of the device`,
    );
}

/** A second reset changes nothing. */
export async function resetIsIdempotent({ type, options, operations }: Subject): Promise<void> {
  await using harness = new DeviceHarness(type, options);
  await perform(harness, operations);
  harness.reset();
  const [fields, seen] = [harness.fields(), observe(harness)];
  const edges = harness.irqs.edges.length;
  harness.reset();
  const changed = changedFields(fields, harness.fields());
  if (changed.length > 0) throw new ConformanceError(`a second reset changes ${describeChanges(changed, 'after it')}`);
  const difference = observedDifference(seen, { ...observe(harness), output: seen.output });
  if (difference !== undefined || harness.irqs.edges.length > edges)
    throw new ConformanceError(`a second reset is visible: ${difference ?? 'an interrupt line pulses'}`);
}
