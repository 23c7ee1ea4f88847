import { DeviceHarness } from '../../harness/device-harness.ts';
import { loadDevice, saveDevice } from '../../snapshot/device-stream.ts';
import { behaviourDifference } from '../compare.ts';
import { perform } from '../operations.ts';
import { ConformanceError, type Subject } from '../options.ts';

/** The guest goes on, and even resets, while parts of the device's state are on their way. */
export async function survivesIteration({ type, options, operations }: Subject): Promise<void> {
  const half = Math.floor(operations.length / 2);
  for (const meanwhile of ['operations', 'reset'] as const) {
    await using leaves = new DeviceHarness(type, options);
    await using stays = new DeviceHarness(type, options);
    await perform(leaves, operations.slice(0, half));
    await perform(stays, operations.slice(0, half));
    const disturb = async (harness: DeviceHarness): Promise<void> => {
      if (meanwhile === 'reset') harness.reset();
      await perform(harness, operations.slice(half));
    };
    let disturbed = false;
    const saved = await saveDevice(leaves, async () => {
      if (disturbed) return;
      disturbed = true;
      await disturb(leaves);
      leaves.stop();
    });
    if (!disturbed) return;
    await disturb(stays);
    stays.stop();
    await using arrives = new DeviceHarness(type, options);
    arrives.stop();
    arrives.ram.set(leaves.ram);
    await loadDevice(arrives, saved);
    arrives.start();
    stays.start();
    const difference = behaviourDifference(
      operations,
      await perform(stays, operations),
      await perform(arrives, operations),
    );
    if (difference !== undefined)
      throw new ConformanceError(
        `with ${meanwhile === 'reset' ? 'a reset' : 'the guest running'} between two parts of the live state the destination differs: ${difference}. What changes after it was sent must be sent again`,
      );
  }
}
