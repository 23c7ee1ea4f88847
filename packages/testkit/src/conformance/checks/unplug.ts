import { DeviceHarness } from '../../harness/device-harness.ts';
import { saveDevice } from '../../snapshot/device-stream.ts';
import { observe, observedDifference } from '../../snapshot/observe.ts';
import { OperationError, perform } from '../operations.ts';
import { ConformanceError, type Subject } from '../options.ts';

/** Places between operations at which the device is pulled out. */
const PLACES = 10;

/** The device may be pulled out of a running machine at any time, and the rest goes on without it. */
export async function survivesUnplug({ type, options, operations }: Subject): Promise<void> {
  const step = Math.max(1, Math.floor(operations.length / PLACES));
  for (let at = 0; at <= operations.length; at += step) {
    await using harness = new DeviceHarness(type, options);
    const where = at === 0 ? 'before any operation' : `after '${operations[at - 1]!.name}'`;
    await perform(harness, operations.slice(0, Math.max(0, at - 1)));
    // Work that the last one began may wait for guest pages.
    harness.holdDma();
    await perform(harness, operations.slice(Math.max(0, at - 1), at));
    harness.output();
    try {
      harness.unplug();
      checkQuiet(harness, where);
      await perform(harness, operations);
      harness.stop();
    } catch (cause) {
      if (cause instanceof ConformanceError) throw cause;
      const when =
        cause instanceof OperationError ? `, and the guest goes on with ${cause.message}` : `: ${String(cause)}`;
      throw new ConformanceError(`pulled out ${where} the device throws${when}. unrealize ends what the device does`, {
        cause,
      });
    }
    const sections = (await saveDevice(harness)).filter(({ idstr }) => idstr !== 'timer');
    if (sections.length > 0)
      throw new ConformanceError(
        `pulled out ${where} the device is still in the stream: section ${sections[0]!.idstr}`,
      );
  }
}

/** Nothing happens by itself any more. */
function checkQuiet(harness: DeviceHarness, where: string): void {
  const line = harness.irqs.levels.indexOf(true);
  if (line >= 0) throw new ConformanceError(`pulled out ${where} the device holds interrupt line ${line} high`);
  const before = observe(harness);
  harness.advance(1_000_000_000);
  const difference = observedDifference(before, observe(harness));
  if (difference !== undefined)
    throw new ConformanceError(
      `pulled out ${where} the device goes on: before 1 s passes ${difference}. What is not the framework's must be ended in unrealize`,
    );
}
